"""Parts that must stay: held by somebody, for a reason, until somebody releases them."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store import audit
from trialsight_serving.store.tables import parts


def set_hold(connection: Connection, organisation: str, part_id: str, reason: str | None, who: str) -> bool:
    """None releases it. False where there is no such part."""
    mine = (parts.c.organisation_id == organisation) & (parts.c.id == part_id)
    found = connection.execute(sa.select(parts.c.hold).where(mine).with_for_update()).first()
    if found is None:
        return False
    if found.hold != reason:
        connection.execute(parts.update().where(mine), {"hold": reason})
        what = "part.released" if reason is None else "part.held"
        audit.record(connection, organisation, who, what, f"part/{part_id}", {"hold": found.hold}, {"hold": reason})
    return True
