"""The live stream: server-sent events as results, resumed where it broke.

https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6 for how lines become events.
"""

from dataclasses import dataclass
from urllib.parse import quote

import httpx

from trialsight_serving.schemas.inspection import FrameOut

_SILENCE_S = 45.0  # the service says every 15 s that it is still there


@dataclass(frozen=True)
class StreamEvent:
    """A result as it was stored. `id`: give it as `after`, and the stream goes on behind this result."""

    id: str
    frame: FrameOut


class Listening:
    """What one listener has heard, over all of its connections."""

    def __init__(self, line: str | None, after: str | None) -> None:
        self.path = "/v1/stream" if line is None else f"/v1/lines/{quote(line, safe='')}/stream"
        self.timeout = httpx.Timeout(10.0, read=_SILENCE_S)
        self._last_id = after
        self._kind, self._data = "", list[str]()

    def headers(self) -> dict[str, str]:
        """Of the next connection; what the broken one left unfinished is forgotten."""
        self._kind, self._data = "", []
        return {"Accept": "text/event-stream"} | ({} if self._last_id is None else {"Last-Event-ID": self._last_id})

    def hear(self, line: str) -> StreamEvent | None:
        """The result that this line completes, if it does."""
        if line == "":
            kind, data = self._kind, "\n".join(self._data)
            self._kind, self._data = "", []
            if kind != "frame" or self._last_id is None:
                return None
            return StreamEvent(self._last_id, FrameOut.model_validate_json(data))
        name, _, value = line.partition(":")  # a comment has no name
        value = value.removeprefix(" ")
        if name == "id":
            self._last_id = value
        elif name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        return None


def ended() -> httpx.TransportError:
    """A service that stops ends its streams: as good as a connection that broke."""
    return httpx.RemoteProtocolError("the stream ended")
