"""Metrics that are looked up when Prometheus asks: the outbox, the storage, the models in memory."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Protocol

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from trialsight import __version__
from trialsight_serving.outbox.drainer import Drainer
from trialsight_serving.outbox.queue import waiting
from trialsight_serving.store.database import Database
from trialsight_serving.store.upkeep.space import Space

log = structlog.get_logger(__name__)


class _Loaded(Protocol):
    def memory_bytes(self) -> int: ...


class Standing(Collector):
    """Asked in a thread. What can't be read now is left out, never shown as an old or a made-up number."""

    def __init__(
        self,
        database: Database,
        space: Space,
        outbox: Drainer,
        models: Callable[[], Iterable[_Loaded]],
    ) -> None:
        self._database, self._space, self._outbox, self._models = database, space, outbox, models

    def collect(self) -> Iterable[Metric]:
        build = GaugeMetricFamily("trialsight_build_info", "The version that runs", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        memory = sum(one.memory_bytes() for one in self._models())
        yield GaugeMetricFamily("trialsight_models_bytes", "Memory that loaded models take, about", value=memory)
        yield from self._told(self._storage)
        yield from self._told(self._waiting)
        delivered = CounterMetricFamily(
            "trialsight_outbox_delivered", "Messages that this process has handed on", labels=["target"]
        )
        for state in self._outbox.states:
            delivered.add_metric([state.name], state.delivered)
        yield delivered

    def _told(self, look: Callable[[], Iterable[Metric]]) -> list[Metric]:
        try:
            return list(look())
        except (SQLAlchemyError, OSError) as error:
            log.warning("metrics are incomplete", problem=str(error))
            return []

    def _storage(self) -> Iterable[Metric]:
        free = self._space.free_bytes()
        yield GaugeMetricFamily("trialsight_storage_free_bytes", "Left on the fullest disk", value=free)
        size = self._database.size_bytes()
        yield GaugeMetricFamily("trialsight_storage_database_bytes", "What the database takes", value=size)

    def _waiting(self) -> Iterable[Metric]:
        count = GaugeMetricFamily("trialsight_outbox_waiting", "Messages not yet handed on", labels=["target"])
        age = GaugeMetricFamily("trialsight_outbox_age_seconds", "Age of the oldest of them", labels=["target"])
        with self._database.read() as connection:
            found = {one.target: one for one in waiting(connection)}
        now = datetime.now(UTC)
        for target in sorted(found.keys() | {state.name for state in self._outbox.states}):
            one = found.get(target)
            count.add_metric([target], 0 if one is None else one.count)
            age.add_metric([target], 0 if one is None else max(0.0, (now - one.oldest_at).total_seconds()))
        yield count
        yield age
