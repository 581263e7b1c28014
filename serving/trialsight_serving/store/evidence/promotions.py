"""What went live, through which gate, and who answered for it: append-only."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.tables import promotions


@dataclass(frozen=True)
class PromotionRecord:
    """`gate`: each condition with what was found and its figures."""

    organisation_id: str
    recipe: str
    version: str
    previous: str | None
    approver: str
    reason: str
    promoted_at: datetime
    gate: list[dict[str, Any]]


def insert_promotion(connection: Connection, record: PromotionRecord) -> None:
    connection.execute(promotions.insert(), asdict(record))


def last_promotion(connection: Connection, organisation: str, recipe: str, version: str) -> PromotionRecord | None:
    """How this version last became champion; None where it did so before there were records."""
    mine = sa.and_(
        promotions.c.organisation_id == organisation, promotions.c.recipe == recipe, promotions.c.version == version
    )
    query = sa.select(promotions).where(mine).order_by(promotions.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else PromotionRecord(**{name: value for name, value in row.items() if name != "id"})
