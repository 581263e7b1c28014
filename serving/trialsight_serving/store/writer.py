"""One writer, many waiters: records that arrive while a commit runs share the next one, and its fsync."""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from trialsight_serving.store.database import Database

T = TypeVar("T")
MAX_GROUP = 256


@dataclass
class _Task:
    work: Callable[[Connection], Any]
    future: "Future[Any]" = field(default_factory=Future)
    result: Any = None


class Writer:
    """`submit(work)` runs `work(connection)` in the writer's thread; its future is done after the commit. `transact`
    waits for it, and where nobody is writing does it itself: to wake a thread costs more than most work.

    In a group each piece of work has its own savepoint: one that fails (a key that exists) takes none along.
    A group is what came in during the commit before it: a lone record waits for nothing, a burst is grouped.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks: deque[_Task] = deque()
        self._writing = threading.Lock()  # whoever has it commits what has come
        self._lock = threading.Lock()  # nothing may be added behind the end
        self._closed = False
        self._wanted = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Raises RuntimeError once the writer is closed. `asyncio.wrap_future` makes the result awaitable."""
        task = self._add(work)
        self._wanted.release()
        return task.future

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Waits for the commit; not for the event loop. Raises RuntimeError once the writer is closed."""
        task = self._add(work)
        with self._writing:
            while not task.future.done():
                self._commit_next()
        done: T = task.future.result()
        return done

    def close(self) -> None:
        """Commits what was submitted before, then ends."""
        with self._lock:
            self._closed = True
        self._wanted.release()
        self._thread.join()

    def _add(self, work: Callable[[Connection], Any]) -> _Task:
        task = _Task(work)
        with self._lock:
            if self._closed:
                raise RuntimeError("the store is closed")
            self._tasks.append(task)
        return task

    def _run(self) -> None:
        while True:
            self._wanted.acquire()
            ended = self._closed
            with self._writing:
                while self._tasks:
                    self._commit_next()
            if ended:
                return

    def _commit_next(self) -> None:
        group: list[_Task] = []
        while self._tasks and len(group) < MAX_GROUP:
            group.append(self._tasks.popleft())
        self._commit(group)

    def _commit(self, group: list[_Task]) -> None:
        running = [task for task in group if task.future.set_running_or_notify_cancel()]
        if len(running) == 1:
            self._commit_alone(running[0])
        elif running:
            self._commit_together(running)

    def _commit_alone(self, task: _Task) -> None:
        try:
            with self._database.write() as connection:
                task.result = task.work(connection)
        except Exception as error:  # nothing of it was stored
            task.future.set_exception(error)
        else:
            task.future.set_result(task.result)

    def _commit_together(self, running: list[_Task]) -> None:
        done: list[_Task] = []
        try:
            with self._database.write() as connection:
                for task in running:
                    try:
                        with connection.begin_nested():
                            task.result = task.work(connection)
                        done.append(task)
                    except Exception as error:  # the waiter gets it
                        task.future.set_exception(error)
                        if _rolled_back(connection):
                            raise  # a full disk: SQLite has undone the whole group
        except Exception as error:  # the transaction itself: nothing of the group was stored
            for task in running:
                if not task.future.done():
                    task.future.set_exception(error)
            return
        for task in done:
            task.future.set_result(task.result)


def _rolled_back(connection: Connection) -> bool:
    """Whether SQLite has ended the transaction by itself."""
    raw = connection.connection.dbapi_connection
    return isinstance(raw, sqlite3.Connection) and not raw.in_transaction
