"""A file and the row that names it: stored together, whatever is taken away meanwhile."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.engine import Connection

from trialsight_serving.service import Service
from trialsight_serving.store.images import name_of
from trialsight_serving.store.upkeep.purge import FileGoneError, keep_files

T = TypeVar("T")


async def keep(service: Service, data: bytes, write: Callable[[Connection, str], T]) -> T:
    """The file first, then what `write` does with its name in one transaction."""
    name = name_of(data)

    async def store() -> T:
        fresh = await asyncio.to_thread(service.images.put, data, name)

        def work(connection: Connection) -> T:
            keep_files(connection, service.images, [] if fresh else [name])
            return write(connection, name)

        return await asyncio.wrap_future(service.writer.submit(work))

    try:
        return await store()
    except FileGoneError:  # it was there, and was taken away in this very moment
        return await store()
