"""Messages published to an MQTT broker with QoS 1: one counts as delivered once the broker has said that it has it."""

import ssl
import time
from collections.abc import Sequence
from threading import Event

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from trialsight_serving.outbox.queue import ALARM, Message
from trialsight_serving.outbox.sending import Sent
from trialsight_serving.outbox.targets import MqttTarget

_KEEPALIVE_S = 30
_INFLIGHT = 100


class MqttSender:
    """A client for as long as all goes well; after a failure a new one, which begins with what was not confirmed."""

    def __init__(self, target: MqttTarget) -> None:
        self._target = target
        self._client: paho.Client | None = None

    def send(self, messages: Sequence[Message]) -> Sent:
        done: list[int] = []
        try:
            client = self._connected()
            published = [(one.id, client.publish(self._topic(one), one.text.encode(), qos=1)) for one in messages]
            end = time.monotonic() + self._target.timeout_s
            for number, info in published:
                info.wait_for_publish(max(0.0, end - time.monotonic()))
                if not info.is_published():
                    raise TimeoutError("the broker did not confirm in time")
                done.append(number)
        except (OSError, ValueError, RuntimeError) as error:  # paho has no errors of its own
            self.close()
            return Sent(done, f"{type(error).__name__}: {error}", unreachable=True)
        return Sent(done)

    def _topic(self, message: Message) -> str:
        return self._target.topic_of(message.line, alarm=message.kind == ALARM)

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _connected(self) -> paho.Client:
        if self._client is not None and self._client.is_connected():
            return self._client
        self.close()
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(_INFLIGHT)
        client.connect_timeout = self._target.timeout_s
        if self._target.username is not None:
            client.username_pw_set(self._target.username, self._target.secret())
        if self._target.tls:
            ca_file = self._target.ca_file
            client.tls_set_context(ssl.create_default_context(cafile=None if ca_file is None else str(ca_file)))
        answered, reasons = Event(), list[ReasonCode]()

        def on_connect(_client: object, _data: object, _flags: object, reason: ReasonCode, _properties: object) -> None:
            reasons.append(reason)
            answered.set()

        client.on_connect = on_connect
        client.connect(*self._target.address, keepalive=_KEEPALIVE_S)
        client.loop_start()
        self._client = client
        if not answered.wait(self._target.timeout_s):
            raise TimeoutError("the broker did not answer in time")
        if reasons[0].is_failure:
            raise ConnectionRefusedError(f"the broker refuses: {reasons[0]}")
        return client
