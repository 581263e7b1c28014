"""uvicorn's HTTP protocol with bounds: on a request's head, on the time it takes to come, on how many connect.

uvicorn waits for ever for a head, takes any number of headers of any length, queues pipelined requests without end, and
keeps what a client doesn't read. Each of these lets one client with a laptop fill the service's memory or its sockets.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trialsight_serving.problems import MEDIA_TYPE, Problem
from trialsight_serving.settings import Settings

MAX_PIPELINED = 8
_CHUNKING = 8
STALL_S = 30.0  # a client that reads nothing of its answer for so long is gone


def bounded(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class that uvicorn makes one of for each connection."""

    class Bounded(_BoundedProtocol):
        limits = settings

    return Bounded


class _BoundedProtocol(HttpToolsProtocol):
    limits: Settings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head, self._in_body, self._messages = True, False, 0
        self._wire_bytes = self._body_bytes = self._unread_bytes = 0  # of this head, or of this body
        self._patience: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self._refuse(503, "connections", f"{self.limits.max_connections} connections are open", "come again later")
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        self._reads_again()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._patience is None and self._idle:
            self._wait_for_head()
        before, was_in_head = self._messages, self._in_head
        super().data_received(data)
        if self._messages == before and was_in_head == self._in_head:  # the whole of it is one head's, or one body's
            self._wire_bytes += len(data)
            self._bound(self._wire_bytes)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._wire_bytes, self._body_bytes, self._unread_bytes = True, 0, 0, 0
        self._messages += 1

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if not self._in_body:
            return  # its head was refused
        super().on_body(body)
        if self.cycle.response_complete:  # it was answered without: read on, so that the client sees the answer
            self._unread_bytes += len(body)
            if self._unread_bytes > self.limits.max_body_bytes:
                self.transport.close()

    def on_message_complete(self) -> None:
        if self._in_body:
            self._in_body = False
            super().on_message_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else it is a trailer, and must not change what was read already
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._wire_bytes = False, 0
        self._head_came()
        self._bound(len(self.url) + sum(len(name) + len(value) for name, value in self.headers))
        if not self.transport.is_closing():
            self._in_body = True
            super().on_headers_complete()
            if len(self.pipeline) > MAX_PIPELINED:
                self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._reads_again()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "not-http", msg, "speak HTTP/1.1")

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _bound(self, wire_bytes: int) -> None:
        """A head's size, or how much chunk sizes, extensions and trailers add to a body (chunks of a byte add five)."""
        most = self.limits
        too_long = wire_bytes > most.max_header_bytes + _CHUNKING * self._body_bytes
        if too_long or len(self.headers or ()) > most.max_headers:
            detail = f"at most {most.max_headers} headers of {most.max_header_bytes} bytes in all are taken"
            self._refuse(431, "head-too-large", detail, "send fewer, or shorter ones")

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(self.limits.header_timeout_s, self._head_is_late)

    def _head_came(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _head_is_late(self) -> None:
        self._patience = None
        detail = f"the request's head did not arrive within {self.limits.header_timeout_s:g} s"
        self._refuse(408, "head-timeout", detail, "send it again")

    def _watch(self, left: int) -> None:
        """Cut a connection whose client has read nothing since the last look."""

        def look() -> None:
            now = self.transport.get_write_buffer_size()
            if now >= left:
                self.transport.abort()
            else:
                self._watch(now)

        self._stall = self.loop.call_later(STALL_S, look)

    def _reads_again(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _refuse(self, status: int, slug: str, detail: str, remedy: str) -> None:
        """Answer, where no other answer is on its way, and hang up."""
        if self.transport.is_closing():
            return
        if self._idle and not self._in_body:
            phrase = HTTPStatus(status).phrase
            body = json.dumps(Problem(status, slug, phrase, detail, remedy).body("/")).encode()
            head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
            self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()
