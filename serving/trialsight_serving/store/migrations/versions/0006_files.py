"""Which rows need a file, and which files wait to be deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_frames_image", "frames", ["image_sha256"])
    op.create_index("ix_frames_map", "frames", ["map_sha256"])
    op.create_table(
        "unneeded_files",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_unneeded_files"),
    )
