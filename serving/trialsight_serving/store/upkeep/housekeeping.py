"""What a service does for itself once a minute: anchor the audit record, make room, take away what nobody needs, count
what counts nobody else; once a day what reads the whole store."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.package import CARD
from trialsight_serving.outbox.queue import drop_older
from trialsight_serving.settings import Settings
from trialsight_serving.store import audit
from trialsight_serving.store.audit.anchors import add_anchors
from trialsight_serving.store.database import Database, Transact
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.tables import idempotency_keys
from trialsight_serving.store.upkeep.leader import Leader
from trialsight_serving.store.upkeep.models_size import count_models
from trialsight_serving.store.upkeep.purge import note_orphans, purge
from trialsight_serving.store.upkeep.recount import recount
from trialsight_serving.store.upkeep.retention import Policy, Removed, remove_old, remove_oldest
from trialsight_serving.store.upkeep.space import Space
from trialsight_serving.store.upkeep.statistics import refresh_statistics

log = structlog.get_logger(__name__)
LOCK = 0x7472_6964
_SWEEP = timedelta(days=1)
_RECOUNT_S = 5.0  # of each round, as long as there is something


def policy_of(settings: Settings) -> Policy:
    keep: dict[str, timedelta] = {verdict: timedelta(days=days) for verdict, days in settings.keep_days.items()}
    return Policy(keep, _golden_frames(settings.paths))


def _golden_frames(home: Home) -> frozenset[str]:
    """sha256 of the golden frames of every model package in the home: they prove a model."""
    cards = (json.loads(card.read_text(encoding="utf-8")) for card in home.packages.glob(f"*/*/{CARD}"))
    return frozenset(frame["sha256"] for card in cards for frame in card["golden"])


class Housekeeping:
    """One process of those that share a database does it; `once` is a round, also for the command line."""

    def __init__(
        self, settings: Settings, database: Database, images: ImageStore, space: Space, transact: Transact
    ) -> None:
        self._settings, self._database, self._images, self._space = settings, database, images, space
        self._transact = transact
        self._leader = Leader(database, settings.paths.root / "housekeeping.lock", LOCK)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._swept_at: datetime | None = None
        self._short = False

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        self._leader.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._leader.lead():
                    self.once()
            except (SQLAlchemyError, OSError, RuntimeError, TrialsightError) as error:
                log.error("housekeeping failed, tried again later", problem=str(error))
            self._stop.wait(self._settings.housekeeping_s)

    def once(self, now: datetime | None = None) -> Removed:
        now = now or datetime.now(UTC)
        self._anchor()
        policy = policy_of(self._settings)
        removed = remove_old(self._transact, policy, now)
        self._make_room(policy, removed)
        self._transact(partial(drop_older, before=now - timedelta(days=self._settings.outbox_keep_days)))
        self._transact(partial(_forget_keys, before=now - timedelta(days=self._settings.idempotency_days)))
        if self._swept_at is None or now - self._swept_at > _SWEEP:
            self._transact(refresh_statistics)
            note_orphans(self._transact, self._images, now)
            self._swept_at = now
        count_models(self._transact, self._settings.paths)
        if counted := recount(self._database, self._transact, self._images, _RECOUNT_S):
            log.info("counted what was stored before it was counted", rows=counted)
        files, freed = purge(self._transact, self._images, now)
        if removed.frames or files:
            log.info("made room", parts=removed.parts, frames=removed.frames, bytes=freed)
        return removed

    def _anchor(self) -> None:
        with self._database.read() as connection:
            heads = audit.heads(connection)
        for head in add_anchors(self._settings.paths.audit_anchors, heads):
            log.info("audit anchor", organisation=head.organisation_id, seq=head.seq, hash=head.hash)

    def _make_room(self, policy: Policy, removed: Removed) -> None:
        wanted = self._settings.disk_keep_free_mb * 2**20
        if wanted == 0 or self._space.free_bytes() >= wanted:
            return

        def enough() -> bool:
            purge(self._transact, self._images)
            return self._space.free_bytes() >= wanted or self._stop.is_set()

        more = remove_oldest(self._transact, replace(policy, keep={}), enough)
        for verdict, count in more.parts.items():
            removed.parts[verdict] = removed.parts.get(verdict, 0) + count
        removed.frames += more.frames
        removed.files |= more.files
        short = self._space.free_bytes() < wanted
        if short and not self._short:  # said once
            log.error("the disk is short of room and nothing more may be deleted", keep_free_mb=wanted // 2**20)
        self._short = short


def _forget_keys(connection: Connection, before: datetime) -> int:
    old = sa.select(idempotency_keys.c.frame_id).where(idempotency_keys.c.created_at < before).limit(1000)
    found = list(connection.execute(old).scalars())
    connection.execute(idempotency_keys.delete().where(idempotency_keys.c.frame_id.in_(found)))
    return len(found)
