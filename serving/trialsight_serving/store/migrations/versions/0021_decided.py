"""Which parts anybody decided about, so that a person's own are found without asking after each part."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("parts", sa.Column("has_decisions", sa.SmallInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE parts SET has_decisions = 1 WHERE id IN (SELECT part_id FROM decisions)")
    only = sa.text("has_decisions = 1")
    op.create_index(
        "ix_parts_decided", "parts", ["organisation_id", "last_seq"], sqlite_where=only, postgresql_where=only
    )
