"""A database that is locked: a frame waits for it as long as it may, and then gets no verdict at all."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing

import httpx
import pytest

from trialsight.home import Home

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., AbstractContextManager[httpx.Client]]


def test_a_frame_waits_for_a_lock_that_ends(promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted) as client, closing(sqlite3.connect(promoted.database, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.rollback)
        timer.start()
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"
        timer.join()


def test_a_lock_that_does_not_end_is_503_and_nothing_is_stored(
    promoted: Home, serve: Serve, bad: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trialsight_serving.store.database.BUSY_MS", 200)
    with serve(promoted) as client, closing(sqlite3.connect(promoted.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = client.post(FRAMES, content=bad, headers=PNG)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:trialsight:problem:store-unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/v1/parts").json()["parts"] == []  # who only reads is not held up
        other.rollback()
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"
        assert len(client.get("/v1/parts").json()["parts"]) == 1
