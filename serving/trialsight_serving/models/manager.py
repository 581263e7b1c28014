"""The live models: which version gives verdicts, which is kept for a rollback, which runs in the champion's shadow."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight.home import ORGANISATION, Home
from trialsight.image import Limits
from trialsight_serving.models.changes import (
    Challenge,
    Change,
    Promotion,
    check_golden,
    load_version,
    move_challenger,
    move_champion,
    swap_aliases,
)
from trialsight_serving.models.chosen import PeoplesThresholds
from trialsight_serving.models.gate import Gate, Gatekeeper
from trialsight_serving.models.registry import CHALLENGER, CHAMPION, Registry, RegistryError
from trialsight_serving.models.shelf import LiveModel, Shelf, memory_bytes
from trialsight_serving.store.database import Database
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.lines import ActiveModel, LineRecord, list_lines, set_active
from trialsight_serving.store.writer import Writer

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Fault:
    """Why the version that an alias names is not loaded. `retry_at` by the monotonic clock."""

    recipe: str
    alias: str
    version: str
    problem: str
    seen_at: datetime
    retry_at: float


class NoRoomError(TrialsightError):
    """The memory budget is used up, and no line needs this model."""


class ModelManager:
    """One organisation's. Loading goes on outside the lock, so that a rollback never waits for it. `changes` counts
    what people have done to a recipe: a look at the registry begun before such a change ended is worth nothing."""

    def __init__(
        self,
        home: Home,
        database: Database,
        writer: Writer,
        images: ImageStore,
        limits: Limits,
        memory_mb: int,
        fastest: bool = True,
        organisation: str = ORGANISATION,
    ) -> None:
        self.organisation = organisation
        self.registry = Registry(home, organisation)
        self.registry_problem: str | None = None
        self.changes: Counter[str] = Counter()
        self.faults: dict[tuple[str, str], Fault] = {}  # by recipe and alias
        self.behind: dict[str, tuple[str, str]] = {}  # rolled back while MLflow was away: champion and previous
        self.gatekeeper = Gatekeeper(self.registry, database, images, organisation)
        self._people = PeoplesThresholds(organisation)
        self._database, self._writer, self._limits = database, writer, limits
        self._runtimes = home.runtimes if fastest else None
        self._shelf = Shelf(memory_mb * 2**20)
        self._lock = threading.RLock()
        self._live: dict[str, LiveModel] = {}
        self._before: dict[str, str] = {}
        self._challengers: dict[str, LiveModel] = {}
        self._lines: dict[str, LineRecord] = {}

    def live(self, recipe: str) -> LiveModel | None:
        return self._live.get(recipe)

    def models(self) -> list[LiveModel]:
        return sorted(self._live.values(), key=lambda model: model.recipe)

    def challenger(self, recipe: str) -> LiveModel | None:
        return self._challengers.get(recipe)

    def before(self, recipe: str) -> str | None:
        """The version that a rollback brings back."""
        return self._before.get(recipe)

    def is_loaded(self, recipe: str, version: str) -> bool:
        return self._shelf.holds((recipe, version))

    def memory_bytes(self) -> int:
        with self._lock:
            return self._shelf.used_bytes()

    def lines(self) -> dict[str, LineRecord]:
        """Lines by name, as of the last look (at most one poll old)."""
        return self._lines

    def refresh_lines(self) -> None:
        """What people bound to the lines, and the thresholds that they chose."""
        with self._database.read() as connection:
            self._people.refresh(connection)
            self._lines = {line.name: line for line in list_lines(connection, self.organisation)}

    def judge(self, recipe: str, version: str, approver: str) -> Gate:
        """How the gate would find a promotion now; changes nothing. Raises PackageError, RegistryError."""
        return self._judge(self._load(recipe, version), approver)

    def promote(
        self, recipe: str, version: str, line: str | None, change: Change, approver: str | None = None
    ) -> Promotion:
        """Through the gate to champion, and live when it returns. `approver` None: whoever asks.

        Raises GateError, PackageError, RegistryError.
        """
        started = time.monotonic()
        model = self._load(recipe, version)
        gate = self._judge(model, change.by if approver is None else approver)
        if not gate.holds:
            raise self.gatekeeper.refuse(gate, change.by)
        with self._lock:
            done = move_champion(self.registry, self._database, model.card, gate, line, change)
            self._swap(model, done.previous)
            self.changes[recipe] += 1
        self.refresh_lines()
        return replace(done, seconds=round(time.monotonic() - started, 3), gate=model.gate)

    def rollback(self, recipe: str, change: Change) -> Promotion:
        """The champion before this one, at once; the registry hears of it now, or when it is back."""
        started = time.monotonic()
        live, version = self._live.get(recipe), self._before.get(recipe)
        if live is None or version is None:
            raise TrialsightError(f"{recipe} has no earlier champion to go back to", "promote a version instead")
        model = self.take(recipe, version)
        with self._lock:
            self.behind[recipe] = (version, live.version)
            self._point(model, change)
            self._swap(model, live.version)
            self.changes[recipe] += 1
        self.catch_up(recipe)
        return Promotion(recipe, version, live.version, (), round(time.monotonic() - started, 3), model.gate)

    def challenge(self, recipe: str, version: str | None, change: Change) -> Challenge:
        """`version` in the champion's shadow from now on, None for none."""
        model = None if version is None else self.take(recipe, version)
        with self._lock:
            done = move_challenger(self.registry, self._database, recipe, version, change)
            self._shadow(recipe, model)
            self.changes[recipe] += 1
        return done

    def take(self, recipe: str, version: str, expected_sha256: str | None = None, must_fit: bool = False) -> LiveModel:
        """Already loaded, or fetched, verified, loaded, warmed (by its golden frames) and gated by them. Raises
        TrialsightError, NoRoomError where it `must_fit` the budget and doesn't."""
        model = self._load(recipe, version, expected_sha256, must_fit)
        check_golden(recipe, version, model.gate)
        with self._lock:
            self._shelf.put(model)
        return model

    def _judge(self, model: LiveModel, approver: str) -> Gate:
        return self.gatekeeper.judge(model.inspector, model.version, model.gate, approver, model.thresholds)

    def _load(self, recipe: str, version: str, expected_sha256: str | None = None, must_fit: bool = False) -> LiveModel:
        """As `take`, whatever its golden frames said."""
        with self._lock:
            model = self._shelf.find((recipe, version))
        if model is None:
            package = self.registry.package(recipe, version)
            if expected_sha256 not in (None, package.card.graph_sha256):
                raise TrialsightError(f"the local copy of {recipe} version {version} is not what was activated")
            needed = memory_bytes(package)
            if must_fit and not self._shelf.fits(needed):
                raise NoRoomError(
                    f"{recipe} version {version} would take {needed / 2**20:.0f} MB of memory, beyond the budget",
                    "bind a line to the recipe, or raise model_memory_mb in the service's settings",
                )
            inspector, report = load_version(package, recipe, version, self._limits, self._runtimes)
            model = LiveModel(recipe, version, inspector, report, datetime.now(UTC), needed, self._people)
        return model

    def follow_champion(self, model: LiveModel, seen: int) -> None:
        """What the registry says, unless a person has said something else since `changes` was `seen`."""
        with self._lock:
            if self.changes[model.recipe] == seen:
                old = self._live.get(model.recipe)
                self._point(model)
                self._swap(model, old.version if old is not None else None)

    def follow_challenger(self, recipe: str, model: LiveModel | None, seen: int) -> None:
        with self._lock:
            if self.changes[recipe] == seen:
                self._shadow(recipe, model)

    def follow_previous(self, recipe: str, version: str, seen: int) -> None:
        with self._lock:
            if self.changes[recipe] == seen:
                self._before[recipe] = version

    def catch_up(self, recipe: str) -> None:
        """Tell the registry of a rollback. It may be away: then at a later poll, or after a restart."""
        version, previous = self.behind[recipe]
        try:
            swap_aliases(self.registry, recipe, version, previous)
        except RegistryError as error:
            self.registry_problem = str(error)
            return
        with self._lock:
            live = self._live.get(recipe)
            if live is not None and live.version == version and self.behind.get(recipe) == (version, previous):
                del self.behind[recipe]
                self._point(live)

    def bound_first(self, recipes: Iterable[str]) -> list[str]:
        """Those that a line or a view needs come before those that nobody asks for."""
        bound = self.bound()
        return sorted(recipes, key=lambda recipe: (recipe not in bound, recipe))

    def bound(self) -> set[str]:
        lines = self._lines.values()
        return {line.recipe for line in lines if line.recipe} | {name for line in lines for name in line.views.values()}

    def _point(self, model: LiveModel, rolled_back: Change | None = None) -> None:
        """In the database first: after a restart the same model gives verdicts."""
        _, behind = self.behind.get(model.recipe, (None, None))
        pointer = ActiveModel(model.recipe, model.version, model.card.graph_sha256, datetime.now(UTC), behind)

        def write(connection: Connection) -> None:
            before = set_active(connection, pointer, self.organisation)
            if rolled_back is not None:
                rolled_back.record(connection, "model.rolled_back", model.recipe, before, model.version)
            elif before != model.version:  # the alias was moved elsewhere; people's changes leave their own record
                Change("service", organisation=self.organisation).record(
                    connection, "model.activated", model.recipe, before, model.version
                )

        self._writer.submit(write).result()

    def _swap(self, model: LiveModel, previous: str | None) -> None:
        recipe = model.recipe
        self._shelf.put(model)
        self._live[recipe] = replace(model, activated_at=datetime.now(UTC))
        if previous is not None and previous != model.version:
            self._before[recipe] = previous
        if (challenger := self._challengers.get(recipe)) is not None and challenger.version == model.version:
            del self._challengers[recipe]
        self.faults.pop((recipe, CHAMPION), None)
        self._tidy()
        log.info("model live", recipe=recipe, version=model.version, before=previous, runtime=model.inspector.runtime)

    def _shadow(self, recipe: str, model: LiveModel | None) -> None:
        self.faults.pop((recipe, CHALLENGER), None)
        if model is not None:
            self._shelf.put(model)
            self._challengers[recipe] = model
        elif self._challengers.pop(recipe, None) is None:
            return
        self._tidy()
        log.info("challenger", recipe=recipe, version=model.version if model else None)

    def _tidy(self) -> None:
        """What is put away here is loaded again once a line needs it; frames in flight keep theirs."""
        bound = self.bound()
        pinned = {model.key for model in self._live.values() if model.recipe in bound or len(self._live) == 1}
        wanted = {model.key for held in (self._live, self._challengers) for model in held.values()}
        for recipe, version in self._shelf.tidy(wanted | set(self._before.items()), pinned):
            for held in (self._live, self._challengers):
                if recipe in held and held[recipe].version == version:
                    del held[recipe]
            log.info("model put away", recipe=recipe, version=version)
