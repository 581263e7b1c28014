"""uvicorn around the app: a taken port is named, SIGTERM lets running frames finish."""

import socket

import uvicorn
from fastapi import FastAPI

from trialsight.errors import TrialsightError
from trialsight_serving.lasting import lasting
from trialsight_serving.protocol import bounded
from trialsight_serving.settings import Settings


class Server(uvicorn.Server):
    """Ends the open event streams before it waits for open responses, else it would wait for them in vain."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        with lasting():
            await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.news.close()
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, bound before anything else is started. Raises TrialsightError where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise TrialsightError(
            f"{host}:{port} can't be bound: {error.strerror or error}",
            "another service may run there: stop it, or choose another --port",
        ) from error
    return listener


def make_server(app: FastAPI, settings: Settings) -> Server:
    config = uvicorn.Config(
        app,
        loop="auto",
        http=bounded(settings),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
    )
    return Server(config)
