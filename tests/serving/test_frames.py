"""One frame's way over HTTP: the contract's answer, what is stored, and every frame that can't be inspected."""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator

import cv2
import httpx
import numpy as np
import pytest

from trialsight.home import Home

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def client(promoted: Home, serve: Callable[..., httpx.Client]) -> Iterator[httpx.Client]:
    with serve(promoted) as client:
        yield client


def test_a_frame_gets_the_contracts_answer(client: httpx.Client, bad: bytes) -> None:
    query = {"part": "P-1", "view": "top", "trial": "T7", "captured_at": "2026-05-01T12:00:00+08:00"}
    answer = client.post(FRAMES, content=bad, headers=PNG, params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["part"], body["view"], body["trial"], body["line"]) == ("P-1", "top", "T7", "L1")
    assert (body["verdict"], body["recipe"], body["model"]["version"]) == ("reject", "blob", "1")
    assert body["captured_at"] == "2026-05-01T04:00:00Z"
    assert body["thresholds"] == {"t1": 20.0, "t2": 40.0, "region": 40.0}
    assert body["score"] == pytest.approx(100, abs=3)
    assert body["reason"].startswith("score ")
    assert set(body["timings_ms"]) == {"read", "decode", "queue", "infer", "post", "store"}
    assert all(value >= 0 for value in body["timings_ms"].values())
    (region,) = body["regions"]
    assert region["box_px"] == [40.0, 8.0, 16.0, 16.0]


def test_a_good_frame_passes_and_a_doubtful_one_is_for_review(
    client: httpx.Client, good: bytes, frame: Callable[..., bytes]
) -> None:
    assert client.post(FRAMES, content=good, headers=PNG).json()["verdict"] == "pass"
    assert client.post(FRAMES, content=frame(blob=30), headers=PNG).json()["verdict"] == "review"


def test_what_was_answered_is_stored_with_its_pixels(client: httpx.Client, bad: bytes) -> None:
    posted = client.post(FRAMES, content=bad, headers=PNG).json()
    read = client.get(f"/v1/frames/{posted['id']}").json()
    assert read["timings_ms"].pop("store") is None
    del posted["timings_ms"]["store"]
    assert read == posted
    image = client.get(posted["image_url"])
    assert (image.content, image.headers["content-type"]) == (bad, "image/png")
    deep = client.get(posted["map_url"])
    scale = float(deep.headers["x-map-scale"])
    codes = cv2.imdecode(np.frombuffer(deep.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (codes.shape, codes.dtype) == ((8, 8), np.uint16)
    assert codes.max() / 65535 * scale == pytest.approx(posted["score"])
    shallow = client.get(posted["map_url"], params={"bits": 8})
    codes = cv2.imdecode(np.frombuffer(shallow.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert codes.dtype == np.uint8
    assert (codes[1:3, 5:7] > 240).all()
    assert codes[4:].max() < 20
    assert float(shallow.headers["x-map-scale"]) == scale


def test_a_tiff_is_kept_as_it_came_and_shown_as_a_png(client: httpx.Client, frame: Callable[..., bytes]) -> None:
    tiff = frame(blob=100, suffix=".tiff")
    posted = client.post(FRAMES, content=tiff, headers={"Content-Type": "image/tiff"}).json()
    assert posted["verdict"] == "reject"
    assert client.get(posted["image_url"]).content == tiff
    shown = client.get(posted["image_url"], params={"display": True})
    assert shown.headers["content-type"] == "image/png"
    first, second = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in (tiff, shown.content))
    np.testing.assert_array_equal(first, second)


def test_image_file_lies_under_its_sha256(client: httpx.Client, promoted: Home, good: bytes) -> None:
    client.post(FRAMES, content=good, headers=PNG)
    name = hashlib.sha256(good).hexdigest()
    assert (promoted.images / name[:2] / name).read_bytes() == good


@pytest.mark.parametrize("field", ["file", "frame"])
def test_multipart_is_taken_too(client: httpx.Client, bad: bytes, field: str) -> None:
    answer = client.post(FRAMES, files={field: ("part.png", bad, "image/png")}, params={"part": "P-2"})
    assert (answer.status_code, answer.json()["verdict"], answer.json()["part"]) == (200, "reject", "P-2")


def test_a_part_without_a_serial_gets_one(client: httpx.Client, good: bytes) -> None:
    serials = {client.post(FRAMES, content=good, headers=PNG).json()["part"] for _ in range(2)}
    assert len(serials) == 2
    assert all(serial.startswith("L1-") for serial in serials)


def png_header(width: int, height: int) -> bytes:
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))


def jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


REFUSED = {
    "a truncated JPEG": (FRAMES, jpeg()[:-200], JPEG, 422, "frame-undecodable"),
    "a text file said to be a JPEG": (FRAMES, b"hello, line\n" * 20, JPEG, 415, "frame-not-an-image"),
    "a text file": (FRAMES, b"hello, line\n", {"Content-Type": "text/plain"}, 415, "content-type"),
    "no content type": (FRAMES, b"\xff\xd8\xff", {}, 415, "content-type"),
    "a 30000x30000 PNG header": (FRAMES, png_header(30_000, 30_000), PNG, 413, "frame-too-large"),
    "an empty body": (FRAMES, b"", JPEG, 400, "frame-empty"),
    "an unknown line": ("/v1/lines/L9/frames", jpeg(), JPEG, 404, "line-not-found"),
    "another size than the recipe's": (FRAMES, cv2.imencode(".png", np.zeros((32, 64, 3), np.uint8))[1].tobytes(), PNG,
                                       422, "frame-wrong-geometry"),
    "a form without a file": (FRAMES, b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n",
                              {"Content-Type": "multipart/form-data; boundary=x"}, 400, "multipart"),
    "a form without a boundary": (FRAMES, b"", {"Content-Type": "multipart/form-data"}, 400, "multipart"),
    "a time that is none": (FRAMES + "?captured_at=yesterday", jpeg(), JPEG, 422, "request-invalid"),
    "process parameters that are no object": (FRAMES + "?process=[1]", jpeg(), JPEG, 422, "request-invalid"),
    "a serial with a control character": (FRAMES + "?part=a%00b", jpeg(), JPEG, 422, "request-invalid"),
    "a deadline of nothing": (FRAMES, jpeg(), JPEG | {"X-Deadline-Ms": "0"}, 422, "request-invalid"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "headers", "status", "slug"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_inspected_is_a_problem_of_its_own(
    shared: httpx.Client, good: bytes, path: str, body: bytes, headers: dict[str, str], status: int, slug: str
) -> None:
    answer = shared.post(path, content=body, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:trialsight:problem:{slug}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == path.partition("?")[0]
    assert "remedy" in problem
    assert shared.post(FRAMES, content=good, headers=PNG).json()["verdict"] == "pass", "the service goes on"
    parts = shared.get("/v1/parts", params={"limit": 200}).json()["parts"]
    assert {part["verdict"] for part in parts} == {"pass"}, "a refused frame leaves no part"


OTHER_ERRORS = {
    "no such page": ("GET", "/v1/nothing", 404),
    "a method that is not offered": ("PUT", "/v1/parts", 405),
    "no such frame": ("GET", "/v1/frames/" + "0" * 32, 404),
    "a frame id that can't be one": ("GET", "/v1/frames/../../etc/passwd", 404),
    "no such part": ("GET", "/v1/parts/" + "0" * 32, 404),
    "a cursor that is none": ("GET", "/v1/parts?after=x", 422),
    "a page of nothing": ("GET", "/v1/parts?limit=0", 422),
    "a verdict that is none": ("GET", "/v1/parts?verdict=maybe", 422),
    "a stream of no line": ("GET", "/v1/lines/L9/stream", 404),
}


@pytest.mark.parametrize(("method", "path", "status"), OTHER_ERRORS.values(), ids=OTHER_ERRORS.keys())
def test_every_error_is_a_problem(shared: httpx.Client, method: str, path: str, status: int) -> None:
    answer = shared.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


def test_a_body_over_the_limit_is_refused_while_it_comes(
    promoted: Home, serve: Callable[..., httpx.Client], good: bytes
) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 100 * 2**20:
            sent += 65536
            yield b"\xff\xd8\xff" + bytes(65533)

    with serve(promoted, max_body_bytes=200_000) as client:
        declared = client.post(FRAMES, content=bytes(300_000), headers=JPEG)
        assert (declared.status_code, declared.json()["type"]) == (413, "urn:trialsight:problem:body-too-large")
        form = client.post(FRAMES, files={"file": ("a.jpg", bytes(400_000), "image/jpeg")})
        assert form.status_code == 413
        try:
            chunked = client.post(FRAMES, content=endless(), headers=JPEG)
        except httpx.WriteError:
            pass  # the service hung up on us, as it may
        else:
            assert chunked.status_code == 413
        assert sent < 50 * 2**20
        assert client.post(FRAMES, content=good, headers=PNG).status_code == 200


def test_a_retry_gets_the_first_answer_and_stores_nothing(client: httpx.Client, bad: bytes, good: bytes) -> None:
    headers = PNG | {"Idempotency-Key": "camera-1/000042"}
    first = client.post(FRAMES, content=bad, headers=headers, params={"part": "P-1"}).json()
    again = client.post(FRAMES, content=bad, headers=headers, params={"part": "P-1"}).json()
    assert again["id"] == first["id"]
    assert again["verdict"] == first["verdict"]
    part = client.get(f"/v1/parts/{first['part_id']}").json()
    assert [frame["id"] for frame in part["frames"]] == [first["id"]]
    other = client.post(FRAMES, content=good, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "urn:trialsight:problem:idempotency-key-reused")


def test_process_parameters_come_back(client: httpx.Client, good: bytes) -> None:
    posted = client.post(FRAMES, content=good, headers=PNG, params={"process": '{"temperature_c": 182.5}'}).json()
    assert client.get(f"/v1/frames/{posted['id']}").json()["process"] == {"temperature_c": 182.5}


def test_without_a_champion_the_line_says_what_to_do(
    home: Home, serve: Callable[..., httpx.Client], bad: bytes
) -> None:
    with serve(home) as client:
        answer = client.post(FRAMES, content=bad, headers=PNG)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:trialsight:problem:no-champion")
        assert "trialsight promote" in answer.json()["remedy"]
        assert int(answer.headers["retry-after"]) >= 1
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert client.get("/livez").status_code == 200
