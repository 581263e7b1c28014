"""Frames on the camera's own disk until the service has answered for them: in order, each once, through any power cut.

One SQLite file. A frame is in it before anything is sent, with the Idempotency-Key under which it is sent however
often, and leaves it with the answer; what it holds after a crash is sent again and gets its first answer.
"""

import sqlite3
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trialsight.errors import TrialsightError
from trialsight.source import CameraFrame

_SCHEMA = """
CREATE TABLE IF NOT EXISTS frames (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, part TEXT NOT NULL,
    content_type TEXT NOT NULL, truth TEXT, captured_at TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS taken (origin TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Waiting:
    seq: int
    key: str
    frame: CameraFrame


@dataclass(frozen=True)
class Backlog:
    """`lost`: frames that made room for newer ones since the spool was made."""

    frames: int
    bytes: int
    lost: int


class Spool:
    """A ring of at most `limit_bytes`. One process at a time; its threads may share it.

    Raises TrialsightError where the folder can't be written, or another agent has it.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._last_at: datetime | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / "spool.db", timeout=2.0, isolation_level=None, check_same_thread=False)
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "auto_vacuum=NONE"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO counts VALUES ('lost', 0)")
        except (OSError, sqlite3.Error) as error:
            raise TrialsightError(
                f"the camera's buffer in {folder} can't be used: {error}",
                "is another agent running with it? Give each camera its own --buffer",
            ) from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def has_room(self, size: int) -> bool:
        """Whether a frame of `size` bytes fits without one making room for it; an empty spool takes any."""
        backlog = self.backlog()
        return backlog.frames == 0 or backlog.bytes + size <= self._limit

    def put(self, frame: CameraFrame) -> int:
        """Keep a frame; durable when this returns. The oldest make room where they must: how many of them did."""
        at = frame.captured_at or datetime.now(UTC)
        row = (uuid.uuid4().hex, frame.part, frame.content_type, frame.truth, at.isoformat(), frame.data)
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            lost = self._make_room(len(frame.data))
            self._db.execute(
                "INSERT INTO frames (key, part, content_type, truth, captured_at, data) VALUES (?, ?, ?, ?, ?, ?)", row
            )
            if frame.origin:
                self._db.execute("INSERT OR IGNORE INTO taken VALUES (?)", (frame.origin,))
        self._last_at = at
        return lost

    def last_at(self) -> datetime | None:
        """When the newest frame was captured; None before the first since the spool was opened."""
        return self._last_at

    def took(self, origin: str) -> bool:
        """Whether a frame of this origin was ever put here."""
        with self._lock:
            return self._db.execute("SELECT 1 FROM taken WHERE origin = ?", (origin,)).fetchone() is not None

    def forget(self) -> None:
        """All origins: whoever shows the same files again then means to."""
        with self._lock:
            self._db.execute("DELETE FROM taken")

    def first(self) -> Waiting | None:
        """The oldest frame that has no answer yet."""
        with self._lock:
            row = self._db.execute(
                "SELECT seq, key, part, content_type, truth, captured_at, data FROM frames ORDER BY seq LIMIT 1"
            ).fetchone()
        if row is None:
            return None
        seq, key, part, kind, truth, at, data = row
        return Waiting(seq, key, CameraFrame(data, kind, part, truth, datetime.fromisoformat(at)))

    def done(self, seq: int) -> None:
        with self._lock, self._db:
            self._db.execute("DELETE FROM frames WHERE seq = ?", (seq,))

    def backlog(self) -> Backlog:
        with self._lock:
            frames, size = self._db.execute("SELECT count(*), coalesce(sum(length(data)), 0) FROM frames").fetchone()
            (lost,) = self._db.execute("SELECT value FROM counts WHERE name = 'lost'").fetchone()
        return Backlog(frames, size, lost)

    def _make_room(self, size: int) -> int:
        held, lost = self._db.execute("SELECT coalesce(sum(length(data)), 0) FROM frames").fetchone()[0], []
        for seq, length in self._db.execute("SELECT seq, length(data) FROM frames ORDER BY seq"):
            if held + size <= self._limit:
                break
            lost.append((seq,))
            held -= length
        self._db.executemany("DELETE FROM frames WHERE seq = ?", lost)
        self._db.execute("UPDATE counts SET value = value + ? WHERE name = 'lost'", (len(lost),))
        return len(lost)
