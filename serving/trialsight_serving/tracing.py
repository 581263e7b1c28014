"""A frame's way as OpenTelemetry spans, where a collector is named; else nothing, and nothing is imported.

The camera's `traceparent` (W3C Trace Context) is taken over, so its own span and ours make one trace. Spans: frame, and
in it read, admission, decode, run, post, store; outbox once a message of it was handed on, be it after a restart.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trialsight import __version__
from trialsight.errors import TrialsightError
from trialsight_serving.problems import Problem
from trialsight_serving.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from trialsight_serving.outbox.queue import Message

_REMEMBERED = 1_000  # results that are about to be stored: far more than can be on their way at once
_TIMEOUT_S = 5


class FrameTrace:
    """Of a frame that nobody traces. Times are `time.time_ns()`."""

    id: str | None = None

    def __enter__(self) -> "FrameTrace":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """A refusal is the frame's own error."""

    def stage(self, name: str, began_ns: int, ended_ns: int | None = None) -> None:
        """A stage that ends now, unless told."""

    def stages(self, began_ns: int, taken_ms: Mapping[str, float]) -> None:
        """Stages that followed each other without a gap."""

    def answered(self, result_id: str, attributes: Mapping[str, str | float | None]) -> None:
        """What became of the frame."""


class Tracing:
    """Of a service that traces nothing."""

    def frame(self, headers: Mapping[str, str], line: str) -> FrameTrace:  # noqa: ARG002
        return FrameTrace()

    def traceparent(self, result_id: str) -> str | None:  # noqa: ARG002
        """Of the frame whose result is about to be stored; None where it is not traced."""
        return None

    def handed_on(self, target: str, messages: Sequence["Message"], began_ns: int) -> None:
        """These reached their target."""

    def close(self) -> None:
        """Sends what is left."""


def open_tracing(settings: Settings) -> Tracing:
    """By `otlp_endpoint`, or OpenTelemetry's own OTEL_EXPORTER_OTLP_ENDPOINT. Raises TrialsightError where the library
    is not installed."""
    endpoint = settings.otlp_endpoint
    named = (
        endpoint
        or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )
    if not named or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ModuleNotFoundError:
        raise TrialsightError("traces need OpenTelemetry", "pip install 'trialsight[otel]'") from None
    sampler = None if "OTEL_TRACES_SAMPLER" in os.environ else ParentBasedTraceIdRatio(settings.trace_ratio)
    name = os.environ.get("OTEL_SERVICE_NAME", "trialsight")
    resource = Resource.create({"service.name": name, "service.version": __version__})
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    url = None if endpoint is None else f"{endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=_TIMEOUT_S)))
    return _Live(provider)


class _Live(Tracing):
    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("trialsight", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._contexts: OrderedDict[str, Context] = OrderedDict()

    def frame(self, headers: Mapping[str, str], line: str) -> FrameTrace:
        from opentelemetry.trace import SpanKind

        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        parent = self._propagator.extract(carrier)
        span = self._tracer.start_span("frame", parent, SpanKind.SERVER, {"trialsight.line": line})
        return _LiveFrame(self, span) if span.is_recording() else FrameTrace()

    def traceparent(self, result_id: str) -> str | None:
        carrier: dict[str, str] = {}
        if (context := self._contexts.get(result_id)) is not None:
            self._propagator.inject(carrier, context)
        return carrier.get("traceparent")

    def handed_on(self, target: str, messages: Sequence["Message"], began_ns: int) -> None:
        from opentelemetry.trace import SpanKind

        for message in messages:
            if message.traceparent is not None:
                context = self._propagator.extract({"traceparent": message.traceparent})
                given = {"trialsight.target": target, "trialsight.result": message.result_id}
                self._tracer.start_span("outbox", context, SpanKind.PRODUCER, given, start_time=began_ns).end()

    def close(self) -> None:
        self._provider.shutdown()

    def child(self, name: str, context: "Context", began_ns: int, ended_ns: int) -> None:
        self._tracer.start_span(name, context, start_time=began_ns).end(ended_ns)

    def remember(self, result_id: str, context: "Context") -> None:
        self._contexts[result_id] = context
        while len(self._contexts) > _REMEMBERED:
            self._contexts.popitem(last=False)


class _LiveFrame(FrameTrace):
    def __init__(self, tracing: _Live, span: "Span") -> None:
        from opentelemetry.trace import format_trace_id, set_span_in_context

        self._tracing, self._span = tracing, span
        self._context = set_span_in_context(span)
        self.id = format_trace_id(span.get_span_context().trace_id)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from opentelemetry.trace import Status, StatusCode

        if isinstance(error, Problem):
            self._span.set_attributes({"http.response.status_code": error.status, "error.type": error.slug})
            self._span.set_status(Status(StatusCode.ERROR, error.detail))
        elif error is not None:
            self._span.record_exception(error)
            self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._span.end()

    def stage(self, name: str, began_ns: int, ended_ns: int | None = None) -> None:
        self._tracing.child(name, self._context, began_ns, ended_ns or time.time_ns())

    def stages(self, began_ns: int, taken_ms: Mapping[str, float]) -> None:
        for name, ms in taken_ms.items():
            ended_ns = began_ns + round(ms * 1e6)
            self.stage(name, began_ns, ended_ns)
            began_ns = ended_ns

    def answered(self, result_id: str, attributes: Mapping[str, str | float | None]) -> None:
        given: dict[str, Any] = {f"trialsight.{name}": value for name, value in attributes.items() if value is not None}
        self._span.set_attributes(given | {"trialsight.result": result_id})
        self._tracing.remember(result_id, self._context)
