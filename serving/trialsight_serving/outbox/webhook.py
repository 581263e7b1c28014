"""Messages posted to a URL, signed by HMAC-SHA256 as Standard Webhooks has it: https://www.standardwebhooks.com."""

import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Sequence

import httpcore

from trialsight import __version__
from trialsight_serving.outbox.guarded import GuardedBackend, Refused
from trialsight_serving.outbox.queue import ALARM, Message
from trialsight_serving.outbox.sending import Sent
from trialsight_serving.outbox.targets import WebhookTarget

_MOST_READ = 64 * 1024  # of an answer: nothing in it matters but its status


class WebhookSender:
    def __init__(self, target: WebhookTarget) -> None:
        self._target, self._key = target, target.key()
        self._pool = httpcore.ConnectionPool(
            ssl.create_default_context(), max_connections=1, retries=0, network_backend=GuardedBackend()
        )

    def send(self, messages: Sequence[Message]) -> Sent:
        """One after the other, up to the first that is not taken."""
        done: list[int] = []
        for message in messages:
            try:
                status, retry_after_s = self._post(message)
            except (
                httpcore.NetworkError,
                httpcore.TimeoutException,
                httpcore.ProtocolError,
                Refused,
                OSError,
            ) as error:
                return Sent(done, f"{type(error).__name__}: {error}", unreachable=True)
            if not 200 <= status < 300:
                return Sent(done, f"it answered {status} to result {message.result_id}", retry_after_s=retry_after_s)
            done.append(message.id)
        return Sent(done)

    def close(self) -> None:
        self._pool.close()

    def _post(self, message: Message) -> tuple[int, float | None]:
        created = message.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        kind = "drift.alarm" if message.kind == ALARM else "result.created"
        body = f'{{"type":"{kind}","timestamp":"{created}","data":{message.text}}}'.encode()
        timestamp = int(time.time())
        headers: dict[bytes | str, bytes | str] = {
            "Content-Type": "application/json",
            "User-Agent": f"trialsight/{__version__}",
            "webhook-id": message.result_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, message.result_id, timestamp, body),
        }
        if message.traceparent is not None:
            headers["traceparent"] = message.traceparent
        wait = dict.fromkeys(("connect", "read", "write", "pool"), self._target.timeout_s)
        more = {"timeout": wait}
        with self._pool.stream("POST", self._target.url, headers=headers, content=body, extensions=more) as answer:
            read = 0
            for chunk in answer.iter_stream():  # to its end, so that the connection can be used again
                read += len(chunk)
                if read > _MOST_READ:
                    break
            return answer.status, _retry_after(answer.headers)


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def _retry_after(headers: Sequence[tuple[bytes, bytes]]) -> float | None:
    value = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return float(value) if value.isdigit() else None
