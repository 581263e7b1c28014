"""The store's tests run on SQLite and on a PostgreSQL of their own; S3 is a server of their own too."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from trialsight_serving.settings import Settings
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.tables import ORGANISATION

_USER = "postgres"


@dataclass
class Postgres:
    """A server on a unix socket in a folder of its own."""

    folder: Path
    binaries: Path

    def url(self, name: str) -> str:
        return f"postgresql://{_USER}@/{name}?host={self.folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def initialise(self) -> None:
        options = ["-A", "trust", "-U", _USER, "-E", "UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "-D", str(self.folder / "data"), *options)

    def create(self, name: str, template: str = "template1") -> None:
        engine = sa.create_engine(
            self.url("postgres").replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()

    def _run(self, program: str, *words: str) -> None:
        """As an unprivileged user: the server refuses to run as root."""
        who: dict[str, Any] = {}
        if os.getuid() == 0:
            found = pwd.getpwnam(_USER)
            who = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        command = [self.binaries / program, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=60, **who)


def _postgres_binaries() -> Path | None:
    """Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    return next(
        (folder for folder in (*folders, *([Path(on_path).parent] if on_path else [])) if (folder / "initdb").exists()),
        None,
    )


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that the test may stop."""
    yield from _postgres()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests; `migrated` is a database to copy."""
    for server in _postgres():
        server.create("migrated")
        open_database(Settings(database_url=server.url("migrated"))).close()
        yield server


def _postgres() -> Iterator[Postgres]:
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    if os.getuid() == 0 and not any(entry.pw_name == _USER for entry in pwd.getpwall()):
        pytest.skip(f"root can't run PostgreSQL, and there is no user {_USER}")
    folder = Path(tempfile.mkdtemp(prefix="ts-pg-"))  # a socket's path must be short
    if os.getuid() == 0:
        shutil.chown(folder, _USER, _USER)
    server = Postgres(folder, binaries)
    try:
        server.initialise()
        server.start()
        yield server
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Of a service with an empty, migrated database."""
    if request.param == "sqlite":
        return Settings(home=tmp_path / "home")
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    server.create(name, "migrated")
    return Settings(home=tmp_path / "home", database_url=server.url(name))


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = open_database(settings)
    yield database
    database.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """URL of a bucket on an S3 server; the environment that leads there is set."""
    pytest.importorskip("moto", reason="the S3 server of the tests is not installed (pip install 'moto[s3]')")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }
    try:
        for _ in range(600):
            try:
                httpx.put(f"{endpoint}/frames").raise_for_status()
                break
            except httpx.TransportError:
                assert server.poll() is None, "the S3 server did not start"
                time.sleep(0.05)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            yield "s3://frames/line"
    finally:
        server.kill()
        server.wait()


RECORD = FrameRecord(
    id="0" * 32,
    organisation_id=ORGANISATION,
    part="P-1",
    line="L1",
    view="top",
    trial="",
    captured_at=None,
    received_at=datetime(2026, 5, 1, 4, 0, tzinfo=UTC),
    verdict="pass",
    reason=None,
    rule=None,
    score=1.0,
    thresholds={"t1": 1.0, "t2": 2.0, "region": 2.0},
    regions=[],
    recipe="blob",
    product="",
    variant="",
    model_version="1",
    graph_sha256="0" * 64,
    image_sha256="0" * 64,
    image_type="image/png",
    width_px=64,
    height_px=64,
    map_sha256=None,
    map_scale=None,
    timings_ms={"read": 1.0},
    process={},
)


@pytest.fixture(scope="session")
def make_record() -> Callable[..., FrameRecord]:
    """`make_record(7, verdict="reject")`: a frame's row, number 7."""
    return lambda number, **changes: replace(RECORD, id=f"{number:032x}", **changes)
