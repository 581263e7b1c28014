"""Why a verdict is not `pass`, as a code with its values, so that it can be said in any language."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    for table in ("frames", "parts"):
        op.add_column(table, sa.Column("why", sa.JSON(), nullable=True))
