"""What challengers said beside champions, and how the two compare: the evidence for a promotion."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.review.standing import DECIDED, outcome_of
from trialsight_serving.store.tables import frames, parts, shadow_results

_GOOD, _DEFECT = "good", "defect"


@dataclass(frozen=True)
class ShadowRecord:
    """The challenger's `verdict` and `score` of a frame beside the champion's. `inspect_ms`: the challenger's time."""

    organisation_id: str
    frame_id: str
    recipe: str
    champion: str
    challenger: str
    champion_verdict: str
    verdict: str
    reason: str | None
    champion_score: float | None
    score: float | None
    inspect_ms: float
    created_at: datetime
    id: int = 0

    @property
    def agrees(self) -> bool:
        return self.verdict == self.champion_verdict


@dataclass(frozen=True)
class Hits:
    """On parts that a person has decided: `right`, good parts flagged (`overkill`), defects passed (`escape`)."""

    right: int = 0
    overkill: int = 0
    escape: int = 0


@dataclass(frozen=True)
class Evidence:
    """`changes`: 'champion verdict -> challenger verdict' to how many frames. `reviewed`: whose truth is known."""

    recipe: str
    champion: str
    challenger: str
    frames: int
    agreed: int
    changes: dict[str, int] = field(default_factory=dict)
    reviewed: int = 0
    champion_hits: Hits = Hits()
    challenger_hits: Hits = Hits()
    mean_ms: float | None = None

    def __str__(self) -> str:
        if not self.frames:
            return f"version {self.challenger} has seen no frame beside version {self.champion}"
        changes = ", ".join(f"{count} {change}" for change, count in self.changes.items())
        said = (
            f"version {self.challenger} beside {self.champion}: {self.frames} frames, {self.agreed} alike"
            f" ({self.agreed / self.frames:.1%}){f'; {changes}' if changes else ''}"
        )
        if self.reviewed:
            mine, theirs = self.challenger_hits, self.champion_hits
            said += (
                f"; of {self.reviewed} reviewed: right {mine.right} (was {theirs.right}), "
                f"overkill {mine.overkill} (was {theirs.overkill}), escapes {mine.escape} (was {theirs.escape})"
            )
        return said


def insert_shadow(connection: Connection, record: ShadowRecord) -> None:
    values = asdict(record) | {"agrees": record.agrees}
    del values["id"]
    connection.execute(shadow_results.insert(), values)


def evidence(connection: Connection, organisation: str, recipe: str, champion: str, challenger: str) -> Evidence:
    """Counts over all frames that both versions have seen."""
    mine = _pair(organisation, recipe, champion, challenger)
    verdicts = shadow_results.c.champion_verdict, shadow_results.c.verdict
    count, total_ms = sa.func.count(), sa.func.sum(shadow_results.c.inspect_ms)
    rows = connection.execute(sa.select(*verdicts, count, total_ms).where(mine).group_by(*verdicts)).all()
    seen = sum(row[2] for row in rows)
    changes = {f"{row[0]} -> {row[1]}": row[2] for row in sorted(rows, key=lambda row: -row[2]) if row[0] != row[1]}
    truths = connection.execute(
        sa.select(*verdicts, frames.c.verdict, parts.c.decision)
        .join(frames, frames.c.id == shadow_results.c.frame_id)
        .join(parts, (parts.c.id == frames.c.part_id) & (parts.c.last_frame_id == frames.c.id))
        .where(mine, parts.c.review == DECIDED)
    ).all()
    known = [(row[0], row[1], truth) for row in truths if (truth := outcome_of(row[3], row[2])) in (_GOOD, _DEFECT)]
    return Evidence(
        recipe=recipe,
        champion=champion,
        challenger=challenger,
        frames=seen,
        agreed=seen - sum(changes.values()),
        changes=changes,
        reviewed=len(known),
        champion_hits=_hits((theirs, truth) for theirs, _, truth in known),
        challenger_hits=_hits((ours, truth) for _, ours, truth in known),
        mean_ms=round(sum(row[3] for row in rows) / seen, 3) if seen else None,
    )


def disagreements(
    connection: Connection,
    organisation: str,
    recipe: str,
    champion: str,
    challenger: str,
    before: int | None,
    limit: int,
) -> list[ShadowRecord]:
    """Newest first; `before` is the id that the last page ended with."""
    query = sa.select(shadow_results).where(
        _pair(organisation, recipe, champion, challenger), shadow_results.c.agrees.is_(False)
    )
    if before is not None:
        query = query.where(shadow_results.c.id < before)
    rows = connection.execute(query.order_by(shadow_results.c.id.desc()).limit(limit)).mappings()
    return [ShadowRecord(**{name: row[name] for name in ShadowRecord.__dataclass_fields__}) for row in rows]


def _pair(organisation: str, recipe: str, champion: str, challenger: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        shadow_results.c.organisation_id == organisation,
        shadow_results.c.recipe == recipe,
        shadow_results.c.challenger == challenger,
        shadow_results.c.champion == champion,
    )


def _hits(pairs: Iterable[tuple[str, str]]) -> Hits:
    """`review` and `reject` both stop a part, so a defect in either was caught; `no_verdict` is never right."""
    right = overkill = escape = 0
    for verdict, truth in pairs:
        flagged = verdict in ("review", "reject")
        right += flagged if truth == _DEFECT else verdict == "pass"
        overkill += truth == _GOOD and flagged
        escape += truth == _DEFECT and verdict == "pass"
    return Hits(right, overkill, escape)
