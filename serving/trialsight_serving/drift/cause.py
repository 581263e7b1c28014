"""What moved? Told by which measures moved together (docs/drift.md has the table, and how often it is right)."""

from collections.abc import Sequence
from enum import StrEnum

from trialsight_serving.drift.look import Finding
from trialsight_serving.drift.measures import Group


class Cause(StrEnum):
    """`mix`: other parts come along than before (another variant, material or defect). `model`: the pictures are what
    they were, but the verdicts no longer agree with people, or with what they were."""

    LAMP = "lamp"
    LENS = "lens"
    FIXTURE = "fixture"
    MIX = "mix"
    MODEL = "model"


PHYSICAL = {Group.LIGHT: Cause.LAMP, Group.FOCUS: Cause.LENS, Group.PLACE: Cause.FIXTURE}
# Lamp, lens or fixture move their own measure and leave the other two nearly alone. Where a second one moves as much
# as this share of the first, or what the model sees moves far more than such a change explains, the part has changed.
ALSO, EXPLAINS = 0.5, 0.1
# Told by what is left when lamp, lens and fixture are out of it: a first glimpse of those can look like that.
BY_EXCLUSION = frozenset({Cause.MIX, Cause.MODEL})
# A mended lamp needs no new model; a new kind of part does.
RETRAIN = frozenset({Cause.MIX, Cause.MODEL})


def cause_of(findings: Sequence[Finding]) -> Cause | None:
    """None where nothing has drifted."""
    moved = [one for one in findings if one.drifted]
    if not moved:
        return None
    # That a small change of the light is sure is enough where something else says that it matters.
    sure = [one for one in findings if one.sure]
    strength = {group: _strongest(sure, group) for group in PHYSICAL}
    first, second, _ = sorted(strength, key=lambda group: strength[group], reverse=True)
    look = _strongest([one for one in sure if one.measure == "look"], Group.LOOK)
    least = EXPLAINS * look if look else 1.0  # a share of strangers alone is no sign that all frames have moved
    if strength[first] and strength[first] >= least:
        return Cause.MIX if strength[second] >= ALSO * strength[first] else PHYSICAL[first]
    if _strongest(moved, Group.LOOK) or strength[first] >= 1:
        return Cause.MIX
    if _strongest(moved, Group.PEOPLE):
        return Cause.MODEL
    # The score alone: of a share of the parts (its median stays where it was), or of all?
    return Cause.MODEL if any(one.shifted for one in moved if one.group is Group.SCORE) else Cause.MIX


def _strongest(found: Sequence[Finding], group: Group) -> float:
    return max((abs(one.effect) for one in found if one.group is group), default=0.0)
