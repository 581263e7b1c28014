"""One frame's way into the store: its files, then one transaction, then the answer: what was answered is not lost."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.frames import ExpectedViews, FrameRecord, insert_frame
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.purge import FileGoneError, keep_files
from trialsight_serving.store.writer import Writer

# Two processes can bring the same new part, or the same key, at once: the second to commit looks again.
_AGAIN = (FileGoneError, sa.exc.IntegrityError)


@dataclass(frozen=True)
class Results:
    """`hand_on`: puts the stored result into the outbox, within its transaction."""

    writer: Writer
    images: ImageStore
    disks: Executor
    hand_on: Callable[[Connection, FrameRecord, str | None], None]

    async def add(
        self, record: FrameRecord, files: Mapping[str, bytes], key: str | None, expected: ExpectedViews | None
    ) -> FrameRecord:
        """`files`: by sha256. Raises KeyTakenError; on OSError, SQLAlchemyError or RuntimeError nothing is stored."""
        try:
            return await self._try(record, files, key, expected)
        except _AGAIN:
            return await self._try(record, files, key, expected)

    async def _try(
        self, record: FrameRecord, files: Mapping[str, bytes], key: str | None, expected: ExpectedViews | None
    ) -> FrameRecord:
        loop = asyncio.get_running_loop()
        puts = [loop.run_in_executor(self.disks, self.images.put, data, name) for name, data in files.items()]
        written = await asyncio.gather(*puts)
        found = [name for name, fresh in zip(files, written, strict=True) if not fresh]

        def work(connection: Connection) -> FrameRecord:
            keep_files(connection, self.images, found)
            stored = insert_frame(connection, record, key, expected)
            self.hand_on(connection, stored, key)
            return stored

        return await asyncio.wrap_future(self.writer.submit(work))
