"""Traces as a real collector gets them over OTLP/HTTP: the camera's trace goes on to the receiver."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from trialsight.home import Home

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
Serve = Callable[..., httpx.Client]
Span = dict[str, Any]
Collected = tuple[str, list[Span], list[str | None]]


@pytest.fixture
def collector() -> Iterator[Collected]:
    """An OTLP/HTTP collector on loopback, and the spans that it got; `/hook` takes webhooks, whose `traceparent`s come
    last."""
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans: list[Span] = []
    hooked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    service = {one.key: one.value.string_value for one in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        spans.extend(span_of(one) | {"service": service["service.name"]} for one in scope.spans)
            else:
                hooked.append(self.headers["traceparent"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", spans, hooked
    server.shutdown()
    thread.join()
    server.server_close()


def span_of(span: Any) -> Span:
    values = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
    return {
        "name": span.name,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "began": span.start_time_unix_nano,
        "ended": span.end_time_unix_nano,
        "failed": span.status.code == 2,
        "attributes": values,
    }


def test_a_frame_s_way_from_the_camera_s_span_to_its_receiver(
    promoted: Home, serve: Serve, bad: bytes, collector: Collected, eventually: Callable[..., None]
) -> None:
    url, spans, _ = collector
    target = {"kind": "webhook", "name": "mes", "url": f"{url}/hook", "secret": "whsec_" + "MTIzNDU2Nzg" * 4}
    given = PNG | {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "camera=1"}
    with serve(promoted, otlp_endpoint=url, outbox=[target]) as client:
        posted = client.post(FRAMES, content=bad, headers=given, params={"part": "P-1"}).json()
        broken = client.post(FRAMES, content=b"no picture", headers=given)
        assert broken.status_code == 415
        eventually(lambda: client.get("/v1/outbox").json()["targets"][0]["delivered"] == 1)
    assert {span["trace"] for span in spans} == {TRACE}
    assert {span["service"] for span in spans} == {"trialsight"}
    first, second = sorted((span for span in spans if span["name"] == "frame"), key=lambda span: span["began"])
    assert (first["parent"], second["parent"]) == (PARENT, PARENT)
    attributes = first["attributes"]
    assert (attributes["trialsight.line"], attributes["trialsight.part"]) == ("L1", "P-1")
    assert (attributes["trialsight.verdict"], attributes["trialsight.result"]) == ("reject", posted["id"])
    assert attributes["trialsight.score"] == pytest.approx(posted["score"])
    mine = {span["name"]: span for span in spans if span["parent"] == first["id"]}
    assert mine.keys() == {"read", "admission", "decode", "run", "post", "store", "outbox"}
    ordered = [mine[name] for name in ("read", "admission", "decode", "run", "post", "store")]
    assert all(one["began"] <= one["ended"] <= after["ended"] for one, after in pairwise(ordered))
    assert all(first["began"] <= one["began"] and one["ended"] <= first["ended"] for one in ordered)
    took_ms = (mine["run"]["ended"] - mine["run"]["began"]) / 1e6
    assert took_ms == pytest.approx(posted["timings_ms"]["infer"], abs=0.01)
    assert mine["outbox"]["attributes"] == {"trialsight.target": "mes", "trialsight.result": posted["id"]}
    assert second["failed"]
    assert second["attributes"]["error.type"] == "frame-not-an-image"


def test_a_message_that_waits_for_a_restart_still_belongs_to_its_frame_s_trace(
    promoted: Home, serve: Serve, bad: bytes, collector: Collected, eventually: Callable[..., None]
) -> None:
    url, spans, hooked = collector
    target = {"kind": "webhook", "name": "mes", "url": "http://127.0.0.1:9", "secret": "whsec_" + "MTIzNDU2Nzg" * 4}
    with serve(promoted, otlp_endpoint=url, outbox=[target]) as client:
        given = PNG | {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        posted = client.post(FRAMES, content=bad, headers=given).json()
        eventually(lambda: client.get("/v1/outbox").json()["targets"][0]["problem"] is not None)
    frame = next(span for span in spans if span["name"] == "frame")
    assert "outbox" not in {span["name"] for span in spans}
    with serve(promoted, otlp_endpoint=url, outbox=[target | {"url": f"{url}/hook"}]) as client:
        eventually(lambda: client.get("/v1/outbox").json()["targets"][0]["delivered"] == 1)
    handed_on = next(span for span in spans if span["name"] == "outbox")
    assert (handed_on["trace"], handed_on["parent"]) == (TRACE, frame["id"])
    assert handed_on["attributes"] == {"trialsight.target": "mes", "trialsight.result": posted["id"]}
    assert hooked == [f"00-{TRACE}-{frame['id']}-01"], "the receiver can go on with it"


def test_what_the_camera_does_not_sample_is_not_traced(
    promoted: Home, serve: Serve, bad: bytes, collector: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, spans, _ = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "line-1")
    with serve(promoted) as client:
        unsampled = PNG | {"traceparent": f"00-{TRACE}-{PARENT}-00"}
        assert client.post(FRAMES, content=bad, headers=unsampled).status_code == 200
        assert client.post(FRAMES, content=bad, headers=PNG | {"traceparent": "nonsense"}).status_code == 200
    assert TRACE not in {span["trace"] for span in spans}
    assert {span["service"] for span in spans} == {"line-1"}
    assert len({span["trace"] for span in spans}) == 1


def test_a_collector_that_is_away_costs_no_frame(promoted: Home, serve: Serve, bad: bytes, tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed")
    with serve(promoted, otlp_endpoint="http://127.0.0.1:9") as client:
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"
