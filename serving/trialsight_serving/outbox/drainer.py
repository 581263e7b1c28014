"""Hands messages on: a thread for each target, so that one that is away holds up no other."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from trialsight_serving.outbox.queue import Message, oldest, remove, waiting_lines
from trialsight_serving.outbox.sending import Sender, Sent, make_sender
from trialsight_serving.outbox.targets import Target
from trialsight_serving.store.database import Database
from trialsight_serving.store.upkeep.leader import Leader
from trialsight_serving.store.writer import Writer

log = structlog.get_logger(__name__)
POLL_S = 1.0
_BATCH = 100
_LOCK = 0x7472_6963  # any number, the same in every process
_FIRST_PAUSE_S = 0.5


@dataclass
class _Pause:
    """How long to leave a line, or a whole target, alone. `until`: monotonic seconds."""

    failures: int = 0
    until: float = 0.0

    def over(self) -> bool:
        return time.monotonic() >= self.until

    def longer(self, most_s: float, at_least_s: float | None) -> None:
        """Twice as long as before, up to `most_s`, less a random half, so that not all come back at once."""
        pause_s = min(most_s, _FIRST_PAUSE_S * 2**self.failures) * random.uniform(0.5, 1.0)  # noqa: S311
        self.failures = min(self.failures + 1, 30)
        self.until = time.monotonic() + max(pause_s, min(at_least_s or 0.0, most_s))


@dataclass(frozen=True)
class TargetState:
    """`problem`: why the last attempt failed, None where it did not."""

    name: str
    kind: str
    delivered: int = 0
    problem: str | None = None


class Drainer:
    """`handed_on(target, messages, began_ns)` hears of each batch that was delivered."""

    def __init__(
        self,
        targets: Sequence[Target],
        database: Database,
        writer: Writer,
        lock: Path,
        handed_on: Callable[[str, Sequence[Message], int], None] = lambda *_: None,
    ) -> None:
        self._database, self._writer, self._handed_on = database, writer, handed_on
        self._leader = Leader(database, lock, _LOCK)
        self._leading, self._stop = threading.Event(), threading.Event()
        self._workers = [_Worker(target, self) for target in targets]
        self._watch = threading.Thread(target=self._run, name="outbox-leader", daemon=True)

    @property
    def states(self) -> list[TargetState]:
        return [worker.state for worker in self._workers]

    @property
    def leading(self) -> bool:
        return self._leading.is_set()

    def start(self) -> None:
        if self._workers:
            for thread in (self._watch, *(worker.thread for worker in self._workers)):
                thread.start()

    def wake(self) -> None:
        """Something was put into the outbox."""
        for worker in self._workers:
            worker.news.set()

    def close(self) -> None:
        """A thread that waits for the other side is a daemon and keeps nobody; what it sent is sent again."""
        self._stop.set()
        self.wake()
        if self._workers:
            for thread in (self._watch, *(worker.thread for worker in self._workers)):
                thread.join(timeout=POLL_S + 1)
        self._leader.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            led = self._leading.is_set()
            if self._leader.lead():
                self._leading.set()
            else:
                self._leading.clear()
            if led != self._leading.is_set():
                log.info("outbox", leading=not led)
                self.wake()
            self._stop.wait(POLL_S)


class _Worker:
    """One target's thread."""

    def __init__(self, target: Target, drainer: Drainer) -> None:
        self._target, self._drainer = target, drainer
        self._pause, self._pauses = _Pause(), dict[str, _Pause]()
        self._problems: dict[str, str] = {}  # by line; "" for the target as a whole
        self.state = TargetState(target.name, target.kind)
        self.news = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"outbox-{target.name}", daemon=True)

    def _run(self) -> None:
        sender = make_sender(self._target)
        try:
            while not self._drainer._stop.is_set():
                self.news.clear()
                busy = self._drainer.leading and self._pause.over() and self._round(sender)
                if not busy:
                    self.news.wait(POLL_S if self._pause.over() else max(0.05, self._pause.until - time.monotonic()))
        finally:
            sender.close()

    def _round(self, sender: Sender) -> bool:
        """A batch of each line that waits. Whether more may be there."""
        more = False
        try:
            with self._drainer._database.read() as connection:
                lines = waiting_lines(connection, self._target.name)
            for line in lines:
                if self._pauses.setdefault(line, _Pause()).over() and self._pause.over():
                    more |= self._line(sender, line)
        except (SQLAlchemyError, RuntimeError, OSError) as error:  # the store is away, or closed under us
            self._failed("", Sent((), f"the store does not answer: {error}", unreachable=True))
            return False
        return more

    def _line(self, sender: Sender, line: str) -> bool:
        with self._drainer._database.read() as connection:
            messages = oldest(connection, self._target.name, line, _BATCH)
        began_ns = time.time_ns()
        sent = sender.send(messages)
        if sent.done:
            delivered = [message for message in messages if message.id in set(sent.done)]
            self._drainer._handed_on(self._target.name, delivered, began_ns)
            self._drainer._writer.submit(partial(remove, ids=sent.done)).result()
            self.state = replace(self.state, delivered=self.state.delivered + len(sent.done))
        if sent.problem is not None:
            self._failed(line, sent)
            return False
        if [self._problems.pop(key) for key in (line, "") if key in self._problems]:
            log.info("outbox target takes messages again", target=self._target.name, line=line)
        self.state = replace(self.state, problem=next(iter(self._problems.values()), None))
        self._pauses[line], self._pause = _Pause(), _Pause()
        return len(messages) == _BATCH

    def _failed(self, line: str, sent: Sent) -> None:
        assert sent.problem is not None
        key = "" if sent.unreachable else line
        if key not in self._problems:  # said once, not at every attempt
            log.warning("outbox target takes no messages", target=self._target.name, line=line, problem=sent.problem)
        self._problems[key] = sent.problem
        self.state = replace(self.state, problem=sent.problem)
        pause = self._pause if sent.unreachable else self._pauses.setdefault(line, _Pause())
        pause.longer(self._target.retry_max_s, sent.retry_after_s)
