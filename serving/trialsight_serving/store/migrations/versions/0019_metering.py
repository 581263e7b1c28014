"""Bytes of masks and of the defect book's images; and what was stored before it was counted, to be counted once."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    for table in ("masks", "class_images"):
        op.add_column(table, sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "uncounted",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("row_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("kind", "row_id", name="pk_uncounted"),
    )
    uncounted = sa.table("uncounted", sa.column("kind"), sa.column("row_id"))
    for name in ("frames", "masks", "class_images"):
        rows = sa.table(name, sa.column("id"), sa.column("stored_bytes"))
        found = sa.select(sa.literal(name), sa.cast(rows.c.id, sa.String(32))).where(rows.c.stored_bytes == 0)
        op.execute(sa.insert(uncounted).from_select(["kind", "row_id"], found))
