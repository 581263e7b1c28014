"""The outbox table: a row for each message and target, written with the result itself, gone once it is delivered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.outbox.message import message_text
from trialsight_serving.outbox.targets import Target
from trialsight_serving.store import audit
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.tables import outbox

RESULT, ALARM = "result", "alarm"


@dataclass(frozen=True)
class Message:
    """`text`: JSON. `result_id`: the same on every attempt, so that a receiver can tell a repetition. `kind`: of a
    result, or of an alarm. `traceparent` (W3C Trace Context): its frame's span, None where nobody traced it."""

    id: int
    line: str
    result_id: str
    text: str
    created_at: datetime
    kind: str = RESULT
    traceparent: str | None = None


@dataclass(frozen=True)
class Waiting:
    target: str
    count: int
    oldest_at: datetime


def enqueue(
    connection: Connection,
    record: FrameRecord,
    key: str | None,
    targets: Sequence[Target],
    traceparent: Callable[[str], str | None] = lambda _: None,
) -> None:
    """In the result's own transaction: either both are stored or neither. `traceparent`: by the result's id."""
    wanted = [target for target in targets if target.wants(record.organisation_id, record.line, record.verdict)]
    if wanted:
        text = message_text(record, key)
        trace = traceparent(record.id)
        enqueue_text(connection, RESULT, record.organisation_id, record.line, record.id, text, wanted, trace)


def enqueue_text(
    connection: Connection,
    kind: str,
    organisation: str,
    line: str,
    message_id: str,
    text: str,
    wanted: Sequence[Target],
    traceparent: str | None = None,
) -> None:
    common = {
        "kind": kind,
        "organisation_id": organisation,
        "line": line,
        "result_id": message_id,
        "message": text,
        "created_at": datetime.now(UTC),
        "traceparent": traceparent,
    }
    if wanted:
        connection.execute(outbox.insert(), [common | {"target": target.name} for target in wanted])


def waiting_lines(connection: Connection, target: str) -> list[str]:
    """Lines for which something waits: a step through the index for each, however much waits."""
    found: list[str] = []
    query = sa.select(sa.func.min(outbox.c.line)).where(outbox.c.target == target)
    while (line := connection.execute(query.where(outbox.c.line > found[-1]) if found else query).scalar()) is not None:
        found.append(line)
    return found


def oldest(connection: Connection, target: str, line: str, limit: int) -> list[Message]:
    query = sa.select(*_MESSAGE).where(outbox.c.target == target, outbox.c.line == line).order_by(outbox.c.id)
    return [Message(*row) for row in connection.execute(query.limit(limit))]


_MESSAGE = tuple(outbox.c[name] for name in ("id", "line", "result_id", "message", "created_at", "kind", "traceparent"))


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """They were delivered."""
    connection.execute(outbox.delete().where(outbox.c.id.in_(ids)))


def waiting(connection: Connection) -> list[Waiting]:
    columns = outbox.c.target, sa.func.count(), sa.func.min(outbox.c.created_at)
    query = sa.select(*columns).group_by(outbox.c.target).order_by(outbox.c.target)
    return [Waiting(*row) for row in connection.execute(query)]


def drop_older(connection: Connection, before: datetime, limit: int = 1000) -> int:
    """Give up messages that nobody took in all that time; the record says which. How many were dropped."""
    columns = outbox.c.id, outbox.c.organisation_id, outbox.c.target, outbox.c.result_id
    rows = connection.execute(sa.select(*columns).where(outbox.c.created_at < before).limit(limit)).all()
    remove(connection, [row.id for row in rows])
    for organisation, target in sorted({(row.organisation_id, row.target) for row in rows}):
        gone = [row.result_id for row in rows if (row.organisation_id, row.target) == (organisation, target)]
        old = {"results": gone, "before": before.isoformat()}
        audit.record(connection, organisation, "service", "outbox.dropped", f"target/{target}", old=old)
    return len(rows)
