"""Usage by organisation and day, quotas, and how many bytes a frame's files have."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    for name in ("frames_per_day", "frames_per_month", "stored_bytes"):
        op.add_column("organisations", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("frames", sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "usage_by_day",
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("counted_by", sa.String(length=32), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("removed_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_usage_by_day_organisation_id"),
        sa.PrimaryKeyConstraint("organisation_id", "day", "counted_by", name="pk_usage_by_day"),
    )
