"""`trialsight doctor` on a good home and on broken ones: faults are named, with what to do, and nothing is changed."""

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.home import Home
from trialsight_serving.access.keys import make_key
from trialsight_serving.access.principal import Role
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database

SECRET = "whsec_" + "MTIzNDU2Nzg" * 4
Found = dict[tuple[str, str], str]


@pytest.fixture
def good_home(promoted: Home) -> Home:
    promoted.root.chmod(0o700)
    return promoted


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, Found]]:
    """`doctor(home, port=…)`: the exit status, and what was found by (check, state): words and remedy."""

    def run(home: Path, **settings: Any) -> tuple[int, Found]:
        config = tmp_path / "doctor.yaml"
        config.write_text(yaml.safe_dump({"port": free_port()} | settings))
        config.chmod(0o600)
        monkeypatch.setenv("TRIALSIGHT_CONFIG", str(config))
        done = CliRunner().invoke(cli, ["doctor", "--home", str(home), "--json"])
        said = json.loads(done.stdout)
        assert (said["state"] == "fault") == (done.exit_code == 1), done.stdout
        found: Found = {}
        for one in said["findings"]:
            assert bool(one["remedy"]) == (one["state"] != "ok"), one
            found[one["check"], one["state"]] = f"{one['what']} -> {one['remedy']}"
        return done.exit_code, found

    return run


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def content(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if "mlflow" not in path.parts}


def test_a_good_home_is_left_as_it_is(good_home: Home, doctor: Callable[..., tuple[int, Found]]) -> None:
    before = content(good_home.root)
    status, found = doctor(good_home.root)
    assert status == 0, found
    assert {check for check, state in found if state == "ok"} >= {
        "home", "permissions", "disk", "database", "engines", "models", "mlflow", "service",
    }  # fmt: skip
    assert {(check, state) for check, state in found if state != "ok"} <= {("keys", "warning"), ("clock", "warning")}
    after = content(good_home.root)
    assert {name: sum_ for name, sum_ in after.items() if name in before} == before
    assert all(name.endswith(("-shm", "-wal")) for name in after.keys() - before.keys())


def test_in_plain_words(good_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALSIGHT_PORT", str(free_port()))
    (good_home.package("blob", "1") / "model.onnx").write_bytes(b"altered")
    done = CliRunner().invoke(cli, ["doctor", "--home", str(good_home.root)])
    assert done.exit_code == 1
    assert "fault    models" in done.stdout
    assert "-> delete" in done.stdout


def damage(home: Home) -> None:
    data = bytearray(home.database.read_bytes())
    data[8192:40960] = bytes(32768)
    home.database.write_bytes(data)


def no_database(home: Home) -> None:
    home.database.write_bytes(b"hello" * 1000)


def from_the_future(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def from_the_past(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0003'")


def altered_model(home: Home) -> None:
    with (home.package("blob", "1") / "model.onnx").open("ab") as file:
        file.write(b"!")


def lost_model(home: Home) -> None:
    shutil.rmtree(home.package("blob", "1"))


def written_tomorrow(home: Home) -> None:
    os.utime(home.database, (time.time() + 86400,) * 2)


def open_to_all(home: Home) -> None:
    home.root.chmod(0o755)
    home.database.chmod(0o644)


BROKEN = {
    "the database is damaged": (damage, "database", "fault", "restore a backup"),
    "the database is no database": (no_database, "database", "fault", "restore a backup"),
    "the database is a newer version's": (from_the_future, "database", "fault", "install that version"),
    "the database is an older version's": (from_the_past, "database", "warning", "migrates by itself"),
    "the live model was altered": (altered_model, "models", "fault", "was altered"),
    "the live model is gone": (lost_model, "models", "warning", "fetches it from MLflow"),
    "the clock went back": (written_tomorrow, "clock", "warning", "yet to come"),
    "others can read it": (open_to_all, "permissions", "warning", "chmod o-rwx"),
}


@pytest.mark.parametrize(("breaks", "check", "state", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_home(
    good_home: Home,
    doctor: Callable[..., tuple[int, Found]],
    breaks: Callable[[Home], None],
    check: str,
    state: str,
    words: str,
) -> None:
    breaks(good_home)
    status, found = doctor(good_home.root)
    assert words in found[check, state], found
    assert status == (state == "fault")


SETTINGS = {
    "no room": ({"disk_min_free_mb": 10**9}, "disk", "fault", "507"),
    "room is made too late": ({"disk_min_free_mb": 1, "disk_keep_free_mb": 1}, "disk", "warning", "above"),
    "open to the network without keys": ({"host": "0.0.0.0"}, "keys", "fault", "bootstrap"),
    "a setting that is none": ({"quue_limit": 3}, "settings", "fault", "quue_limit"),
    "a receiver that is away": (
        {"outbox": [{"kind": "webhook", "name": "mes", "url": "http://127.0.0.1:9/x", "secret": SECRET}]},
        "outbox", "warning", "mes (http://127.0.0.1:9)"),
    "a database that is away": ({"database_url": "postgresql://ts:pa55@127.0.0.1:9/ts"}, "database", "fault", "***"),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "check", "state", "words"), SETTINGS.values(), ids=SETTINGS.keys())
def test_broken_surroundings(
    good_home: Home,
    doctor: Callable[..., tuple[int, Found]],
    settings: dict[str, Any],
    check: str,
    state: str,
    words: str,
) -> None:
    status, found = doctor(good_home.root, **settings)
    assert words in found[check, state], found
    assert status == (state == "fault")
    assert not any("pa55" in said or SECRET in said for said in found.values())


def test_a_home_that_cannot_be(tmp_path: Path, doctor: Callable[..., tuple[int, Found]]) -> None:
    (tmp_path / "file").write_text("")
    status, found = doctor(tmp_path / "file")
    assert (status, "is a file" in found["home", "fault"]) == (1, True)
    status, found = doctor(tmp_path / "nowhere")
    assert (status, "not there yet" in found["home", "warning"]) == (0, True)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_of_somebody_else(good_home: Home, doctor: Callable[..., tuple[int, Found]]) -> None:
    good_home.root.chmod(0o500)
    status, found = doctor(good_home.root)
    good_home.root.chmod(0o700)
    assert (status, "chown" in found["home", "fault"]) == (1, True)


def test_mlflow_away_is_no_fault(
    good_home: Home, doctor: Callable[..., tuple[int, Found]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:pa55@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    status, found = doctor(good_home.root)
    assert status == 0
    assert "does not answer" in found["mlflow", "warning"]
    assert "pa55" not in found["mlflow", "warning"]


def test_keys_that_end_soon_and_secrets_that_lie_open(
    good_home: Home, doctor: Callable[..., tuple[int, Found]], tmp_path: Path
) -> None:
    database = open_database(Settings(home=good_home.root))
    with database.write() as connection:
        soon = datetime.now(UTC) + timedelta(days=3)
        make_key(connection, Role.CAMERA, "camera of L1", expires_at=soon, who="test")
    database.close()
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    target = {"kind": "webhook", "name": "mes", "url": "http://127.0.0.1:9/", "secret_file": str(secret)}
    _, found = doctor(good_home.root, outbox=[target])
    assert "camera of L1" in found["keys", "warning"]
    assert "chmod 600" in found["secrets", "warning"]
    secret.chmod(0o600)
    assert ("secrets", "ok") in doctor(good_home.root, outbox=[target])[1]


@contextmanager
def tls_server(folder: Path, days: int) -> Iterator[tuple[int, Path]]:
    """A port that shakes hands by a certificate of its own that ends in `days`."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", certificate, "-days", str(days), "-subj", "/CN=localhost"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def shake() -> None:
        try:
            with context.wrap_socket(listener.accept()[0], server_side=True) as tls:
                tls.recv(1)
        except OSError:
            pass

    thread = threading.Thread(target=shake)
    thread.start()
    try:
        yield listener.getsockname()[1], certificate
    finally:
        listener.close()
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not there")
@pytest.mark.parametrize(("days", "state"), [(3, "warning"), (90, "ok")])
def test_a_broker_s_certificate(
    good_home: Home, doctor: Callable[..., tuple[int, Found]], tmp_path: Path, days: int, state: str
) -> None:
    with tls_server(tmp_path, days) as (port, certificate):
        url = f"mqtts://localhost:{port}"
        target = {"kind": "mqtt", "name": "bus", "url": url, "ca_file": str(certificate)}
        _, found = doctor(good_home.root, outbox=[target])
    assert "certificate" in found["outbox", state], found


def test_a_running_service(
    good_home: Home, serve: Callable[..., httpx.Client], doctor: Callable[..., tuple[int, Found]]
) -> None:
    with serve(good_home) as client:
        status, found = doctor(good_home.root, port=client.base_url.port)
        assert (status, "ready at" in found["service", "ok"]) == (0, True), found
