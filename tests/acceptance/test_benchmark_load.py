"""The load of the service's benchmark: it sends what its plan says, counts what comes, and judges by it."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks/ is a tool of the repository, in no wheel

from benchmarks.service.doors import Driven
from benchmarks.service.load import Plan, Seen, run
from benchmarks.service.tables import Pressed, targets


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    """Refuses every third frame, and hangs up after every fifth answer without saying so."""
    taken: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(429 if len(taken) % 3 == 0 else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            self.close_connection = len(taken) % 5 == 0

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}", taken
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.parametrize("rate_hz", [None, 60.0])
def test_every_frame_gets_its_answer_over_connections_that_end(
    server: tuple[str, list[bytes]], tmp_path: Path, rate_hz: float | None
) -> None:
    url, taken = server
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"frame %d" % number)
    frames = [str(tmp_path / str(number)) for number in range(3)]
    statuses, probe_ms = [], []
    while len(statuses) < 6 or not probe_ms:  # a machine that is held up may do less than that in half a second
        seen = run(Plan(url, "/", frames, clients=2, seconds=0.5, rate_hz=rate_hz, probe="/"))
        statuses += [status for status, _ in seen.answers]
        probe_ms += seen.probe_ms
    assert len(statuses) == len(taken)
    assert (statuses.count(429), statuses.count(200)) == (len(taken) // 3, len(taken) - len(taken) // 3)
    assert set(taken) == {b"frame 0", b"frame 1", b"frame 2"}
    if rate_hz is not None:
        assert len(seen.answers) == pytest.approx(rate_hz * 0.5, abs=4)


def test_targets_follow_from_what_was_seen() -> None:
    def pressed(load: float, ms: list[float], refused: list[float], probe: float) -> Pressed:
        answers = [(200, one) for one in ms] + [(429, one) for one in refused]
        return Pressed("trialsight", load, Driven(Seen(answers, [probe] * 9, 1.0), 0.5), 100)

    found = list(targets([], [pressed(0.8, [10, 10, 19], [], 5), pressed(3.0, [50, 101, 102], [3, 4], 60)]))
    assert [one.holds for one in found] == [True, False, True, False]
    assert found[1].text.endswith("(100 ms)")
