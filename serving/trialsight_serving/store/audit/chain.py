"""Who changed what: append-only and hash-chained, one chain an organisation, so that tampering shows.

`hash` of an entry is the sha256 of its canonical JSON (keys sorted, no spaces, UTF-8) without `hash` itself; the hash
of the entry before it is part of that. The head of each chain lies in a row of its own: it makes appends take turns,
and shows that a tail is missing. Whoever can rewrite the whole database can rewrite both: a head that was noted
outside of it earlier shows that too (`check_audit`).
"""

import getpass
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight_serving.store.tables import audit, audit_heads

START = "0" * 64  # what the first entry names as the one before it
_PAGE = 1000


@dataclass(frozen=True)
class AuditEntry:
    """`seq` counts from 1 within the organisation. `old`, `new`: plain JSON data, None where there is none."""

    organisation_id: str
    seq: int
    at: datetime
    who: str
    what: str
    subject: str
    old: Any
    new: Any
    previous: str
    hash: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.astimezone(UTC).isoformat(timespec="microseconds")}

    def expected_hash(self) -> str:
        content = self.to_json()
        del content["hash"]
        return hashlib.sha256(_canonical(content).encode()).hexdigest()


@dataclass(frozen=True)
class Head:
    organisation_id: str
    seq: int
    hash: str


def record(
    connection: Connection,
    organisation: str,
    who: str,
    what: str,
    subject: str,
    old: Any = None,
    new: Any = None,
    at: datetime | None = None,
) -> AuditEntry:
    """Append an entry in the caller's transaction: the change and its record are stored together or not at all.

    `what`: noun.verb, say `recipe.saved`. `subject`: what was changed, say `recipe/bracket`. `old` and `new` must be
    JSON data without secrets. Appends to one chain take turns until the transaction ends (PostgreSQL: a row lock).
    """
    begin = "INSERT INTO audit_heads (organisation_id, seq, hash) VALUES (:organisation, 0, :start)"
    connection.execute(sa.text(f"{begin} ON CONFLICT DO NOTHING"), {"organisation": organisation, "start": START})
    mine = audit_heads.c.organisation_id == organisation
    head = connection.execute(sa.select(audit_heads).where(mine).with_for_update()).one()
    entry = AuditEntry(
        organisation, head.seq + 1, at or datetime.now(UTC), who, what, subject, _plain(old), _plain(new), head.hash
    )
    sealed = entry.expected_hash()
    values = asdict(entry) | {"old": _text(entry.old), "new": _text(entry.new), "hash": sealed}
    connection.execute(audit.insert(), values)
    connection.execute(audit_heads.update().where(mine), {"seq": entry.seq, "hash": sealed})
    return AuditEntry(**asdict(entry) | {"hash": sealed})


def entries(connection: Connection, organisation: str | None = None) -> Iterator[AuditEntry]:
    """Oldest first within each organisation, read in pages so that a year of them fits into memory."""
    last = ("", 0)
    while True:
        query = sa.select(audit).where(sa.tuple_(audit.c.organisation_id, audit.c.seq) > sa.tuple_(*last))
        if organisation is not None:
            query = query.where(audit.c.organisation_id == organisation)
        rows = connection.execute(query.order_by(audit.c.organisation_id, audit.c.seq).limit(_PAGE)).mappings().all()
        for row in rows:
            yield _entry(row)
        if len(rows) < _PAGE:
            return
        last = rows[-1]["organisation_id"], rows[-1]["seq"]


def heads(connection: Connection) -> list[Head]:
    return [Head(*row) for row in connection.execute(sa.select(audit_heads).order_by(audit_heads.c.organisation_id))]


def operator() -> str:
    """Who types a command, for `who`."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "cli"


def named(operator: str) -> str:
    """The person in what `operator` gives, empty where it names none."""
    return operator if operator.partition(":")[2] else ""


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(**dict(row) | {"old": _value(row["old"]), "new": _value(row["new"])})


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """As it will read back: tuples are lists, enumerations are text."""
    return None if value is None else json.loads(_canonical(value))


def _text(value: Any) -> str | None:
    return None if value is None else _canonical(value)


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
