"""The store's tests run on SQLite and on a PostgreSQL of their own; S3 is a server of their own too."""

import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # the benchmarks lie beside the tests, in no package of ours

from benchmarks.store.postgres import Postgres, missing, running

from trialsight_serving.settings import Settings
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.tables import ORGANISATION


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that the test may stop."""
    yield from _postgres()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests; `migrated` is a database to copy."""
    for server in _postgres():
        server.execute("CREATE DATABASE migrated")
        open_database(Settings(database_url=server.url("migrated"))).close()
        yield server


def _postgres() -> Iterator[Postgres]:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Of a service with an empty, migrated database."""
    if request.param == "sqlite":
        return Settings(home=tmp_path / "home")
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE migrated")
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
