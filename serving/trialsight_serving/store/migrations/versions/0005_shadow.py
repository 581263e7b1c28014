"""What challengers said, and rollbacks that the registry has not heard of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("active_models", sa.Column("behind", sa.String(length=32)))
    op.create_table(
        "shadow_results",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("frame_id", sa.String(length=32), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("champion", sa.String(length=32), nullable=False),
        sa.Column("challenger", sa.String(length=32), nullable=False),
        sa.Column("champion_verdict", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("champion_score", sa.Float()),
        sa.Column("score", sa.Float()),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("inspect_ms", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_shadow_results_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_results"),
    )
    op.create_index(
        "ix_shadow_results_pair",
        "shadow_results",
        ["organisation_id", "recipe", "challenger", "champion", "agrees", "id"],
    )
