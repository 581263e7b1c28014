"""What lies outside: MLflow, webhooks and brokers with their certificates, and the port."""

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from trialsight_serving.doctor.finding import Finding, fault, ok, warning
from trialsight_serving.models.registry import Registry, RegistryError
from trialsight_serving.outbox.targets import MqttTarget, Target
from trialsight_serving.settings import Settings

_TIMEOUT_S = 5.0
_SOON = timedelta(days=14)
_AWAY = "verdicts go on; new models can't be fetched until it is back"


def check_mlflow(settings: Settings) -> Iterator[Finding]:
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(round(_TIMEOUT_S)))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = settings.paths.tracking_uri
    shown = _plain(uri) if urlsplit(uri).scheme in ("http", "https") else uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        yield ok("mlflow", "no store yet: `trialsight train` makes it")
        return
    try:
        recipes = Registry(settings.paths).aliases()
    except RegistryError as error:
        yield warning("mlflow", f"{shown} does not answer ({error.problem})", _AWAY)
    else:
        yield ok("mlflow", f"{shown}, {len(recipes)} recipes")


def check_outbox(settings: Settings) -> Iterator[Finding]:
    for target in settings.outbox:
        try:
            yield from _reach(target)
        except (OSError, ValueError) as error:
            said = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error
            what = f"{target.name} ({_plain(target.url)}) can't be reached: {said}"
            yield warning("outbox", what, "its messages wait in the database until it is back, outbox_keep_days long")


def check_secrets(settings: Settings) -> Iterator[Finding]:
    """A settings file that holds a secret is its owner's alone."""
    file = Path(os.environ.get("TRIALSIGHT_CONFIG", "configs/service/default.yaml"))
    named = [one for target in settings.outbox for one in (_secret_file(target),) if one is not None]
    held = [target for target in settings.outbox if _secret_file(target) is None]
    for path in ([file] if held and file.is_file() else []) + named:
        if path.stat().st_mode & 0o077:
            yield warning("secrets", f"{path} holds a secret and others can read it", f"chmod 600 {path}")
        else:
            yield ok("secrets", str(path))


def check_port(settings: Settings) -> Iterator[Finding]:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    url = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    try:
        answer = httpx.get(f"{url}/readyz", timeout=_TIMEOUT_S)
        said = answer.json()
    except httpx.TransportError:
        yield ok("service", f"nothing answers at {url}: it does not run")
    except ValueError:
        yield fault("service", f"another program answers at {url}", "stop it, or choose another port")
    else:
        if said.get("ready"):
            yield ok("service", f"ready at {url}")
        else:
            yield fault("service", f"it runs at {url} and is not ready", str(said.get("reason") or said))


def _reach(target: Target) -> Iterator[Finding]:
    parts = urlsplit(target.url)
    secure = parts.scheme in ("https", "mqtts")
    host, port = target.address if isinstance(target, MqttTarget) else (parts.hostname or "", parts.port)
    where = (host, port or (443 if secure else 80))
    with socket.create_connection(where, timeout=_TIMEOUT_S) as plain:
        if not secure:
            yield ok("outbox", f"{target.name} can be reached")
            return
        ca = target.ca_file if isinstance(target, MqttTarget) else None
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        with context.wrap_socket(plain, server_hostname=host) as tls:
            certificate = tls.getpeercert() or {}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    if ends < datetime.now(UTC) + _SOON:
        yield warning("outbox", f"the certificate of {target.name} ends on {ends:%Y-%m-%d}", "have it renewed")
    else:
        yield ok("outbox", f"{target.name} can be reached, its certificate is good until {ends:%Y-%m-%d}")


def _secret_file(target: Target) -> Path | None:
    return target.password_file if isinstance(target, MqttTarget) else target.secret_file


def _plain(url: str) -> str:
    """Without a user, a password and a query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
