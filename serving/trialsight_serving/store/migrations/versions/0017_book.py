"""The defect book: what a class means in words, and its examples, counter-examples and borderline cases."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    for name in ("description_en", "description_zh"):
        op.add_column("defect_classes", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.create_table(
        "class_images",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("defect_class", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("outlines", sa.JSON(), nullable=False),
        sa.Column("frame_id", sa.String(length=32), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("added_by", sa.String(length=200), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_class_images_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_class_images"),
    )
    op.create_index("ix_class_images_class", "class_images", ["organisation_id", "defect_class", "added_at"])
    op.create_index("ix_class_images_file", "class_images", ["sha256"])
