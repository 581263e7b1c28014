"""What one running service consists of, opened and closed together."""

import asyncio
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from trialsight.health import FrozenWatch
from trialsight.home import model_name
from trialsight_serving.access.known import KnownKeys
from trialsight_serving.access.meter import Meter
from trialsight_serving.access.organisations import list_organisations
from trialsight_serving.admission import Admission
from trialsight_serving.collectors import Standing
from trialsight_serving.drift.watch import Watch
from trialsight_serving.live import News
from trialsight_serving.metrics import Metrics
from trialsight_serving.models.follow import Follower
from trialsight_serving.models.manager import ModelManager
from trialsight_serving.models.registry import PREVIOUS
from trialsight_serving.models.shadow import Shadow
from trialsight_serving.models.tenants import Tenants
from trialsight_serving.outbox.drainer import Drainer
from trialsight_serving.outbox.queue import enqueue
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.images import ImageStore, open_images
from trialsight_serving.store.results import Results
from trialsight_serving.store.upkeep.housekeeping import Housekeeping
from trialsight_serving.store.upkeep.space import Space
from trialsight_serving.store.writer import Writer
from trialsight_serving.tracing import Tracing, open_tracing

FILE_THREADS = 8  # they wait for the disk, not for a core


@dataclass(frozen=True)
class Service:
    settings: Settings
    database: Database
    writer: Writer
    images: ImageStore
    results: Results
    outbox: Drainer
    space: Space
    meter: Meter
    known_keys: KnownKeys
    tenants: Tenants
    admission: Admission
    shadow: Shadow
    news: News
    metrics: Metrics
    tracing: Tracing
    inspectors: ThreadPoolExecutor
    disks: ThreadPoolExecutor
    probes: ThreadPoolExecutor
    frozen: dict[tuple[str, str, int], FrozenWatch] = field(default_factory=dict)  # by lane, view, and how many


@asynccontextmanager
async def open_service(settings: Settings, news: News) -> AsyncIterator[Service]:
    """Store first, models last; closed the other way round, after the last frame was answered."""
    tracing = open_tracing(settings)
    database = await asyncio.to_thread(open_database, settings)
    writer = Writer(database)
    images = open_images(settings)
    disks = ThreadPoolExecutor(FILE_THREADS, "disk")
    tenants = Tenants(partial(_models_of, settings, database, writer, images))
    outbox = Drainer(settings.outbox, database, writer, settings.paths.root / "outbox.lock", tracing.handed_on)
    space = Space(images, settings.paths.root, settings.disk_min_free_mb * 2**20)
    housekeeping = Housekeeping(settings, database, images, space, writer.transact)
    drift = Watch(settings, database, writer.transact, outbox.wake)
    metrics, meter = Metrics(), Meter(database)
    metrics.follow_models(
        lambda: [
            (model_name(model.recipe, one.organisation), model.version)
            for one in tenants.all()
            for model in one.models()
        ],
        lambda: sum(fault.alias != PREVIOUS for one in tenants.all() for fault in one.faults.values()),
    )
    metrics.registry.register(Standing(database, space, outbox, tenants.all))
    hand_on = partial(enqueue, targets=settings.outbox, traceparent=tracing.traceparent)
    admission = Admission(settings.workers, settings.queue_limit, more=math.ceil(settings.workers / 2))
    shadow = Shadow(tenants, writer, metrics, lambda: admission.has_spare)
    service = Service(
        settings=settings,
        database=database,
        writer=writer,
        images=images,
        results=Results(writer, images, disks, hand_on),
        outbox=outbox,
        space=space,
        meter=meter,
        known_keys=KnownKeys(),
        tenants=tenants,
        admission=admission,
        shadow=shadow,
        news=news,
        metrics=metrics,
        tracing=tracing,
        # Admission bounds those that compute; on a slow disk others still store what was inspected.
        inspectors=ThreadPoolExecutor(settings.workers + FILE_THREADS, "inspect"),
        disks=disks,
        probes=ThreadPoolExecutor(1, "probe"),
    )
    try:
        await asyncio.to_thread(tenants.start, await asyncio.to_thread(_organisations, database))
        shadow.start()
        outbox.start()
        housekeeping.start()
        drift.start()
        yield service
    finally:
        news.close()
        await asyncio.to_thread(drift.close)
        await asyncio.to_thread(outbox.close)
        await asyncio.to_thread(housekeeping.close)
        await asyncio.to_thread(tenants.close)
        await asyncio.to_thread(shadow.close)
        service.inspectors.shutdown()
        service.disks.shutdown()
        service.probes.shutdown()
        await asyncio.to_thread(writer.close)
        await asyncio.to_thread(tracing.close)
        database.close()


def _models_of(
    settings: Settings, database: Database, writer: Writer, images: ImageStore, organisation: str
) -> tuple[ModelManager, Follower]:
    paths, limits, fastest = settings.paths, settings.limits, settings.fastest_runtime
    manager = ModelManager(paths, database, writer, images, limits, settings.model_memory_mb, fastest, organisation)
    return manager, Follower(manager, database, settings.poll_s)


def _organisations(database: Database) -> list[str]:
    with database.read() as connection:
        return [one.id for one in list_organisations(connection)]
