"""Drift: what each frame tells of its camera, what it is compared with, what was found, and alarms."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("frames", sa.Column("signals", sa.JSON(), nullable=True))
    op.add_column("frames", sa.Column("embedding", sa.LargeBinary(), nullable=True))
    op.add_column("outbox", sa.Column("kind", sa.String(length=16), nullable=False, server_default="result"))
    op.create_table(
        "drift_references",
        sa.Column("id", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("view", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=True),
        sa.Column("sample", sa.LargeBinary(), nullable=True),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_drift_references_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_drift_references"),
    )
    op.create_index("ix_drift_references_line", "drift_references", ["organisation_id", "line", "view", "id"])
    op.create_table(
        "drift_looks",
        sa.Column("id", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("reference_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_drift_looks_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_drift_looks"),
    )
    op.create_index("ix_drift_looks_reference", "drift_looks", ["reference_id", "id"])
    op.create_index("ix_drift_looks_age", "drift_looks", ["at"])
    op.create_table(
        "drift_alarms",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation_id", sa.String(length=32), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("view", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("reference_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("opened_seq", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("clear_looks", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=200), nullable=True),
        sa.Column("acknowledged_at", _TIME, nullable=True),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_drift_alarms_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_drift_alarms"),
    )
    op.create_index("ix_drift_alarms_line", "drift_alarms", ["organisation_id", "line", "opened_at"])
    op.create_index("ix_drift_alarms_open", "drift_alarms", ["organisation_id", "ended_at"])
