"""Results handed on to receivers that check signatures, and come and go as they like."""

import base64
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import Any

import httpx
import pytest

from trialsight.home import Home
from trialsight.reason import Reason
from trialsight_serving.outbox.message import result_message
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.lines import add_line

Serve = Callable[..., AbstractContextManager[httpx.Client]]
Eventually = Callable[..., None]
Webhook = Callable[..., dict[str, Any]]
Post = Callable[..., dict[str, Any]]
Drained = Callable[[httpx.Client], bool]
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


def test_a_result_arrives_signed_with_the_standards_field_names(
    promoted: Home,
    serve: Serve,
    bad: bytes,
    receiver: Any,
    eventually: Eventually,
    webhook: Webhook,
    post: Post,
    drained: Drained,
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
        ({"verdict": "no_verdict", "why": Reason("late", ms=9).to_json(), "score": None}, ("ResultState", 3)),
        ({"verdict": "no_verdict", "why": Reason("all_black").to_json(), "score": None}, ("ResultState", 4)),
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
    promoted: Home, serve: Serve, bad: bytes, receiver: Any, eventually: Eventually, webhook: Webhook, post: Post
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
    promoted: Home,
    serve: Serve,
    bad: bytes,
    receiver: Any,
    eventually: Eventually,
    webhook: Webhook,
    post: Post,
    drained: Drained,
) -> None:
    receiver.answer = lambda part: 307
    with serve(promoted, outbox=[webhook(receiver.url)]) as client:
        for number in range(4):
            post(client, bad, f"P-{number}")
        eventually(lambda: "307" in str(client.get("/v1/outbox").json()["targets"][0]["problem"]))
    assert set(receiver.attempts) == {"P-0"}  # a redirect is not followed, and no later message overtakes
    receiver.answer = lambda part: 200
    with serve(promoted, outbox=[webhook(receiver.url)]) as client:
        eventually(lambda: drained(client))
    assert receiver.parts() == ["P-0", "P-1", "P-2", "P-3"]


def test_secrets_are_in_no_log_and_no_answer(
    promoted: Home,
    serve: Serve,
    bad: bytes,
    receiver: Any,
    caplog: pytest.LogCaptureFixture,
    eventually: Eventually,
    webhook: Webhook,
    post: Post,
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = lambda part: 500
    target = webhook(receiver.url)
    with serve(promoted, outbox=[target]) as client:
        post(client, bad, "P-1")
        eventually(lambda: receiver.attempts.count("P-1") > 1)
        said = client.get("/v1/outbox").text
    for text in (caplog.text, said, repr(Settings(outbox=[target]))):
        assert target["secret"].removeprefix("whsec_") not in text
