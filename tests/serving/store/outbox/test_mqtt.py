"""Results handed on to a real broker, which is stopped and started."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx

from trialsight.home import Home
from trialsight_serving.outbox.queue import Message
from trialsight_serving.outbox.sending import make_sender
from trialsight_serving.outbox.targets import MqttTarget
from trialsight_serving.store.frames import FrameRecord

Serve = Callable[..., AbstractContextManager[httpx.Client]]
Eventually = Callable[..., None]
Post = Callable[..., dict[str, Any]]
Drained = Callable[[httpx.Client], bool]


def part_of(message: dict[str, Any]) -> str:
    return str(message["PartId"]["Id"])


def test_a_broker_that_goes_away_loses_nothing(
    promoted: Home, serve: Serve, bad: bytes, broker: Any, eventually: Eventually, post: Post, drained: Drained
) -> None:
    target = {
        "kind": "mqtt",
        "name": "plant",
        "url": f"mqtt://127.0.0.1:{broker.port}",
        "retry_max_s": 0.3,
        "timeout_s": 3,
    }
    with broker.listening() as heard, serve(promoted, outbox=[target]) as client:
        for number in range(5):
            post(client, bad, f"P-{number}")
        eventually(lambda: len(heard) >= 5)
        broker.stop()
        for number in range(5, 25):
            post(client, bad, f"P-{number}")
        eventually(lambda: client.get("/v1/outbox").json()["targets"][0]["problem"] is not None)
        assert client.get("/v1/outbox").json()["targets"][0]["waiting"] == 20
        broker.start()
        eventually(lambda: drained(client))
        eventually(lambda: len({part_of(message) for _, message in heard}) == 25)
    assert {topic for topic, _ in heard} == {"trialsight/default/L1/result"}
    first_seen = list(dict.fromkeys(part_of(message) for _, message in heard))
    assert first_seen == [f"P-{number}" for number in range(25)]


def test_a_broker_that_is_not_there_is_told_of(make_record: Callable[..., FrameRecord]) -> None:
    target = MqttTarget(kind="mqtt", name="x", url="mqtt://127.0.0.1:9", timeout_s=1)
    sender = make_sender(target)
    sent = sender.send([Message(1, "L1", "a", "{}", make_record(1).received_at)])
    assert (sent.done, sent.unreachable) == ([], True)
    assert sent.problem is not None
    sender.close()


def test_a_lines_name_is_one_level_of_the_topic() -> None:
    target = MqttTarget(kind="mqtt", name="x", url="mqtts://broker")
    assert target.topic_of("3/左 #+") == "trialsight/default/3%2F%E5%B7%A6%20%23%2B/result"
    assert target.topic_of("L1", alarm=True) == "trialsight/default/L1/alarm"
    assert (target.address, target.tls) == (("broker", 8883), True)
