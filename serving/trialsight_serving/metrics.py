"""Prometheus metrics, in a registry of the app's own so that two apps in one process don't mix."""

from collections.abc import Callable, Iterable
from dataclasses import asdict

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trialsight_serving.store.usage import Usage

_STAGES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.frames = Counter(
            "trialsight_frames",
            "Frames answered with a verdict; reason: the rule, or why there is none",
            ["line", "verdict", "reason"],
            registry=self.registry,
        )
        self.deadline_missed = Counter(
            "trialsight_deadline_missed",
            "Frames answered later than they were needed",
            ["line"],
            registry=self.registry,
        )
        self.ready = Gauge("trialsight_ready", "1 where frames get verdicts", registry=self.registry)
        self.rejected = Counter(
            "trialsight_frames_refused", "Frames refused, by problem", ["line", "problem"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "trialsight_stage_seconds",
            "Time of one frame's stages",
            ["stage"],
            buckets=_STAGES_S,
            registry=self.registry,
        )
        self.depth = Gauge(
            "trialsight_queue_depth", "Frames admitted and not yet answered", ["line"], registry=self.registry
        )
        self.shadow = Counter(
            "trialsight_shadow_frames", "Frames offered to challengers", ["recipe", "outcome"], registry=self.registry
        )
        self.decisions = Counter("trialsight_decisions", "Decisions of people", ["decision"], registry=self.registry)

        self._frames_used = Gauge(
            "trialsight_usage_frames", "Frames inspected", ["organisation", "period"], registry=self.registry
        )
        self._bytes_stored = Gauge(
            "trialsight_usage_stored_bytes", "Pictures and maps kept", ["organisation"], registry=self.registry
        )
        self._quota = Gauge(
            "trialsight_quota",
            "What an organisation may use, where limited",
            ["organisation", "of"],
            registry=self.registry,
        )

    def show_usage(self, usage: Iterable[Usage]) -> None:
        """Called at each look: the numbers lie in the database."""
        self._quota.clear()
        for one in usage:
            self._frames_used.labels(one.organisation, "day").set(one.frames_today)
            self._frames_used.labels(one.organisation, "month").set(one.frames_this_month)
            self._bytes_stored.labels(one.organisation).set(one.stored_bytes)
            for name, limit in asdict(one.quota).items():
                if limit is not None:
                    self._quota.labels(one.organisation, name).set(limit)

    def follow_models(self, models: Callable[[], Iterable[tuple[str, str]]], faults: Callable[[], int]) -> None:
        """`models` gives (recipe, version) of those live, `faults` how many champions could not be taken."""
        self.registry.register(_Models(models, faults))

    def render(self) -> bytes:
        return generate_latest(self.registry)


class _Models(Collector):
    def __init__(self, models: Callable[[], Iterable[tuple[str, str]]], faults: Callable[[], int]) -> None:
        self._models, self._faults = models, faults

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily("trialsight_model_info", "Models that give verdicts", labels=["recipe", "version"])
        for recipe, version in self._models():
            info.add_metric([recipe, version], 1)
        yield info
        yield GaugeMetricFamily("trialsight_model_faults", "Champions that could not be taken", value=self._faults())
