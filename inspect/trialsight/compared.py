"""What came of a version beside a champion on the same test parts: recorded with the version, asked for by the gate."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Figure = Literal["image_auroc", "escape_rate", "false_reject_rate"]
Pair = tuple[float, float]  # the champion's, the version's


@dataclass(frozen=True)
class Compared:
    """`champion_graph`, `graph`: sha256 of what was compared. `set_version`: whose `good` and `defective` test parts
    it was done on. A pair is None where the parts can't tell: without defective ones, say. `problem`: why the champion
    could not judge these parts at all, of another size, say."""

    champion_graph: str
    graph: str
    set_version: str
    good: int
    defective: int
    image_auroc: Pair | None = None
    escape_rate: Pair | None = None
    false_reject_rate: Pair | None = None
    problem: str = ""

    def worse(self, margin: float, promised: float) -> tuple[Figure, ...]:
        """Where the version is worse than the champion by more than `margin`. False rejects within the `promised` share
        are as agreed, whatever the champion's are."""
        found: list[Figure] = []
        if self.image_auroc is not None and self.image_auroc[1] < self.image_auroc[0] - margin:
            found.append("image_auroc")
        if self.escape_rate is not None and self.escape_rate[1] > self.escape_rate[0] + margin:
            found.append("escape_rate")
        rejects = self.false_reject_rate
        if rejects is not None and rejects[1] > max(rejects[0] + margin, promised):
            found.append("false_reject_rate")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def tag_of(champion: str) -> str:
    """The registry's tag of a version under which its comparison with version `champion` stands, as JSON."""
    return f"comparison.{champion}"
