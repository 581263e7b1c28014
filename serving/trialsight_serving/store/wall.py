"""What a line wall shows of each line: its newest parts, and how many of which verdict this shift brought."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.parts import VERDICTS, PartFilter, PartRecord, list_parts
from trialsight_serving.store.tables import parts


@dataclass(frozen=True)
class LineNow:
    """`recent`: newest first. `counts`: parts by verdict, whose newest frame came since the shift began."""

    line: str
    recent: tuple[PartRecord, ...]
    counts: dict[str, int]


def lines_now(
    connection: Connection, organisation: str, lines: Sequence[str], since: datetime, recent: int
) -> list[LineNow]:
    counted: dict[str, dict[str, int]] = {line: dict.fromkeys(VERDICTS, 0) for line in lines}
    query = (
        sa.select(parts.c.line, parts.c.verdict, sa.func.count())
        .where(parts.c.organisation_id == organisation, parts.c.last_at >= since)
        .group_by(parts.c.line, parts.c.verdict)
    )
    for line, verdict, count in connection.execute(query):
        if line in counted:
            counted[line][verdict] = count
    return [
        LineNow(line, tuple(list_parts(connection, organisation, PartFilter(line=line), None, recent)), counted[line])
        for line in lines
    ]
