"""The client of HTTP version 1 in Python, waiting (`Client`) or awaited (`AsyncClient`); docs/client.md shows both."""

from trialsight_serving.client.client import AsyncClient, Client
from trialsight_serving.client.problem import ServiceError
from trialsight_serving.client.stream import StreamEvent

__all__ = ["AsyncClient", "Client", "ServiceError", "StreamEvent"]
