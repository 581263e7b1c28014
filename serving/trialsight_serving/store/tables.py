"""The tables. Every row belongs to an organisation; times are UTC; JSON columns hold plain data."""

import sqlalchemy as sa

from trialsight.home import ORGANISATION as ORGANISATION
from trialsight_serving.store.access_tables import api_keys as api_keys
from trialsight_serving.store.access_tables import login_failures as login_failures
from trialsight_serving.store.access_tables import organisations as organisations
from trialsight_serving.store.access_tables import sessions as sessions
from trialsight_serving.store.access_tables import usage as usage
from trialsight_serving.store.access_tables import users as users
from trialsight_serving.store.schema import SEQUENCE, UtcTime, organisation_id
from trialsight_serving.store.schema import metadata as metadata

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
# hold: why it must not be deleted. The verdict ends an index where it is asked for beside its first column: what does
# not fit is passed over within the index.
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
    sa.Index("ix_class_images_class", "organisation_id", "defect_class", "added_at"),
    sa.Index("ix_class_images_file", "sha256"),
)

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
