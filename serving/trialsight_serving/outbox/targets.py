"""Where results go: the settings of webhooks and MQTT brokers. Secrets are hidden in whatever prints a target."""

import base64
import binascii
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

_PREFIX = "whsec_"


class _Target(BaseModel):
    """`lines`, `verdicts`: only these; empty means all. `alarms`: those of drift too, whatever the verdicts.
    `retry_max_s`: the longest pause between two attempts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    organisation: str = Field(default="default", max_length=32)
    url: str = Field(max_length=2048)
    lines: tuple[str, ...] = ()
    verdicts: tuple[Literal["pass", "review", "reject", "no_verdict"], ...] = ()
    alarms: bool = True
    timeout_s: float = Field(default=10.0, gt=0, le=60)
    retry_max_s: float = Field(default=60.0, gt=0, le=3600)

    def wants(self, organisation: str, line: str, verdict: str) -> bool:
        return self._serves(organisation, line) and (not self.verdicts or verdict in self.verdicts)

    def wants_alarm(self, organisation: str, line: str) -> bool:
        return self.alarms and self._serves(organisation, line)

    def _serves(self, organisation: str, line: str) -> bool:
        return organisation == self.organisation and (not self.lines or line in self.lines)


class WebhookTarget(_Target):
    """`secret`, or a file that holds it: what signatures are made with, base64 of 24 to 64 bytes after `whsec_`."""

    kind: Literal["webhook"]
    secret: SecretStr | None = None
    secret_file: Path | None = None

    @model_validator(mode="after")
    def _checked(self) -> "WebhookTarget":
        parts = _split(self.url, ("http", "https"))
        if parts.username or parts.password:
            raise ValueError("the URL must hold no user or password: receivers check the signature")
        if not 16 <= len(self.key()) <= 64:
            raise ValueError("the secret must be whsec_ and base64 of 24 to 64 bytes")
        return self

    def key(self) -> bytes:
        text = _secret(self.secret, self.secret_file)
        if text is None:
            raise ValueError("a webhook needs secret or secret_file: its messages are signed")
        try:
            return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError("the secret must be whsec_ and base64 of 24 to 64 bytes") from None


class MqttTarget(_Target):
    """`topic`, `alarm_topic`: {organisation} and {line} are put in. `url`: mqtt://HOST:PORT, or mqtts:// for TLS."""

    kind: Literal["mqtt"]
    topic: str = Field(default="trialsight/{organisation}/{line}/result", min_length=1, max_length=1024)
    alarm_topic: str = Field(default="trialsight/{organisation}/{line}/alarm", min_length=1, max_length=1024)
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Path | None = Field(default=None, description="Who may sign the broker's certificate; else the system's")

    @model_validator(mode="after")
    def _checked(self) -> "MqttTarget":
        _split(self.url, ("mqtt", "mqtts"))
        try:
            sample = self.topic_of("line") + self.topic_of("line", alarm=True)
        except (KeyError, IndexError, ValueError):
            raise ValueError("topic: only {organisation} and {line} are put in") from None
        if any(mark in sample for mark in "+#\0"):
            raise ValueError("topic: + and # are for those who listen")
        _secret(self.password, self.password_file)
        return self

    def topic_of(self, line: str, *, alarm: bool = False) -> str:
        """Lines are named freely; what would be a level or a wildcard of its own is escaped as in a URL."""
        topic = self.alarm_topic if alarm else self.topic
        return topic.format(organisation=quote(self.organisation, safe=""), line=quote(line, safe=""))

    def secret(self) -> str | None:
        return _secret(self.password, self.password_file)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (8883 if self.tls else 1883)

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme == "mqtts"


Target = Annotated[WebhookTarget | MqttTarget, Field(discriminator="kind")]


def _split(url: str, schemes: tuple[str, ...]):  # type: ignore[no-untyped-def]  # urllib's own union
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"url: {' or '.join(schemes)}://HOST is expected")
    return parts


def _secret(given: SecretStr | None, file: Path | None) -> str | None:
    if given is not None:
        return given.get_secret_value().strip()
    if file is None:
        return None
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from None
