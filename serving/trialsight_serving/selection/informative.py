"""Unreviewed parts from which the next model would learn most: near a threshold, or unlike what was reviewed.

Each part gets a percentile of both, and their mean counts. After each pick the rest is measured against it too, so that
a page isn't filled with one and the same novelty (greedy k-centre: Sener and Savarese, "Active learning for
convolutional neural networks: a core-set approach", ICLR 2018).
"""

from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from trialsight_serving.store.parts import PartFilter, PartRecord, Place, list_parts, neighbours
from trialsight_serving.store.review.standing import DECIDED, UNREVIEWED
from trialsight_serving.store.tables import frames

CANDIDATES = 1000  # the newest that match
REVIEWED = 1000  # the newest that were decided, which novelty is measured against
PICKS = 200
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Pick:
    """`uncertainty`: distance of the score to the nearer threshold, in units of T2 - T1, None without a score.
    `novelty`: cosine distance to the nearest part that was reviewed or picked before, None without an embedding."""

    part: PartRecord
    uncertainty: float | None
    novelty: float | None


def informative(connection: Connection, organisation: str, wanted: PartFilter, count: int) -> list[Pick]:
    """At most `count` of the newest that match; unreviewed ones, where the filter doesn't say otherwise."""
    newest = replace(wanted, sort="newest")
    candidates = list_parts(
        connection, organisation, replace(newest, review=wanted.review or UNREVIEWED), None, CANDIDATES
    )
    known = list_parts(connection, organisation, replace(newest, review=DECIDED), None, REVIEWED)
    seen = _frames(connection, [one.last_frame_id for one in (*candidates, *known)])
    width = max((len(row) for _, row in seen.values() if row is not None), default=0)
    gaps = np.array([seen.get(one.last_frame_id, (np.nan, None))[0] for one in candidates], np.float64)
    order, novelty = pick(gaps, _rows(seen, candidates, width), _rows(seen, known, width), min(count, PICKS))
    return [
        Pick(candidates[index], _number(gaps[index]), _number(new)) for index, new in zip(order, novelty, strict=True)
    ]


def pick(gaps: NDArray[np.float64], rows: Rows, known: Rows, count: int) -> tuple[list[int], list[float]]:
    """Indices of the picks and the novelty of each when it was picked. `gaps` (N,): to the nearer threshold. `rows`
    (N, C) and `known` (M, C): unit embeddings. NaN where there is none."""
    uncertain = _percentile(-gaps)
    known = known[~np.isnan(known).any(axis=1)]
    missing = np.isnan(rows).any(axis=1)
    distance = np.where(missing, np.nan, 1.0)
    if len(known):
        distance = np.where(missing, np.nan, 1.0 - (np.nan_to_num(rows) @ known.T).max(axis=1))
    left = np.ones(len(rows), bool)
    order: list[int] = []
    novelty: list[float] = []
    while left.any() and len(order) < count:
        worth = uncertain + _percentile(distance)
        best = int(np.where(left, worth, -np.inf).argmax())
        order.append(best)
        novelty.append(float(distance[best]))
        left[best] = False
        if not np.isnan(rows[best]).any():
            distance = np.where(missing, np.nan, np.minimum(distance, 1.0 - np.nan_to_num(rows) @ rows[best]))
    return order, novelty


def listed(
    connection: Connection, organisation: str, wanted: PartFilter, after: Place | None, limit: int
) -> list[PartRecord]:
    """As `list_parts`. By information there is one page, less than `limit`: it is made anew after each decision."""
    if wanted.sort != "informative":
        return list_parts(connection, organisation, wanted, after, limit)
    picks = [] if after is not None else informative(connection, organisation, wanted, limit - 1)
    return [one.part for one in picks]


def beside(
    connection: Connection, organisation: str, wanted: PartFilter, record: PartRecord
) -> tuple[str | None, str | None]:
    """As `neighbours`; by information, what comes before and behind the part in the list of now."""
    if wanted.sort != "informative":
        return neighbours(connection, organisation, wanted, record)
    ids = [one.part.id for one in informative(connection, organisation, wanted, PICKS)]
    at = ids.index(record.id) if record.id in ids else -1
    return (ids[at - 1] if at > 0 else None), (ids[at + 1] if at + 1 < len(ids) else None)


def _frames(connection: Connection, ids: list[str]) -> dict[str, tuple[float, Rows | None]]:
    """Each frame's distance to the nearer threshold (NaN without a score), and its embedding."""
    found: dict[str, tuple[float, Rows | None]] = {}
    columns = frames.c.id, frames.c.score, frames.c.thresholds, frames.c.embedding
    for start in range(0, len(ids), 500):
        query = sa.select(*columns).where(frames.c.id.in_(ids[start : start + 500]))
        for frame_id, score, thresholds, embedding in connection.execute(query):
            row = None if embedding is None else np.frombuffer(embedding, np.float16).astype(np.float32)
            found[frame_id] = _gap(score, thresholds), row
    return found


def _gap(score: float | None, thresholds: dict[str, float]) -> float:
    if score is None:
        return float("nan")
    t1, t2 = thresholds["t1"], thresholds["t2"]
    return min(abs(score - t1), abs(score - t2)) / max(t2 - t1, 1e-9 + 1e-3 * abs(t2))


def _rows(seen: dict[str, tuple[float, Rows | None]], parts: list[PartRecord], width: int) -> Rows:
    rows = np.full((len(parts), width), np.nan, np.float32)
    for index, one in enumerate(parts):
        row = seen.get(one.last_frame_id, (0.0, None))[1]
        if row is not None and len(row) == width:
            rows[index] = row / max(float(np.linalg.norm(row)), 1e-9)
    return rows


def _percentile(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..1, higher for higher values; 0 for NaN, and for all where there is nothing to tell them apart."""
    ranked = np.where(np.isnan(values), -np.inf, values)
    return np.searchsorted(np.sort(ranked), ranked) / max(1, len(ranked))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)
