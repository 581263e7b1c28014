"""What people said and drew, and what they call it."""

import sqlalchemy as sa

from trialsight_serving.store.tables.schema import SEQUENCE, UtcTime, metadata, organisation_id

# Append-only: a changed mind is a new row, and so is an undo, whose `undoes` is the `key` of what it takes back.
# `key` is made by whoever decides, so that sending it twice stores it once; `bulk` is shared by one triage's rows.
decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("part_id", sa.String(32), sa.ForeignKey("parts.id"), nullable=False),
    sa.Column("frame_id", sa.String(32), nullable=False),
    sa.Column("decision", sa.String(32), nullable=False),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("decided_by", sa.String(200), nullable=False),
    sa.Column("decided_at", UtcTime, nullable=False),
    sa.Column("key", sa.String(100), nullable=False, server_default=""),
    sa.Column("defect_class", sa.String(64)),
    sa.Column("bulk", sa.String(64)),
    sa.Column("undoes", sa.String(100)),
    sa.Index("ix_decisions_part", "part_id", "id"),
    sa.Index("ix_decisions_key", "organisation_id", "key", unique=True),
    sa.Index("ix_decisions_who", "organisation_id", "decided_by", "part_id"),
    sa.Index("ix_decisions_kind", "organisation_id", "decision", "id"),
)

# Append-only: a person's mask of a frame's defects, a 1-bit PNG in the image store; the newest is the label.
masks = sa.Table(
    "masks",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("part_id", sa.String(32), sa.ForeignKey("parts.id"), nullable=False),
    sa.Column("frame_id", sa.String(32), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("area_px", sa.BigInteger, nullable=False),
    sa.Column("drawn_by", sa.String(200), nullable=False),
    sa.Column("drawn_at", UtcTime, nullable=False),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("ix_masks_part", "part_id", "id"),
    sa.Index("ix_masks_file", "sha256"),
)

# What an organisation calls its defects. `number`: the key 1-9 that gives the class, if any.
defect_classes = sa.Table(
    "defect_classes",
    metadata,
    sa.Column("organisation_id", sa.String(32), sa.ForeignKey("organisations.id"), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("name_en", sa.String(100), nullable=False),
    sa.Column("name_zh", sa.String(100), nullable=False),
    sa.Column("number", sa.Integer),
    sa.Column("description_en", sa.Text, nullable=False, server_default=""),
    sa.Column("description_zh", sa.Text, nullable=False, server_default=""),
)

# How a class looks, and how it doesn't. The file is in the image store, and stays when the frame it came from goes.
# `outlines`: SVG path data in thousandths of the longer side.
class_images = sa.Table(
    "class_images",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    organisation_id(),
    sa.Column("defect_class", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("width_px", sa.Integer, nullable=False),
    sa.Column("height_px", sa.Integer, nullable=False),
    sa.Column("outlines", sa.JSON, nullable=False),
    sa.Column("frame_id", sa.String(32)),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("added_by", sa.String(200), nullable=False),
    sa.Column("added_at", UtcTime, nullable=False),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("ix_class_images_class", "organisation_id", "defect_class", "added_at"),
    sa.Index("ix_class_images_file", "sha256"),
)
