"""Scores that one version of a model gave, parted by what people decided: what thresholds are chosen by."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight_serving.store.review.standing import DECIDED, outcome_of
from trialsight_serving.store.tables import frames, parts

MOST = 20_000  # of the newest parts, decided and undecided each
OPEN = "open"


@dataclass(frozen=True)
class Scores:
    """One score a part, ascending: the highest among the newest frames of its views. `undecided`: nobody settled
    whether it is good. `whole`: whether that is all there are."""

    good: tuple[float, ...]
    defective: tuple[float, ...]
    undecided: tuple[float, ...]
    whole: bool


def scores_of(connection: Connection, organisation: str, recipe: str, version: str, most: int = MOST) -> Scores:
    mine = sa.and_(
        frames.c.organisation_id == organisation,
        frames.c.recipe == recipe,
        frames.c.model_version == version,
        frames.c.score.is_not(None),
    )
    decided = (
        sa.select(parts.c.id)
        .where(parts.c.organisation_id == organisation, parts.c.review == DECIDED)
        .where(sa.exists().where(frames.c.part_id == parts.c.id, mine))
        .order_by(parts.c.last_seq.desc())
        .limit(most)
    )
    newest = sa.select(frames.c.part_id).where(mine).order_by(frames.c.seq.desc()).limit(most).subquery()
    waiting = sa.select(parts.c.id).where(parts.c.id.in_(sa.select(newest.c.part_id)), parts.c.review != DECIDED)
    found: dict[str, list[float]] = {"good": [], "defect": [], OPEN: []}
    whole = True
    for chosen in (decided, waiting):
        seen = _parts(connection, chosen)
        whole &= len(seen) < most
        for views in seen:
            if (told := _told(views, recipe, version)) is not None:
                found.setdefault(told[0], []).append(float(f"{told[1]:.6g}"))
    good, defective, undecided = (tuple(sorted(found[kind])) for kind in ("good", "defect", OPEN))
    return Scores(good, defective, undecided, whole)


def _parts(connection: Connection, chosen: sa.Select[str]) -> list[list[RowMapping]]:
    """The newest frame of each view of each part."""
    columns = (frames.c.part_id, frames.c.view, frames.c.recipe, frames.c.model_version, frames.c.score)
    about = (frames.c.verdict, parts.c.review, parts.c.decision)
    query = sa.select(*columns, *about).join(parts, parts.c.id == frames.c.part_id).where(parts.c.id.in_(chosen))
    by_part: dict[str, dict[str, RowMapping]] = {}
    for row in connection.execute(query.order_by(frames.c.seq)).mappings():
        by_part.setdefault(row["part_id"], {})[row["view"]] = row
    return [list(views.values()) for views in by_part.values()]


def _told(views: list[RowMapping], recipe: str, version: str) -> tuple[str, float] | None:
    """Outcome and score of a part, as this version saw it.

    A defective part that it let pass counts only where no other recipe looks at the part too: the defect may lie where
    another camera sees it.
    """
    mine = [row for row in views if (row["recipe"], row["model_version"]) == (recipe, version)]
    seen = [row for row in mine if row["score"] is not None]
    if not seen:
        return None
    worst = max(seen, key=lambda row: row["score"])
    outcome = outcome_of(worst["decision"], worst["verdict"]) if worst["review"] == DECIDED else None
    if outcome is not None and worst["verdict"] == "pass" and len({row["recipe"] for row in views}) > 1:
        return None
    return outcome or OPEN, worst["score"]
