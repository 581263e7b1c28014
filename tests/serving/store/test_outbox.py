"""Results handed on: to receivers that check signatures and to a real broker, which come and go as they like."""

import base64
import hashlib
import hmac
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest
import sqlalchemy as sa
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from trialsight.home import Home
from trialsight_serving.outbox.drainer import Drainer
from trialsight_serving.outbox.guarded import Refused, check
from trialsight_serving.outbox.message import result_message
from trialsight_serving.outbox.queue import Message, drop_older, enqueue, oldest, waiting
from trialsight_serving.outbox.sending import make_sender
from trialsight_serving.outbox.targets import MqttTarget, WebhookTarget
from trialsight_serving.settings import Settings
from trialsight_serving.store import audit
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.frames import FrameRecord, insert_frame
from trialsight_serving.store.leader import Leader
from trialsight_serving.store.lines import add_line
from trialsight_serving.store.writer import Writer

Serve = Callable[..., httpx.Client]
Eventually = Callable[..., None]
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
PNG = {"Content-Type": "image/png"}
OPC_FIELDS = {
    "ResultId",
    "HasTransferableDataOnFile",
    "IsPartial",
    "IsSimulated",
    "ResultState",
    "MeasId",
    "PartId",
    "ExternalRecipeId",
    "InternalRecipeId",
    "ProductId",
    "ExternalConfigurationId",
    "InternalConfigurationId",
    "JobId",
    "CreationTime",
    "ProcessingTimes",
    "ResultContent",
}


@dataclass
class Receiver:
    """A webhook's other side. `answer` decides the status of each message by its part."""

    url: str = ""
    answer: Callable[[str], int] = lambda part: 204
    taken: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def parts(self, line: str | None = None) -> list[str]:
        return [m["PartId"]["Id"] for m in self.taken if line in (None, m["ResultContent"][0]["line"])]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
            digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
            data = json.loads(body)["data"]
            status = 401
            if hmac.compare_digest(self.headers["webhook-signature"], f"v1,{digest}"):
                receiver.attempts.append(data["PartId"]["Id"])
                status = receiver.answer(data["PartId"]["Id"])
            if status < 300:
                receiver.taken.append(data)
                receiver.headers.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/results"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def webhook(url: str, name: str = "mes", **more: object) -> dict[str, Any]:
    return {"kind": "webhook", "name": name, "url": url, "secret": SECRET, "retry_max_s": 0.2, "timeout_s": 2, **more}


def post(client: httpx.Client, data: bytes, part: str, line: str = "L1", **headers: str) -> dict[str, Any]:
    answer = client.post(f"/v1/lines/{line}/frames", content=data, headers=PNG | headers, params={"part": part})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def drained(client: httpx.Client) -> bool:
    return all(target["waiting"] == 0 for target in client.get("/v1/outbox").json()["targets"])


def test_a_result_arrives_signed_with_the_standards_field_names(
    promoted: Home, serve: Serve, bad: bytes, receiver: Receiver, eventually: Eventually
) -> None:
    with serve(promoted, outbox=[webhook(receiver.url)]) as client:
        posted = post(client, bad, "P-1", **{"Idempotency-Key": "shot-1"})
        again = post(client, bad, "P-1", **{"Idempotency-Key": "shot-1"})
        eventually(lambda: drained(client))
        state = client.get("/v1/outbox").json()
    assert again["id"] == posted["id"]
    (message,) = receiver.taken
    assert set(message) == OPC_FIELDS
    assert (message["ResultId"], message["PartId"], message["MeasId"]) == (
        {"Id": posted["id"]},
        {"Id": "P-1"},
        {"Id": "shot-1"},
    )
    assert (message["ResultState"], message["IsPartial"], message["IsSimulated"]) == (1, False, False)
    assert base64.b64decode(message["InternalRecipeId"]["Hash"]).hex() == posted["model"]["graph_sha256"]
    content = message["ResultContent"][0]
    assert (content["verdict"], content["score"], content["map_url"]) == ("reject", posted["score"], posted["map_url"])
    assert receiver.headers[0]["webhook-id"] == posted["id"]
    assert state == {
        "leading": True,
        "targets": [
            {"name": "mes", "kind": "webhook", "waiting": 0, "oldest_at": None, "delivered": 1, "problem": None}
        ],
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"verdict": "no_verdict", "reason": "late: the deadline passed", "score": None}, ("ResultState", 3)),
        ({"verdict": "no_verdict", "reason": "too dark", "score": None}, ("ResultState", 4)),
        ({"verdict": "reject"}, ("ResultState", 1)),
        ({"is_partial": True}, ("IsPartial", True)),
        ({"process": {"simulated": True}}, ("IsSimulated", True)),
        ({"trial": "T7"}, ("JobId", {"Id": "T7"})),
        ({"part_id": "p"}, ("JobId", {"Id": "p"})),
        ({"product": "plate", "variant": "B"}, ("ProductId", {"Id": "plate", "Description": "B"})),
    ],
)
def test_what_a_message_says(
    make_record: Callable[..., FrameRecord], changes: dict[str, Any], expected: tuple[str, object]
) -> None:
    name, value = expected
    assert result_message(make_record(1, **changes), None)[name] == value


def test_a_dead_target_and_a_refused_message_hold_up_nothing_else(
    promoted: Home, serve: Serve, bad: bytes, receiver: Receiver, eventually: Eventually
) -> None:
    """L1's first message is refused for a while: L1 waits in order, L2 and the other target go on."""
    receiver.answer = lambda part: 503 if part == "A-0" and receiver.attempts.count("A-0") < 3 else 200
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    targets = [webhook(nobody, "dead"), webhook(receiver.url), webhook(receiver.url + "?2", "l2", lines=["L2"])]
    with closing(open_database(Settings(home=promoted.root))) as database, database.write() as connection:
        add_line(connection, "L2", "blob", who="test")
    with serve(promoted, outbox=targets) as client:
        for number in range(3):
            post(client, bad, f"A-{number}")
            post(client, bad, f"B-{number}", "L2")
        eventually(lambda: len(receiver.taken) == 9)
        states = {target["name"]: target for target in client.get("/v1/outbox").json()["targets"]}
    assert receiver.parts("L1") == ["A-0", "A-1", "A-2"]
    assert [part for part in receiver.attempts if part.startswith("A")][:3] == ["A-0"] * 3
    assert sorted(receiver.parts("L2")) == sorted(2 * ["B-0", "B-1", "B-2"])
    assert (states["dead"]["waiting"], states["dead"]["delivered"]) == (6, 0)
    assert "ConnectError" in states["dead"]["problem"]
    assert states["mes"]["delivered"] == 6


def test_what_was_not_delivered_is_after_a_restart(
    promoted: Home, serve: Serve, bad: bytes, receiver: Receiver, eventually: Eventually
) -> None:
    receiver.answer = lambda part: 307
    with serve(promoted, outbox=[webhook(receiver.url)]) as client:
        for number in range(4):
            post(client, bad, f"P-{number}")
        eventually(lambda: "P-0" in receiver.attempts)
        assert "307" in client.get("/v1/outbox").json()["targets"][0]["problem"]
    assert set(receiver.attempts) == {"P-0"}  # a redirect is not followed, and no later message overtakes
    receiver.answer = lambda part: 200
    with serve(promoted, outbox=[webhook(receiver.url)]) as client:
        eventually(lambda: drained(client))
    assert receiver.parts() == ["P-0", "P-1", "P-2", "P-3"]


def test_secrets_are_in_no_log_and_no_answer(
    promoted: Home,
    serve: Serve,
    bad: bytes,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    eventually: Eventually,
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = lambda part: 500
    target = webhook(receiver.url)
    with serve(promoted, outbox=[target]) as client:
        post(client, bad, "P-1")
        eventually(lambda: receiver.attempts.count("P-1") > 1)
        said = client.get("/v1/outbox").text
    for text in (caplog.text, said, repr(Settings(outbox=[target]))):
        assert SECRET.removeprefix("whsec_") not in text


# --- MQTT ---------------------------------------------------------------------------------------------------------


class Broker:
    """A real mosquitto that keeps its sessions over a restart."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        (folder / "passwords").write_text("")
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {folder}/",
            "max_queued_messages 100000",
            *(["user root"] if os.getuid() == 0 else []),
        ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self._program, "-c", str(self._folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            assert self._process.poll() is None, "mosquitto did not start"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        pytest.fail("mosquitto does not listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            self._process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no mosquitto is installed (Debian: apt-get install mosquitto)")
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(program, folder)
    broker.start()
    yield broker
    broker.stop()


@contextmanager
def listening(broker: Broker) -> Iterator[list[tuple[str, str]]]:
    """Topic and part of each message, in the order of their arrival; the broker keeps them for us while we are away."""
    heard: list[tuple[str, str]] = []
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
    client.reconnect_delay_set(1, 1)
    client.on_connect = lambda client, *_: client.subscribe("trialsight/#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: heard.append(
        (message.topic, json.loads(message.payload)["PartId"]["Id"])
    )
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert ready.wait(10)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_broker_that_goes_away_loses_nothing(
    promoted: Home, serve: Serve, bad: bytes, broker: Broker, eventually: Eventually
) -> None:
    target = {
        "kind": "mqtt",
        "name": "plant",
        "url": f"mqtt://127.0.0.1:{broker.port}",
        "retry_max_s": 0.3,
        "timeout_s": 3,
    }
    with listening(broker) as heard, serve(promoted, outbox=[target]) as client:
        for number in range(5):
            post(client, bad, f"P-{number}")
        eventually(lambda: len(heard) >= 5)
        broker.stop()
        for number in range(5, 25):
            post(client, bad, f"P-{number}")
        eventually(lambda: client.get("/v1/outbox").json()["targets"][0]["problem"] is not None)
        assert client.get("/v1/outbox").json()["targets"][0]["waiting"] == 20
        broker.start()
        eventually(lambda: drained(client), 30)
        eventually(lambda: len({part for _, part in heard}) == 25, 30)
    assert {topic for topic, _ in heard} == {"trialsight/default/L1/result"}
    first_seen = list(dict.fromkeys(part for _, part in heard))
    assert first_seen == [f"P-{number}" for number in range(25)]


def test_a_broker_that_is_not_there_is_told_of(make_record: Callable[..., FrameRecord]) -> None:
    target = MqttTarget(kind="mqtt", name="x", url="mqtt://127.0.0.1:9", timeout_s=1)
    sender = make_sender(target)
    sent = sender.send([Message(1, "L1", "a", "{}", make_record(1).received_at)])
    assert (sent.done, sent.unreachable) == ([], True)
    assert sent.problem is not None
    sender.close()


# --- the table and its leader, on both databases --------------------------------------------------------------------


def targets(*names: str, **more: Any) -> list[WebhookTarget]:
    return [WebhookTarget(**webhook("http://127.0.0.1:9/", name, **more)) for name in names]


def test_a_message_is_stored_with_its_result_or_not_at_all(
    database: Database, make_record: Callable[..., FrameRecord]
) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        enqueue(connection, insert_frame(connection, make_record(1), None), None, targets("a"))
        _ = 1 / 0
    with database.write() as connection:
        assert waiting(connection) == []
        stored = insert_frame(connection, make_record(2), None)
        enqueue(connection, stored, None, targets("a", "b") + targets("c", verdicts=["reject"]))
        assert [(one.target, one.count) for one in waiting(connection)] == [("a", 1), ("b", 1)]
        assert [message.result_id for message in oldest(connection, "a", "L1", 10)] == [stored.id]


def test_what_nobody_took_for_long_is_given_up_and_recorded(
    database: Database, make_record: Callable[..., FrameRecord]
) -> None:
    with database.write() as connection:
        stored = insert_frame(connection, make_record(1), None)
        enqueue(connection, stored, None, targets("a"))
        now = datetime.now(UTC)
        assert drop_older(connection, now - timedelta(hours=1)) == 0
        assert drop_older(connection, now + timedelta(hours=1)) == 1
        assert waiting(connection) == []
        (entry,) = audit.entries(connection)
    assert (entry.what, entry.subject, entry.old["results"]) == ("outbox.dropped", "target/a", [stored.id])


def test_one_process_leads_and_another_takes_over(database: Database, tmp_path: Path) -> None:
    first, second = Leader(database, tmp_path / "lock", 7), Leader(database, tmp_path / "lock", 7)
    assert [first.lead(), second.lead(), first.lead()] == [True, False, True]
    first.close()
    assert second.lead()
    assert not first.lead()
    second.close()


def test_two_services_on_one_database_hand_on_in_order_and_once(
    database: Database,
    tmp_path: Path,
    make_record: Callable[..., FrameRecord],
    receiver: Receiver,
    eventually: Eventually,
) -> None:
    target = WebhookTarget(**webhook(receiver.url))
    writers = [Writer(database), Writer(database)]
    drainers = [Drainer([target], database, writer, tmp_path / "lock") for writer in writers]
    for drainer in drainers:
        drainer.start()
    for number in range(30):

        def work(connection: sa.Connection, number: int = number) -> None:
            stored = insert_frame(connection, make_record(number, part=f"P-{number}"), None)
            enqueue(connection, stored, None, [target])

        writers[number % 2].submit(work).result()
        drainers[number % 2].wake()
    eventually(lambda: len(receiver.taken) >= 30)
    assert receiver.parts() == [f"P-{number}" for number in range(30)]
    assert [drainer.leading for drainer in drainers].count(True) == 1
    for drainer, writer in zip(drainers, writers, strict=True):
        drainer.close()
        writer.close()


@pytest.mark.parametrize(
    ("host", "address", "refused"),
    [
        ("mes.factory", "10.1.2.3", False),
        ("mes.factory", "192.168.1.9", False),
        ("mes.factory", "fd00::9", False),
        ("example.com", "93.184.216.34", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("localhost", "::1", False),
        ("rebound.example", "127.0.0.1", True),
        ("rebound.example", "::ffff:127.0.0.1", True),
        ("cloud", "169.254.169.254", True),
        ("cloud", "::ffff:169.254.169.254", True),
        ("cloud", "fe80::1%eth0", True),
        ("any", "0.0.0.0", True),
        ("all", "224.0.0.1", True),
    ],
)
def test_which_addresses_are_called(host: str, address: str, refused: bool) -> None:
    if refused:
        with pytest.raises(Refused):
            check(host, address)
    else:
        check(host, address)


BAD_TARGETS = {
    "no secret": webhook("http://a/", secret=None),
    "a short secret": webhook("http://a/", secret="whsec_YWJj"),
    "a secret that is no base64": webhook("http://a/", secret="whsec_?"),
    "a secret file that is not there": webhook("http://a/", secret=None, secret_file="/nowhere/secret"),
    "another scheme": webhook("ftp://a/"),
    "a password in the URL": webhook("http://me:you@a/"),
    "a wildcard in the topic": {"kind": "mqtt", "name": "x", "url": "mqtt://a", "topic": "a/#"},
    "an unknown field in the topic": {"kind": "mqtt", "name": "x", "url": "mqtt://a", "topic": "{shift}"},
    "no host": {"kind": "mqtt", "name": "x", "url": "mqtt:"},
}


@pytest.mark.parametrize("target", BAD_TARGETS.values(), ids=BAD_TARGETS.keys())
def test_a_target_that_cannot_work_is_refused_at_the_start(target: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(outbox=[target])
    for secret in (SECRET, "YWJj", "me:you"):
        assert secret not in str(refused.value)


def test_two_targets_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two targets are called mes"):
        Settings(outbox=[webhook("http://a/"), webhook("http://b/")])


def test_a_lines_name_is_one_level_of_the_topic() -> None:
    target = MqttTarget(kind="mqtt", name="x", url="mqtts://broker")
    assert target.topic_of("3/左 #+") == "trialsight/default/3%2F%E5%B7%A6%20%23%2B/result"
    assert (target.address, target.tls) == (("broker", 8883), True)
