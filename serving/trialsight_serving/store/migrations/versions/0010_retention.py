"""Parts that are held, and the way from a frame to what goes with it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("parts", sa.Column("hold", sa.Text(), nullable=True))
    op.create_index("ix_idempotency_keys_frame", "idempotency_keys", ["frame_id"])
    op.create_index("ix_idempotency_keys_age", "idempotency_keys", ["created_at"])
    op.create_index("ix_shadow_results_frame", "shadow_results", ["frame_id"])
