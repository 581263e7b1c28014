"""`trialsight serve`, from the settings to the last frame answered."""

import os

import structlog

from trialsight.errors import TrialsightError
from trialsight_serving.access.keys import anyone_known
from trialsight_serving.app import create_app
from trialsight_serving.server import bind, make_server
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> None:
    """Blocks until SIGTERM or Ctrl-C. Raises TrialsightError: the port is taken, or there are no keys but must be."""
    openness = _openness(settings)
    # A registry that is away must not hold the manager's thread for MLflow's default of many minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    listener = bind(settings.host, settings.port)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    log.info("listening", url=f"http://{host}:{listener.getsockname()[1]}", home=str(settings.paths.root))
    if openness is not None:
        log.warning("open: whoever works on this machine is an administrator of this service", why=openness)
    try:
        make_server(create_app(settings), settings).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises the signal again once it has drained
        return
    finally:
        listener.close()


def _openness(settings: Settings) -> str | None:
    """Why nobody is asked for a key, or None where everybody is.

    Raises TrialsightError where nobody could be let in: beyond loopback, without a key or a user.
    """
    database = open_database(settings)
    try:
        with database.read() as connection:
            known = anyone_known(connection)
    finally:
        database.close()
    make_one = f"trialsight bootstrap --home {settings.paths.root}"
    if settings.open:
        return "by --open"
    if known:
        return None
    if settings.on_loopback:
        return f"since this home knows nobody yet; to ask for keys from now on: {make_one}"
    raise TrialsightError(
        f"beyond this machine ({settings.host}) every caller needs a key, and this home has none",
        f"make the first ones: {make_one}",
    )
