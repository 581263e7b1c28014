"""Looks at the lines' newest frames, in a thread of its own: nothing here is on a frame's way."""

import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from trialsight_serving.drift.ask import ask_retraining
from trialsight_serving.drift.cause import BY_EXCLUSION, PHYSICAL, cause_of
from trialsight_serving.drift.look import Finding, look
from trialsight_serving.drift.overruled import overruled_verdicts
from trialsight_serving.drift.sample import Sample
from trialsight_serving.drift.tell import tell
from trialsight_serving.settings import DriftSettings, Settings
from trialsight_serving.store.database import Database, Transact
from trialsight_serving.store.drift import (
    AlarmRecord,
    ReferenceRecord,
    Watched,
    begin_reference,
    drop_looks,
    fill_reference,
    find_reference,
    insert_look,
    list_looks,
    open_alarm,
    save_alarm,
    settled_seq,
    signals_of,
    watched_since,
)
from trialsight_serving.store.frames import newest_seq
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.upkeep.leader import Leader

log = structlog.get_logger(__name__)
SERVICE = "service"
LOCK = 0x7472_6965
_BEHIND = 5000  # frames that a service which was down looks back on
_KEEP_LOOKS = timedelta(days=62)
LONGER = 4  # windows by which a share of the frames is judged
CLEAR = 2  # looks in a row that must see nothing more before an alarm ends


class Watch:
    """One process of those that share a database does it; `once` is a round."""

    def __init__(
        self, settings: Settings, database: Database, transact: Transact, told: Callable[[], None] = lambda: None
    ) -> None:
        self._settings, self._database, self._transact, self._told = settings, database, transact, told
        self._leader = Leader(database, settings.paths.root / "drift.lock", LOCK)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
        self._seq: int | None = None
        self._new: dict[Watched, int] = {}  # frames since the last look

    @property
    def _knobs(self) -> DriftSettings:
        return self._settings.drift

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        self._leader.close()

    def _run(self) -> None:
        while not self._stop.wait(self._knobs.every_s):
            try:
                if self._leader.lead():
                    self.once()
            except (SQLAlchemyError, OSError, RuntimeError) as error:
                log.error("drift was not looked at, tried again later", problem=str(error))

    def once(self) -> None:
        """Look at whatever sent enough frames since the last round."""
        with self._database.read() as connection:
            newest = newest_seq(connection)
            since = max(0, newest - _BEHIND) if self._seq is None else self._seq
            seen = watched_since(connection, since)
        self._seq = newest
        for of, (first_seq, count) in seen.items():
            self._new[of] = self._new.get(of, 0) + count
            self._begin(of, first_seq)
        for of in [of for of, count in self._new.items() if count >= self._knobs.step]:
            self._one(of)
        self._transact(partial(drop_looks, before=datetime.now(UTC) - _KEEP_LOOKS))

    def _begin(self, of: Watched, first_seq: int) -> None:
        """A version that was never seen on this line gets a reference of its own."""
        with self._database.read() as connection:
            known = find_reference(connection, of) is not None
        if not known:
            self._transact(lambda c: begin_reference(c, of, first_seq, SERVICE, datetime.now(UTC)))

    def _one(self, of: Watched) -> None:
        knobs = self._knobs
        with self._database.read() as connection:
            reference = find_reference(connection, of)
            assert reference is not None
            if reference.last_seq is None:
                frames = signals_of(connection, of, reference.first_seq - 1, knobs.reference, newest=False)
            else:
                # What an alarm that is over has left in the frames must not raise another.
                since = max(reference.last_seq, settled_seq(connection, reference))
                frames = signals_of(connection, of, since, LONGER * knobs.window, newest=True)
        if reference.last_seq is None and len(frames) == knobs.reference:
            sample, last = Sample.of(frames).to_bytes(), frames[-1].seq
            self._transact(lambda c: fill_reference(c, reference, sample, last))
            self._new[of] = 0
        elif reference.last_seq is not None and len(frames) >= knobs.window:
            self._look(reference, Sample.of(frames))
            self._new[of] = 0

    def _look(self, reference: ReferenceRecord, recent: Sample) -> None:
        assert reference.sample is not None
        with self._database.read() as connection:
            people = overruled_verdicts(connection, reference, self._knobs.window // 2)
        found = look(Sample.from_bytes(reference.sample), recent, self._knobs.window, self._knobs.alpha, people)
        seq, now = int(recent.seqs[-1]), datetime.now(UTC)

        def write(connection: Connection) -> AlarmRecord | None:
            before = open_alarm(connection, reference.of)
            seen_before = any(
                one["drifted"] for look in list_looks(connection, reference.id, 1) for one in look.findings
            )
            insert_look(connection, reference, seq, now, [_plain(one) for one in found])
            after = alarm_after(before, reference, found, seq, now, self._knobs.alpha, seen_before)
            if after is None:
                return None
            save_alarm(connection, after)
            if before is None:
                ask_retraining(connection, self._settings.paths, after)
            if before is None or before.cause != after.cause or after.ended_at is not None:
                tell(connection, after, self._settings.outbox)
                return after
            return None

        changed = self._transact(write)
        if changed is not None:
            self._told()
            state = "ended" if changed.ended_at else "seen"
            log.warning("drift", line=changed.line, view=changed.view, cause=changed.cause, state=state)


def alarm_after(
    before: AlarmRecord | None,
    reference: ReferenceRecord,
    found: list[Finding],
    seq: int,
    now: datetime,
    alpha: float,
    seen_before: bool,
) -> AlarmRecord | None:
    """How the view's alarm stands after a look: none, a new one, the same one seen again, or at its end.
    `seen_before`: whether the look before this one found drift too."""
    cause = cause_of(found)
    seen_itself = before is not None and before.cause not in BY_EXCLUSION
    if cause is None or (seen_itself and cause in BY_EXCLUSION):  # the window still holds frames of the first cause
        if before is None:
            return None
        moved = {one["measure"] for one in before.findings if one["drifted"]}
        mine = [one for one in found if one.measure in moved and (one.group in PHYSICAL or not seen_itself)]
        still = any(one.still(alpha) for one in mine)
        clear = 0 if still else before.clear_looks + 1
        return replace(before, clear_looks=clear, ended_at=now if clear >= CLEAR else None)
    findings = [_plain(one) for one in found]
    if before is not None:
        return replace(before, cause=cause.value, findings=findings, seen_at=now, clear_looks=0)
    if cause in BY_EXCLUSION and not seen_before:
        return None
    of = reference.of
    return AlarmRecord(
        id=new_id(),
        organisation_id=of.organisation,
        line=of.line,
        view=of.view,
        recipe=of.recipe,
        version=of.version,
        reference_id=reference.id,
        cause=cause.value,
        findings=findings,
        opened_at=now,
        opened_seq=seq,
        seen_at=now,
    )


def _plain(one: Finding) -> dict[str, Any]:
    """For a JSON column; numbers to five digits."""
    values = {name: float(f"{value:.5g}") if isinstance(value, float) else value for name, value in asdict(one).items()}
    return values | {"group": one.group.value}
