"""`trialsight serve` as a process: its log keeps secrets, and what it has accepted it answers before it ends."""

import base64
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.run import serve
from trialsight_serving.settings import Settings

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
TRIALSIGHT = str(Path(sys.executable).with_name("trialsight"))


@contextmanager
def running(
    home: Home, log: list[str], environment: dict[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[str]", httpx.Client]]:
    """The process and a client of it; `log` gets its lines."""
    command = [TRIALSIGHT, "serve", "--home", str(home.root), "--port", "0", "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | (environment or {}))
    stream = process.stderr
    assert stream is not None
    for line in stream:
        log.append(line)
        if '"listening"' in line:
            url = json.loads(line)["url"]
            break
    reader = threading.Thread(target=lambda: log.extend(stream))
    reader.start()
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            while True:
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    threading.Event().wait(0.05)
            yield process, client
    finally:
        process.terminate()
        process.wait(60)
        reader.join()
        stream.close()


def test_no_secret_is_ever_logged(promoted: Home, tmp_path: Path, bad: bytes) -> None:
    keys = bootstrap(Settings(home=promoted.root))
    signing = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    secrets = {
        "webhook": f"whsec_{signing}",
        "broker": "mqtt-Pa55word-1",
        "password": "correct horse battery staple",
        "wrong password": "incorrect horse battery",
        "wrong key": "ts_nobodyHasThisKeyAtAll00000000000000000000000",
        "database": "db-Pa55word-2",
        "registry": "mlflow-Pa55word-3",
    } | keys
    target = {"retry_max_s": 0.1, "timeout_s": 1}
    outbox = [
        {"kind": "webhook", "name": "mes", "url": "http://127.0.0.1:9/hook", "secret": secrets["webhook"]} | target,
        {"kind": "mqtt", "name": "bus", "url": "mqtt://127.0.0.1:9", "password": secrets["broker"]} | target,
    ]
    config = tmp_path / "service.yaml"
    config.write_text(yaml.safe_dump({"outbox": outbox}))
    registry = f"http://trialsight:{secrets['registry']}@127.0.0.1:9"
    environment = {"TRIALSIGHT_CONFIG": str(config), "MLFLOW_TRACKING_URI": registry}
    log: list[str] = []
    with running(promoted, log, environment) as (_, client):
        own = {"Authorization": f"Bearer {keys['administrator']}"}
        made = client.post("/v1/keys", json={"name": "new", "role": "camera"}, headers=own).json()
        secrets["new key"] = made["key"]
        tenant = client.post("/v1/organisations", json={"id": "acme", "name": "Acme"}, headers=own).json()
        secrets["tenant's key"] = tenant["administrator"]
        user = {"name": "mei", "role": "reviewer", "password": secrets["password"]}
        assert client.post("/v1/users", json=user, headers=own).status_code == 201
        assert client.post(FRAMES, content=bad, headers=PNG | {"X-API-Key": made["key"]}).status_code == 200
        assert client.get("/v1/parts", headers={"X-API-Key": secrets["wrong key"]}).status_code == 401
        assert client.get("/v1/parts", params={"key": secrets["wrong key"]}).status_code == 401
        for password, status in ((secrets["wrong password"], 401), (secrets["password"], 303)):
            assert client.post("/login", data={"name": "mei", "password": password}).status_code == status
        secrets["session"] = client.cookies["trialsight_session"]
        assert client.get("/v1/parts").status_code == 200
        bad_user = client.post("/v1/users", json=user | {"role": "king"}, headers=own)
        assert bad_user.status_code == 422
        assert secrets["password"] not in bad_user.text
        while not all(any(words in line for line in log) for words in ('"mes"', '"bus"', "model registry")):
            threading.Event().wait(0.05)  # the troubles of both targets and of MLflow are in the log
        assert not [name for name, secret in secrets.items() if secret in client.get("/v1/outbox", headers=own).text]
    wrong = f"postgresql://ts:{secrets['database']}@127.0.0.1:9/ts"
    with pytest.raises(TrialsightError) as refused:
        serve(Settings(home=promoted.root, database_url=wrong))
    text = "".join(log) + str(refused.value)
    assert "outbox target takes no messages" in text
    assert not [name for name, secret in secrets.items() if secret in text]
    assert signing not in text
    assert re.search(r"ts_[\w-]{30}", text) is None, "nor any other key"


def test_sigterm_under_load_answers_whatever_was_accepted(
    promoted: Home, frame: Callable[..., bytes], eventually: Callable[..., None]
) -> None:
    answered: list[str] = []
    cut: list[str] = []
    pictures = [frame(blob=100 * (number % 2), seed=number) for number in range(8)]

    def post(url: str, worker: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            for number in range(10_000):
                data = pictures[(number + worker) % len(pictures)]
                try:
                    answer = client.post(FRAMES, content=data, headers=PNG, params={"part": f"{worker}-{number}"})
                except httpx.TransportError:
                    cut.append(f"{worker}-{number}")  # it came when nothing was accepted any more
                    return
                if answer.status_code == 200:
                    answered.append(answer.json()["id"])

    log: list[str] = []
    with running(promoted, log) as (process, client):
        threads = [threading.Thread(target=post, args=(str(client.base_url), worker)) for worker in range(6)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(answered) > 40)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert process.wait(60) == -signal.SIGTERM
    with closing(sqlite3.connect(promoted.database)) as database:
        stored = {row[0] for row in database.execute("SELECT id FROM frames")}
        unanswered = {row[0] for row in database.execute("SELECT serial FROM parts")} & set(cut)
    assert stored == set(answered)
    assert unanswered == set()
    assert not any('"error"' in line for line in log)
