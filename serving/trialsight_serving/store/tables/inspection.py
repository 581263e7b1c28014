"""Lines, what they run, and what came of each frame."""

import sqlalchemy as sa

from trialsight_serving.store.tables.schema import SEQUENCE, UtcTime, metadata, organisation_id

lines = sa.Table(
    "lines",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("recipe", sa.String(64)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("organisation_id", "name"),
)

# A line on which several cameras see one part: each view has a recipe, and a part is judged once all have been seen.
line_views = sa.Table(
    "line_views",
    metadata,
    sa.Column("organisation_id", sa.String(32), sa.ForeignKey("organisations.id"), primary_key=True),
    sa.Column("line", sa.String(64), primary_key=True),
    sa.Column("view", sa.String(64), primary_key=True),
    sa.Column("recipe", sa.String(64), nullable=False),
)

# `reason`: English; `why`: its code and values, for other languages (`trialsight.reason`).
# verdict and score are the worst over the newest frame of each view; last_seq orders the list, newest first.
# decision, review and defect_class sum up what people decided (`store.standing`); the queue filters by them.
# has_decisions: 1 from the first decision on, whatever became of it. hold: why it must not be deleted. The verdict
# ends an index where it is asked for beside its first column: what does not fit is passed over within the index.
parts = sa.Table(
    "parts",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    organisation_id(),
    sa.Column("serial", sa.String(128), nullable=False),
    sa.Column("trial", sa.String(64), nullable=False, server_default=""),
    sa.Column("line", sa.String(64), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("why", sa.JSON(none_as_null=True)),
    sa.Column("score", sa.Float),
    sa.Column("variant", sa.String(200), nullable=False, server_default=""),
    sa.Column("decision", sa.String(32)),
    sa.Column("review", sa.String(16), nullable=False, server_default="unreviewed"),
    sa.Column("defect_class", sa.String(64)),
    sa.Column("has_decisions", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("hold", sa.Text),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_frame_id", sa.String(32), nullable=False),
    sa.Column("last_at", UtcTime, nullable=False),
    sa.UniqueConstraint("organisation_id", "trial", "serial"),
    sa.Index("ix_parts_newest", "organisation_id", "last_seq"),
    sa.Index("ix_parts_line", "organisation_id", "line", "last_seq", "verdict"),
    sa.Index("ix_parts_verdict", "organisation_id", "verdict", "last_seq"),
    sa.Index("ix_parts_review", "organisation_id", "review", "verdict", "last_seq"),
    sa.Index("ix_parts_serial", "organisation_id", "serial", "last_seq"),
    sa.Index("ix_parts_trial", "organisation_id", "trial", "last_seq", "verdict"),
    sa.Index("ix_parts_variant", "organisation_id", "variant", "last_seq", "verdict"),
    sa.Index("ix_parts_class", "organisation_id", "defect_class", "last_seq", "verdict"),
    sa.Index("ix_parts_score", "organisation_id", "score", "last_seq"),
    sa.Index("ix_parts_time", "organisation_id", "last_at", "last_seq"),
    sa.Index(
        "ix_parts_decided",
        "organisation_id",
        "last_seq",
        sqlite_where=sa.text("has_decisions = 1"),
        postgresql_where=sa.text("has_decisions = 1"),
    ),
)

# signals, embedding (float16): what drift is told by; null where the frame was not looked at.
frames = sa.Table(
    "frames",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    organisation_id(),
    sa.Column("part_id", sa.String(32), sa.ForeignKey("parts.id"), nullable=False),
    sa.Column("part", sa.String(128), nullable=False),
    sa.Column("line", sa.String(64), nullable=False),
    sa.Column("view", sa.String(64), nullable=False),
    sa.Column("trial", sa.String(64), nullable=False, server_default=""),
    sa.Column("captured_at", UtcTime),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("why", sa.JSON(none_as_null=True)),
    sa.Column("rule", sa.String(64)),
    sa.Column("score", sa.Float),
    sa.Column("thresholds", sa.JSON, nullable=False),
    sa.Column("regions", sa.JSON, nullable=False),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("product", sa.String(200), nullable=False, server_default=""),
    sa.Column("variant", sa.String(200), nullable=False, server_default=""),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("graph_sha256", sa.String(64), nullable=False),
    sa.Column("image_sha256", sa.String(64), nullable=False),
    sa.Column("image_type", sa.String(32), nullable=False),
    sa.Column("width_px", sa.Integer, nullable=False),
    sa.Column("height_px", sa.Integer, nullable=False),
    sa.Column("map_sha256", sa.String(64)),
    sa.Column("map_scale", sa.Float),
    sa.Column("timings_ms", sa.JSON, nullable=False),
    sa.Column("process", sa.JSON, nullable=False),
    sa.Column("is_partial", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("signals", sa.JSON(none_as_null=True)),
    sa.Column("embedding", sa.LargeBinary),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("ix_frames_part", "part_id", "seq"),
    sa.Index("ix_frames_line", "organisation_id", "line", "seq"),
    sa.Index("ix_frames_image", "image_sha256"),
    sa.Index("ix_frames_map", "map_sha256"),
)

# What waits to be handed on: a row for each message and target, gone once it is delivered.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("line", sa.String(64), nullable=False),
    sa.Column("result_id", sa.String(32), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, server_default="result"),
    sa.Column("traceparent", sa.String(64)),
    sa.Index("ix_outbox_target", "target", "line", "id"),
)

# Files whose row was taken away; `purge` deletes those that no other row needs.
unneeded_files = sa.Table("unneeded_files", metadata, sa.Column("sha256", sa.String(64), primary_key=True))

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("organisation_id", sa.String(32), sa.ForeignKey("organisations.id"), primary_key=True),
    sa.Column("line", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("frame_id", sa.String(32), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_idempotency_keys_frame", "frame_id"),
    sa.Index("ix_idempotency_keys_age", "created_at"),
)

# Append-only: what a recipe said, by whom and when; the newest row of a name is the recipe.
recipes = sa.Table(
    "recipes",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("saved_by", sa.String(200), nullable=False),
    sa.Column("saved_at", UtcTime, nullable=False),
    sa.Index("ix_recipes_name", "organisation_id", "name", "id"),
)

# Which version gives verdicts: what the service starts with when MLflow is away.
active_models = sa.Table(
    "active_models",
    metadata,
    sa.Column("organisation_id", sa.String(32), sa.ForeignKey("organisations.id"), primary_key=True),
    sa.Column("recipe", sa.String(64), primary_key=True),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("graph_sha256", sa.String(64), nullable=False),
    sa.Column("activated_at", UtcTime, nullable=False),
    sa.Column("behind", sa.String(32)),
)

# What a challenger said of a frame that the champion had judged: evidence, never a verdict.
shadow_results = sa.Table(
    "shadow_results",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    organisation_id(),
    sa.Column("frame_id", sa.String(32), nullable=False),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("champion", sa.String(32), nullable=False),
    sa.Column("challenger", sa.String(32), nullable=False),
    sa.Column("champion_verdict", sa.String(16), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("champion_score", sa.Float),
    sa.Column("score", sa.Float),
    sa.Column("agrees", sa.Boolean, nullable=False),
    sa.Column("inspect_ms", sa.Float, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_shadow_results_pair", "organisation_id", "recipe", "challenger", "champion", "agrees", "id"),
    sa.Index("ix_shadow_results_frame", "frame_id"),
)
