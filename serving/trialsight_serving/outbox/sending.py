"""What every kind of target has in common: it takes messages in order, and says how far it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trialsight_serving.outbox.queue import Message
from trialsight_serving.outbox.targets import MqttTarget, Target


@dataclass(frozen=True)
class Sent:
    """`done`: ids that were delivered. `problem`: why it stopped; `unreachable`: for every line, not just this."""

    done: Sequence[int]
    problem: str | None = None
    unreachable: bool = False
    retry_after_s: float | None = None


class Sender(Protocol):
    def send(self, messages: Sequence[Message]) -> Sent:
        """Messages of one line, oldest first. Never raises for what the other side does."""
        ...

    def close(self) -> None: ...


def make_sender(target: Target) -> Sender:
    if isinstance(target, MqttTarget):
        from trialsight_serving.outbox.mqtt import MqttSender

        return MqttSender(target)
    from trialsight_serving.outbox.webhook import WebhookSender

    return WebhookSender(target)
