"""Who changed what, what went live and why, what is being done, and what cameras say of themselves."""

import sqlalchemy as sa

from trialsight_serving.store.tables.schema import SEQUENCE, UtcTime, metadata, organisation_id

# Append-only by triggers; `old` and `new` are canonical JSON as text, so that what is hashed is what is stored.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("organisation_id", sa.String(32), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("what", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("old", sa.Text),
    sa.Column("new", sa.Text),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("organisation_id", sa.String(32), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# Append-only: which version went live, through which gate, and who answered for it.
promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("previous", sa.String(32)),
    sa.Column("approver", sa.String(200), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("promoted_at", UtcTime, nullable=False),
    sa.Column("gate", sa.JSON, nullable=False),
    sa.Index("ix_promotions_version", "organisation_id", "recipe", "version", "id"),
)

# What takes minutes; `results` holds what each finished step gave.
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    organisation_id(),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("asked_by", sa.String(200), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("ended_at", UtcTime),
    sa.Column("step", sa.String(64)),
    sa.Column("progress", sa.Float),
    sa.Column("cancel_asked", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("results", sa.JSON, nullable=False),
    sa.Column("problem", sa.Text),
    sa.Index("ix_jobs_recipe", "organisation_id", "recipe", "created_at"),
    sa.Index("ix_jobs_state", "state", "created_at"),
)

# What each camera agent said last of its clock, its buffer and its frames.
cameras = sa.Table(
    "cameras",
    metadata,
    sa.Column("organisation_id", sa.String(32), sa.ForeignKey("organisations.id"), primary_key=True),
    sa.Column("line", sa.String(64), primary_key=True),
    sa.Column("view", sa.String(64), primary_key=True),
    sa.Column("reported_at", UtcTime, nullable=False),
    sa.Column("offset_ms", sa.Float),
    sa.Column("round_trip_ms", sa.Float),
    sa.Column("waiting_frames", sa.BigInteger, nullable=False),
    sa.Column("waiting_bytes", sa.BigInteger, nullable=False),
    sa.Column("lost", sa.BigInteger, nullable=False),
    sa.Column("lost_before", sa.BigInteger, nullable=False),
    sa.Column("last_frame_at", UtcTime),
    sa.Column("source", sa.String(200), nullable=False),
)
