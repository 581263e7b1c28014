"""A store of as many results as one likes, as a year of a pilot line leaves it."""

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from trialsight_serving.store.database import Database
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.tables import ORGANISATION, frames, parts

START = datetime(2026, 1, 1, tzinfo=UTC)
LINES = ("L1", "L2", "L3", "L4")
VERDICTS = {"pass": 92, "review": 4, "reject": 3, "no_verdict": 1}
CLASSES = ("scratch", "dent", "stain")
_CHUNK = 5_000


def frame_record(number: int, dice: random.Random) -> FrameRecord:
    """The `number`-th result: a part of its own, a second after the one before it."""
    verdict = dice.choices(tuple(VERDICTS), tuple(VERDICTS.values()))[0]
    region = {"contour": [[dice.random() * 500, dice.random() * 500] for _ in range(12)], "area_px": 80.0, "peak": 2.0}
    return FrameRecord(
        id=new_id(),
        organisation_id=ORGANISATION,
        part=f"SN-{number:09d}",
        line=LINES[number % len(LINES)],
        view="default",
        trial=f"T{number // 2_000}",
        captured_at=None,
        received_at=START + timedelta(seconds=number),
        verdict=verdict,
        reason=None if verdict == "pass" else "score 2.10 > t1 0.90",
        rule="score",
        score=None if verdict == "no_verdict" else dice.gammavariate(2.0, 0.2),
        thresholds={"t1": 0.9, "t2": 1.4, "region": 0.9},
        regions=[] if verdict == "pass" else [region, region],
        recipe="bracket",
        product="bracket",
        variant=f"V{number // 50_000}",
        model_version="3",
        graph_sha256="9f" * 32,
        image_sha256=hashlib.sha256(b"image%d" % number).hexdigest(),
        image_type="image/jpeg",
        width_px=1280,
        height_px=960,
        map_sha256=hashlib.sha256(b"map%d" % number).hexdigest(),
        map_scale=2.0,
        timings_ms={"read": 0.4, "queue": 0.1, "decode": 2.1, "infer": 14.9, "post": 0.6},
        process={"temperature_c": 21.5},
    )


def fill(database: Database, count: int) -> None:
    """In bulk, past the writer: what a store of that size answers is measured, not how it came to be. A fifth of the
    flagged parts waits for review."""
    dice = random.Random(count)  # noqa: S311
    for chunk in _chunks(count):
        rows = [_rows(number, frame_record(number, dice), dice) for number in chunk]
        with database.write() as connection:
            connection.execute(parts.insert(), [part for part, _ in rows])
            connection.execute(frames.insert(), [frame for _, frame in rows])
            if (
                chunk[-1] == count - 1 and not database.is_sqlite
            ):  # a serial column does not see numbers that were given
                name = "SELECT setval(pg_get_serial_sequence('frames', 'seq'), :last)"
                connection.execute(sa.text(name), {"last": count})
    analyse = database.engine.execution_options(isolation_level="AUTOCOMMIT").connect()
    with analyse as connection:  # as autovacuum and housekeeping do in time
        connection.execute(sa.text("ANALYZE"))


def _chunks(count: int) -> Iterator[range]:
    for start in range(0, count, _CHUNK):
        yield range(start, min(start + _CHUNK, count))


def _rows(number: int, record: FrameRecord, dice: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    part_id = new_id()
    frame = {name: getattr(record, name) for name in frames.columns.keys() if hasattr(record, name)}  # noqa: SIM118
    decided = record.verdict in ("review", "reject") and dice.random() < 0.8
    part = {
        "id": part_id,
        "organisation_id": record.organisation_id,
        "serial": record.part,
        "trial": record.trial,
        "line": record.line,
        "verdict": record.verdict,
        "score": record.score,
        "variant": record.variant,
        "decision": "confirm" if decided else None,
        "review": "decided" if decided else "unreviewed",
        "defect_class": dice.choice(CLASSES) if decided else None,
        "last_seq": number + 1,
        "last_frame_id": record.id,
        "last_at": record.received_at,
    }
    return part, frame | {"part_id": part_id, "seq": number + 1}
