"""Who is asking: an organisation's person, key or camera, and what their role lets them do."""

from dataclasses import dataclass
from enum import StrEnum

from trialsight_serving.store.tables import ORGANISATION


class Role(StrEnum):
    """camera: posts to its lines and reads its results. reviewer: sees everything of the organisation, decides about
    parts. engineer: recipes, models, lines; may also post and decide. administrator: also users, keys and quotas."""

    CAMERA = "camera"
    REVIEWER = "reviewer"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class Principal:
    """`name` is what history and audit show. `lines`: the only ones that it may post to and read from; None for all."""

    organisation: str
    name: str
    role: Role
    lines: frozenset[str] | None = None

    def may_use(self, line: str) -> bool:
        return self.lines is None or line in self.lines

    @property
    def operates(self) -> bool:
        """Whether this is an administrator of the home's own organisation, who looks after the whole platform."""
        return self.role is Role.ADMINISTRATOR and self.organisation == ORGANISATION


LOCAL = Principal(ORGANISATION, "local", Role.ADMINISTRATOR)
