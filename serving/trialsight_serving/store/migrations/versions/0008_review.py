"""Review: what the queue filters by, decisions that are sent twice and stored once, masks, defect classes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_INDEXES = {
    "ix_parts_review": ["review", "verdict"],
    "ix_parts_trial": ["trial"],
    "ix_parts_variant": ["variant"],
    "ix_parts_class": ["defect_class"],
    "ix_parts_score": ["score"],
    "ix_parts_time": ["last_at"],
}


def upgrade() -> None:
    op.add_column("parts", sa.Column("variant", sa.String(length=200), server_default="", nullable=False))
    op.add_column("parts", sa.Column("review", sa.String(length=16), server_default="unreviewed", nullable=False))
    op.add_column("parts", sa.Column("defect_class", sa.String(length=64), nullable=True))
    op.execute(
        "UPDATE parts SET variant = COALESCE((SELECT variant FROM frames WHERE frames.id = parts.last_frame_id), ''),"
        " review = CASE WHEN decision IS NULL THEN 'unreviewed' WHEN decision = 'unsure' THEN 'unsure'"
        " ELSE 'decided' END"
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "parts", ["organisation_id", *columns, "last_seq"])
    op.add_column("decisions", sa.Column("key", sa.String(length=100), server_default="", nullable=False))
    op.add_column("decisions", sa.Column("defect_class", sa.String(length=64), nullable=True))
    op.add_column("decisions", sa.Column("bulk", sa.String(length=64), nullable=True))
    op.add_column("decisions", sa.Column("undoes", sa.String(length=100), nullable=True))
    op.execute("UPDATE decisions SET key = 'decision-' || id")
    op.create_index("ix_decisions_key", "decisions", ["organisation_id", "key"], unique=True)
    op.create_index("ix_decisions_who", "decisions", ["organisation_id", "decided_by", "part_id"])
    op.create_table(
        "masks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("part_id", sa.String(length=32), nullable=False),
        sa.Column("frame_id", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("area_px", sa.BigInteger(), nullable=False),
        sa.Column("drawn_by", sa.String(length=200), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_masks_organisation_id"),
        sa.ForeignKeyConstraint(["part_id"], ["parts.id"], name="fk_masks_part_id"),
        sa.PrimaryKeyConstraint("id", name="pk_masks"),
    )
    op.create_index("ix_masks_part", "masks", ["part_id", "id"])
    op.create_index("ix_masks_file", "masks", ["sha256"])
    op.create_table(
        "defect_classes",
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_en", sa.String(length=100), nullable=False),
        sa.Column("name_zh", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_defect_classes_organisation_id"),
        sa.PrimaryKeyConstraint("organisation_id", "name", name="pk_defect_classes"),
    )
