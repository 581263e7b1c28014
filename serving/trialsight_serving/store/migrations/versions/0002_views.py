"""Several views of one part: which recipe sees which view of a line, and why a part has its verdict."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "line_views",
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("view", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_line_views_organisation_id"),
        sa.PrimaryKeyConstraint("organisation_id", "line", "view", name="pk_line_views"),
    )
    op.add_column("parts", sa.Column("reason", sa.Text(), nullable=True))
