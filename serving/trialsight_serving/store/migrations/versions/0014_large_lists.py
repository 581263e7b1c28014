"""Lists of a large store: a serial number over all trials has an index, and the verdict is told from the others."""

from alembic import op

revision = "0014"
down_revision = "0013"

_WITH_VERDICT = {
    "ix_parts_line": "line",
    "ix_parts_trial": "trial",
    "ix_parts_variant": "variant",
    "ix_parts_class": "defect_class",
}


def upgrade() -> None:
    op.create_index("ix_parts_serial", "parts", ["organisation_id", "serial", "last_seq"])
    for name, column in _WITH_VERDICT.items():
        op.drop_index(name, "parts")
        op.create_index(name, "parts", ["organisation_id", column, "last_seq", "verdict"])
