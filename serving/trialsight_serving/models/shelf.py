"""Models in memory, within a budget: what nobody needs goes at once, what is not live goes when room is needed."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from trialsight.card import Card
from trialsight.gate import GateReport
from trialsight.inspector import Inspector
from trialsight.package import Package
from trialsight.verdict import Thresholds
from trialsight_serving.models.chosen import PeoplesThresholds

Key = tuple[str, str]  # recipe, version
_COPIES = 2  # ONNX Runtime holds weights as the file has them, and most of them packed for the processor too


@dataclass(frozen=True)
class LiveModel:
    """A loaded version that passed its gate. Frames in flight hold a reference: a swap takes nothing from them."""

    recipe: str
    version: str
    inspector: Inspector
    gate: GateReport
    activated_at: datetime
    memory_bytes: int
    people: PeoplesThresholds

    @property
    def thresholds(self) -> Thresholds:
        """What people chose for this version, else the card's; as of now."""
        return self.people.of(self)

    @property
    def card(self) -> Card:
        return self.inspector.card

    @property
    def key(self) -> Key:
        return self.recipe, self.version


class Shelf:
    """Not for several threads at once: the manager holds its lock around each call."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._models: OrderedDict[Key, LiveModel] = OrderedDict()  # least recently used first

    def find(self, key: Key) -> LiveModel | None:
        """The model, which so becomes the most recently used."""
        found = self._models.get(key)
        if found is not None:
            self._models.move_to_end(key)
        return found

    def holds(self, key: Key) -> bool:
        return key in self._models

    def put(self, model: LiveModel) -> None:
        self._models[model.key] = model
        self._models.move_to_end(model.key)

    def used_bytes(self) -> int:
        return sum(model.memory_bytes for model in self._models.values())

    def fits(self, more_bytes: int) -> bool:
        return self.used_bytes() + more_bytes <= self._budget_bytes

    def tidy(self, wanted: Collection[Key], pinned: Collection[Key]) -> list[Key]:
        """Drop what is not `wanted`, then the least recently used until the budget is kept; never what is `pinned`."""
        gone = [key for key in self._models if key not in wanted and key not in pinned]
        for key in gone:
            del self._models[key]
        for key in [key for key in self._models if key not in pinned]:
            if self.fits(0):
                break
            del self._models[key]
            gone.append(key)
        return gone


def memory_bytes(package: Package) -> int:
    """What a package takes once loaded, about."""
    return _COPIES * package.graph.stat().st_size
