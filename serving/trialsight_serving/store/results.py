"""One frame's way into the store: its files, then one transaction, then the answer: what was answered is not lost."""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.frames import ExpectedViews, FrameRecord, insert_frame
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.upkeep.purge import FileGoneError, keep_files, note_unneeded
from trialsight_serving.store.usage import count_frame
from trialsight_serving.store.writer import Writer

# Two processes can bring the same new part, or the same key, at once: the second to commit looks again.
_AGAIN = (FileGoneError, sa.exc.IntegrityError)


Writing: TypeAlias = "Future[bool]"


@dataclass(frozen=True)
class Results:
    """`hand_on`: puts the stored result into the outbox, within its transaction. `counted_by`: see `store.usage`."""

    writer: Writer
    images: ImageStore
    disks: Executor
    hand_on: Callable[[Connection, FrameRecord, str | None], None]
    counted_by: str = field(default_factory=new_id)

    def begin(self, name: str, data: bytes) -> Writing:
        """Start to write a file whose row will follow: the disk works while the frame is inspected."""
        return self.disks.submit(self.images.put, data, name)

    def forget(self, name: str, begun: Writing) -> None:
        """No row will follow: the file goes, unless another row needs it. Waits for nothing."""

        def note(written: Writing) -> None:
            if not written.cancelled() and written.exception() is None and written.result():
                with contextlib.suppress(RuntimeError):  # the store is closing: a check finds the file later
                    self.writer.submit(lambda connection: note_unneeded(connection, [name]))

        begun.add_done_callback(note)

    def add(
        self,
        record: FrameRecord,
        files: Mapping[str, bytes],
        key: str | None,
        expected: ExpectedViews | None,
        begun: Mapping[str, Writing] | None = None,
        *,
        limited: bool = True,
    ) -> FrameRecord:
        """Waits for the disk, in the caller's thread. `files`: by sha256; `begun`: those that are being written.
        `limited`: whether the organisation may have a quota. Raises KeyTakenError, QuotaError; then, and on OSError,
        SQLAlchemyError or RuntimeError, nothing is stored."""
        record = replace(record, stored_bytes=sum(map(len, files.values())))
        try:
            return self._try(record, files, key, expected, begun or {}, limited)
        except _AGAIN:
            return self._try(record, files, key, expected, {}, limited)

    def _try(
        self,
        record: FrameRecord,
        files: Mapping[str, bytes],
        key: str | None,
        expected: ExpectedViews | None,
        begun: Mapping[str, Writing],
        limited: bool,
    ) -> FrameRecord:
        fresh = {name: self.images.put(data, name) for name, data in files.items() if name not in begun}
        fresh |= {name: writing.result() for name, writing in begun.items()}
        found = [name for name, is_fresh in fresh.items() if not is_fresh]

        def work(connection: Connection) -> FrameRecord:
            keep_files(connection, self.images, found)
            stored = insert_frame(connection, record, key, expected)
            count_frame(connection, self.counted_by, stored, limited=limited)
            self.hand_on(connection, stored, key)
            return stored

        return self.writer.transact(work)
