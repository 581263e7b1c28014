"""Who may come in, and what they may use."""

import sqlalchemy as sa

from trialsight_serving.store.tables.schema import SEQUENCE, UtcTime, metadata, organisation_id

# frames_per_day, frames_per_month, stored_bytes: its quota; null for no limit.
organisations = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("frames_per_day", sa.BigInteger),
    sa.Column("frames_per_month", sa.BigInteger),
    sa.Column("stored_bytes", sa.BigInteger),
)

# What an organisation had inspected and stored on a day (UTC's), as each process counted it, and what was taken away.
usage = sa.Table(
    "usage_by_day",
    metadata,
    sa.Column("organisation_id", sa.String(32), sa.ForeignKey("organisations.id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("counted_by", sa.String(32), primary_key=True),
    sa.Column("frames", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("removed_bytes", sa.BigInteger, nullable=False),
)

# Rows of tables (`kind`) that were stored before they were counted; empty once `recount` has been through.
uncounted = sa.Table(
    "uncounted",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("row_id", sa.String(32), primary_key=True),
)

# `lines`: the only ones that the key may use, null for all. A revoked key stays, so that the audit can name it.
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    organisation_id(),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("lines", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
)

# `password`: an argon2id hash, null where an identity provider lets them in; `subject`: its name for them.
users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    organisation_id(),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("password", sa.String(200)),
    sa.Column("subject", sa.String(400), unique=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("last_login_at", UtcTime),
    sa.Column("disabled_at", UtcTime),
    sa.UniqueConstraint("organisation_id", "name"),
)

# A browser that is logged in, by a key or as a user; to take the row away logs it out.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("key_id", sa.String(32), sa.ForeignKey("api_keys.id"), index=True),
    sa.Column("user_id", sa.String(32), sa.ForeignKey("users.id"), index=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)

# Logins that failed: who was tried (an account, an address), and when.
login_failures = sa.Table(
    "login_failures",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("ix_login_failures_subject", "subject", "at"),
)
