"""Where the audit chains ended, noted outside of the database: whoever rewrites history there is found out."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from trialsight.errors import TrialsightError
from trialsight_serving.store.audit import Head


def read_anchors(file: Path) -> list[Head]:
    """Raises TrialsightError for a line that is none; the last may be cut short by a power cut."""
    if not file.exists():
        return []
    lines = file.read_text().split("\n")
    anchors = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            anchors.append(Head(**json.loads(line)))
        except (ValueError, TypeError):
            raise TrialsightError(f"{file}, line {number}, is no anchor", "bring the file back from a backup") from None
    return anchors


def add_anchors(file: Path, heads: Sequence[Head]) -> list[Head]:
    """Append those that have moved since, durably; which ones."""
    known = {anchor.organisation_id: anchor for anchor in read_anchors(file)}
    moved = [head for head in heads if head.seq > 0 and known.get(head.organisation_id) != head]
    if moved:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as stream:
            stream.write("".join(f"{json.dumps(vars(head))}\n" for head in moved).encode())
            stream.flush()
            os.fsync(stream.fileno())
    return moved
