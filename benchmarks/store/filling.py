"""A store of as many results as one likes, as a year of a pilot line leaves it."""

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks.measure.progress import say
from trialsight_serving.store.database import Database
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.tables import ORGANISATION, decisions, frames, parts
from trialsight_serving.store.upkeep.statistics import refresh_statistics

START = datetime(2026, 1, 1, tzinfo=UTC)
LINES = ("L1", "L2", "L3", "L4")
VERDICTS = {"pass": 92, "review": 4, "reject": 3, "no_verdict": 1}
CLASSES = ("scratch", "dent", "stain")
PEOPLE = ("mei", "jun")
TRIAL, VARIANT = 2_000, 50_000  # parts of one trial run, of one variant
_SHAPES = 1_000  # results that are made one by one; the database itself makes the others after them
_CHUNK = 100_000
_CACHE_KIB = 400_000


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
        trial=f"T{number // TRIAL}",
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
        variant=f"V{number // VARIANT}",
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
    """In bulk, past the writer: what a store of that size answers is measured, not how it came to be. Four fifths of
    the flagged parts are decided, by two people in turn."""
    dice = random.Random(7)  # noqa: S311
    with database.write() as connection:
        rows = [_rows(number, frame_record(number, dice), dice) for number in range(min(count, _SHAPES))]
        connection.execute(parts.insert(), [part for part, _ in rows])
        connection.execute(frames.insert(), [frame for _, frame in rows])
    for start in range(_SHAPES, count, _CHUNK):
        say(f"{start:,} of {count:,} filled in")
        with database.write() as connection:
            _multiply(connection, start, min(start + _CHUNK, count))
    with database.write() as connection:
        _decide(connection)
        if database.is_sqlite:
            refresh_statistics(connection)
        else:  # a serial column does not see numbers that were given
            connection.execute(sa.text("SELECT setval(pg_get_serial_sequence('frames', 'seq'), :n)"), {"n": count})
            connection.execute(sa.text("ANALYZE"))  # as autovacuum does in time


def _multiply(connection: Connection, start: int, end: int) -> None:
    """Results `start` to `end`, each in the shape of one of the first, with names, times and checksums of its own."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KIB}")
        series = f"WITH RECURSIVE s(n) AS (SELECT {start} UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {end})"  # noqa: S608
        ident, sha = "printf('%012x7%s', {ms}, substr(lower(hex(randomblob(10))), 1, 19))", "lower(hex(randomblob(32)))"
        serial, at = "printf('SN-%09d', n)", f"strftime('%Y-%m-%d %H:%M:%f000', '{START:%Y-%m-%d}', n || ' seconds')"
    else:
        series = f"WITH s(n) AS (SELECT generate_series({start}, {end - 1}))"
        ident = "lpad(to_hex(({ms})::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 19)"
        sha = "md5(random()::text) || md5(random()::text)"
        serial, at = "'SN-' || lpad(n::text, 9, '0')", f"TIMESTAMPTZ '{START.isoformat()}' + n * INTERVAL '1 second'"
    ident = ident.format(ms=f"{int(START.timestamp())}000 + n * 1000")
    made = {
        "id": ident,
        "serial": serial,
        "part": serial,
        "line": "'L' || (n % 4 + 1)",
        "trial": f"'T' || (n / {TRIAL})",
        "variant": f"'V' || (n / {VARIANT})",
        "last_seq": "n + 1",
        "last_at": at,
        "last_frame_id": ident,
    }
    of_part = "(SELECT id FROM parts WHERE organisation_id = 'default' AND last_seq = n + 1)"
    frame = made | {
        "seq": "n + 1",
        "id": of_part.replace("id FROM", "last_frame_id FROM"),
        "part_id": of_part,
        "received_at": at,
        "image_sha256": sha,
        "map_sha256": sha,
    }
    for table, values, order in ((parts, made, "last_seq"), (frames, frame, "seq")):
        names = list(table.columns.keys())
        given = ", ".join(values.get(name, f"shape.{name}") for name in names)
        shape = f"JOIN {table.name} AS shape ON shape.{order} = n % {_SHAPES} + 1"
        if order == "last_seq":
            shape += " AND shape.organisation_id = 'default'"
        into = f"INSERT INTO {table.name} ({', '.join(names)})"
        connection.execute(sa.text(f"{into} {series} SELECT {given} FROM s {shape} ORDER BY n"))  # noqa: S608


def _decide(connection: Connection) -> None:
    who = sa.case({0: PEOPLE[0]}, value=parts.c.last_seq % 2, else_=PEOPLE[1])
    given: dict[str, Any] = {
        "organisation_id": parts.c.organisation_id,
        "part_id": parts.c.id,
        "frame_id": parts.c.last_frame_id,
        "decision": parts.c.decision,
        "decided_by": who,
        "decided_at": parts.c.last_at,
        "key": parts.c.id,
        "note": sa.literal(""),
    }
    made = sa.select(*given.values()).where(parts.c.decision.is_not(None)).order_by(parts.c.last_seq)
    connection.execute(decisions.insert().from_select(list(given), made))


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
        "has_decisions": int(decided),
        "last_seq": number + 1,
        "last_frame_id": record.id,
        "last_at": record.received_at,
    }
    return part, frame | {"part_id": part_id, "seq": number + 1}
