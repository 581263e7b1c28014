"""A PostgreSQL server of one's own, on a unix socket in a temporary folder: for the store's tests and its benchmark."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

USER = "postgres"


@dataclass(frozen=True)
class Postgres:
    """`folder` holds the data and the socket; a socket's path must be short."""

    folder: Path
    binaries: Path

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def start(self, *, durable: bool = False) -> None:
        """`durable`: with fsync, as in earnest; tests do without."""
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync={'on' if durable else 'off'}"
        )
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def initialise(self) -> None:
        options = ["-A", "trust", "-U", USER, "-E", "UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "-D", str(self.folder / "data"), *options)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Outside of a transaction."""
        url = sa.make_url(self.url(database)).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()

    def _run(self, program: str, *words: str) -> None:
        """As an unprivileged user: the server refuses to run as root."""
        who: dict[str, Any] = {}
        if os.getuid() == 0:
            found = pwd.getpwnam(USER)
            who = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        command = [self.binaries / program, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=120, **who)


def missing() -> str | None:
    """Why no server can be started here; None where one can."""
    if binaries() is None:
        return "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
    if os.getuid() == 0 and not any(entry.pw_name == USER for entry in pwd.getpwall()):
        return f"root can't run PostgreSQL, and there is no user {USER}"
    return None


def binaries() -> Path | None:
    """Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (on_path := shutil.which("initdb")) is not None:
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A fresh server, gone at the end. Ask `missing` first."""
    found = binaries()
    assert found is not None
    folder = Path(tempfile.mkdtemp(prefix="ts-pg-"))
    if os.getuid() == 0:
        shutil.chown(folder, USER, USER)
    server = Postgres(folder, found)
    try:
        server.initialise()
        server.start(durable=durable)
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
