"""Every knob of the service: defaults here, then configs/service/default.yaml, then TRIALSIGHT_* in the environment."""

import os
from datetime import time
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.image import Limits
from trialsight_serving.access.oidc_settings import Oidc
from trialsight_serving.outbox.targets import Target

_MONTH_S = 30 * 24 * 3600


class DriftSettings(BaseModel):
    """How a line's drift is told. The reference is the first frames that a model version judged on a line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_s: float = Field(default=60.0, gt=0, description="A line is looked at no more often than that")
    reference: int = Field(default=200, ge=40, le=5000, description="Frames that say what is usual")
    window: int = Field(default=100, ge=40, le=5000, description="Newest frames that are held against them")
    false_alarms_a_month: float = Field(
        default=0.05, gt=0, le=1, description="Chance that a month without drift has an alarm, of one camera"
    )

    @property
    def step(self) -> int:
        """So many new frames make another look worth it."""
        return self.window // 4

    @property
    def alpha(self) -> float:
        """Chance of an alarm that one look may have, so that all that a month can hold stay within it (Bonferroni)."""
        return self.false_alarms_a_month * min(1.0, self.every_s / _MONTH_S)


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseSettings):
    """Names the environment as TRIALSIGHT_<FIELD>, TRIALSIGHT_<FIELD>__<PART> where a field has parts."""

    # Errors don't repeat what was given: it may hold a secret.
    model_config = SettingsConfigDict(
        env_prefix="TRIALSIGHT_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    home: Path | None = Field(default=None, description="The folder that holds everything; else ./trialsight-home")
    host: str = "127.0.0.1"
    open: bool = Field(default=False, description="Ask nobody for a key; on loopback alone")
    port: int = Field(default=8000, ge=0, le=65535)
    database_url: str | None = Field(default=None, description="SQLAlchemy URL; else SQLite in the home")
    images_url: str | None = Field(default=None, description="s3://BUCKET/PREFIX; else files in the home")
    keep_days: dict[Literal["pass", "review", "reject", "no_verdict"], PositiveFloat] = Field(
        default={}, description="How long parts are kept by verdict; for ever where it names none"
    )
    disk_min_free_mb: int = Field(default=256, ge=0, description="With less room no frame is taken (507)")
    disk_keep_free_mb: int = Field(
        default=0, ge=0, description="With less room the oldest parts are deleted; 0: never. Keep it above the other"
    )
    idempotency_days: float = Field(default=7.0, gt=0, description="How long a frame sent again gets its first answer")
    housekeeping_s: float = Field(default=60.0, gt=0, description="How often the service makes room")
    outbox: tuple[Target, ...] = Field(default=(), description="Where results are handed on to; see docs/operation.md")
    outbox_keep_days: float = Field(default=30.0, gt=0, description="A message that nobody takes is given up after it")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256, description="Inspection threads")
    queue_limit: int = Field(default=32, ge=1, description="Frames of one line that may wait or run at once")
    max_body_bytes: int = Field(default=32 * 2**20, ge=1)
    max_pixels: int = Field(default=32_000_000, ge=1)
    body_timeout_s: float = Field(default=15.0, gt=0, description="A slower body is refused with 408")
    header_timeout_s: float = Field(default=10.0, gt=0, description="A slower head of a request is refused with 408")
    max_header_bytes: int = Field(default=32 * 2**10, ge=1024, description="A longer head is refused with 431")
    max_headers: int = Field(default=100, ge=10, description="More are refused with 431")
    max_connections: int = Field(default=1000, ge=10, description="Open at once; further ones are refused with 503")
    poll_s: float = Field(default=1.0, gt=0, description="How often the champion alias is looked up")
    model_memory_mb: int = Field(
        default=4096, ge=1, description="Beyond it, models that no line needs are put away, those longest unused first"
    )
    fastest_runtime: bool = Field(
        default=True, description="Try a model's gated forms before it goes live, take the fastest; else always fp32"
    )
    drain_s: float = Field(default=10.0, ge=0, description="How long a stopping service lets running frames finish")
    default_lines: tuple[str, ...] = Field(default=("L1",), description="Lines of a fresh home")
    shift_starts: tuple[time, ...] = Field(
        default=(time(6), time(14), time(22)),
        min_length=1,
        description="When shifts begin; the line wall counts by them",
    )
    time_zone: ZoneInfo | None = Field(default=None, description="The plant's, say Asia/Shanghai; else this machine's")
    worker_nice: bool = Field(
        default=True, description="The worker's work comes after everything else; false on a machine of its own"
    )
    audit_rate: float = Field(
        default=0.02, gt=0, le=1, description="Share of passed parts that people shall look at, drawn by lot"
    )
    drift: DriftSettings = Field(default=DriftSettings(), description="When a line has drifted; see docs/drift.md")
    otlp_endpoint: str | None = Field(
        default=None, description="OTLP/HTTP collector that gets traces; else OTEL_EXPORTER_OTLP_ENDPOINT, or none"
    )
    trace_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of frames traced, of those whose camera doesn't say"
    )
    oidc: Oidc | None = Field(default=None, description="An OpenID provider to log in with; see docs/operation.md")
    session_hours: float = Field(default=12.0, gt=0, description="How long a browser stays logged in")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get("TRIALSIGHT_CONFIG", "configs/service/default.yaml")
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=file)

    @field_validator("outbox")
    @classmethod
    def _names_differ(cls, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        names = [target.name for target in targets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two targets are called {twice[0]}")
        return targets

    @property
    def paths(self) -> Home:
        return Home.at(self.home)

    @property
    def limits(self) -> Limits:
        return Limits(self.max_body_bytes, self.max_pixels)

    @property
    def on_loopback(self) -> bool:
        """Whether only this very machine can reach the service."""
        return self.host in LOOPBACK

    @field_validator("open")
    @classmethod
    def _open_on_loopback_alone(cls, value: bool, info: ValidationInfo) -> bool:
        host = info.data.get("host")
        if value and host not in LOOPBACK:
            raise ValueError(f"{host} can be reached from other machines; use 127.0.0.1, or leave --open out")
        return value


def read_settings(given: dict[str, Any]) -> Settings:
    """Raises TrialsightError naming the setting that can't be."""
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TrialsightError(f"setting {where}: {first['msg']}", "see configs/service/default.yaml") from None
