"""Whether an audit chain is as it was written: nothing changed, taken out, put elsewhere or cut off."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from trialsight_serving.store.audit import START, AuditEntry, Head, entries, heads


@dataclass(frozen=True)
class AuditReport:
    """`heads`: where each chain ends; keep one outside (`--expect`) to notice later that history was rewritten."""

    checked: int
    heads: tuple[Head, ...]
    problems: tuple[str, ...]


def check_audit(connection: Connection, anchors: Iterable[Head] = (), expect: str | None = None) -> AuditReport:
    """Read every chain against its hashes, its head and `anchors`, which were noted outside of the database earlier.

    `expect`: the hash of an entry that must still be there.
    """
    problems: list[str] = []
    wanted = {(anchor.organisation_id, anchor.seq): anchor.hash for anchor in anchors}
    checked, found = 0, False
    ends: dict[str, AuditEntry] = {}
    for entry in entries(connection):
        checked += 1
        before = ends.get(entry.organisation_id)
        problems += _faults(entry, before)
        anchored = wanted.pop((entry.organisation_id, entry.seq), None)
        if anchored not in (None, entry.hash):
            problems.append(f"{_name(entry)} is not what was anchored outside of the database: history was rewritten")
        found = found or entry.hash == expect
        ends[entry.organisation_id] = entry
    known = heads(connection)
    problems += [problem for head in known if (problem := _cut_off(head, ends.get(head.organisation_id))) is not None]
    headless = sorted(set(ends) - {head.organisation_id for head in known})
    problems += [f"the chain of organisation {name} has lost its head row" for name in headless]
    problems += [
        f"organisation {organisation}: entry {seq} was anchored outside of the database and is gone"
        for organisation, seq in sorted(wanted)
    ]
    if expect is not None and not found:
        problems.append(f"no entry has the expected hash {expect}: history was rewritten or cut off")
    return AuditReport(checked, tuple(known), tuple(problems))


def _faults(entry: AuditEntry, before: AuditEntry | None) -> list[str]:
    faults = []
    if entry.hash != entry.expected_hash():
        faults.append(f"{_name(entry)} was changed: its content does not give its hash")
    follows = 1 if before is None else before.seq + 1
    if entry.seq != follows:
        faults.append(f"organisation {entry.organisation_id}: entries {follows} to {entry.seq - 1} are gone")
    elif entry.previous != (START if before is None else before.hash):
        faults.append(f"{_name(entry)} does not follow the entry before it: one of them was changed or moved")
    return faults


def _cut_off(head: Head, end: AuditEntry | None) -> str | None:
    seq, sealed = (0, START) if end is None else (end.seq, end.hash)
    if head.seq > seq:
        return f"organisation {head.organisation_id}: entries {seq + 1} to {head.seq} are cut off at the end"
    if (head.seq, head.hash) != (seq, sealed):
        return f"organisation {head.organisation_id}: the chain ends at entry {seq}, its head says {head.seq}"
    return None


def _name(entry: AuditEntry) -> str:
    return f"organisation {entry.organisation_id}: entry {entry.seq} ({entry.what} of {entry.subject})"
