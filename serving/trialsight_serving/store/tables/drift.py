"""Drift's tables: what lines are held against, what was found, and alarms."""

import sqlalchemy as sa

from trialsight_serving.store.tables.schema import SEQUENCE, UtcTime, metadata, organisation_id

# What a line's frames looked like when a model version began to judge them; `sample` (.npz) is null until there are
# enough. The newest of a line, view, recipe and version counts.
drift_references = sa.Table(
    "drift_references",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("line", sa.String(64), nullable=False),
    sa.Column("view", sa.String(64), nullable=False),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger),
    sa.Column("sample", sa.LargeBinary),
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("made_at", UtcTime, nullable=False),
    sa.Index("ix_drift_references_line", "organisation_id", "line", "view", "id"),
)

# What a look at the newest frames found, for the trends; `findings` as JSON.
drift_looks = sa.Table(
    "drift_looks",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("reference_id", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("findings", sa.JSON, nullable=False),
    sa.Index("ix_drift_looks_reference", "reference_id", "id"),
    sa.Index("ix_drift_looks_age", "at"),
)

# One alarm from its first look to its end; at most one open per line and view.
drift_alarms = sa.Table(
    "drift_alarms",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    organisation_id(),
    sa.Column("line", sa.String(64), nullable=False),
    sa.Column("view", sa.String(64), nullable=False),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("reference_id", sa.BigInteger, nullable=False),
    sa.Column("cause", sa.String(16), nullable=False),
    sa.Column("findings", sa.JSON, nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("opened_seq", sa.BigInteger, nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("clear_looks", sa.Integer, nullable=False, server_default="0"),
    sa.Column("ended_at", UtcTime),
    sa.Column("ended_by", sa.String(200)),
    sa.Column("acknowledged_by", sa.String(200)),
    sa.Column("acknowledged_at", UtcTime),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_drift_alarms_line", "organisation_id", "line", "opened_at"),
    sa.Index("ix_drift_alarms_open", "organisation_id", "ended_at"),
)
