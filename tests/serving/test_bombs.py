"""Pictures that unpack to gigabytes, and answers to them that cost nothing."""

import gzip
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
PROBLEM = "application/problem+json"


def resident_mb() -> float:
    """Most memory that this process, with the service in it, ever had."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def png(width: int, height: int, pixels: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*one) for one in ((b"IHDR", head), *chunks, (b"IDAT", zlib.compress(pixels, 1)), (b"IEND", b""))
    )


def tiff(width: int, height: int, strip: bytes) -> bytes:
    """Gray, of one deflated strip."""
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (273, 4, 8),
               (277, 3, 1), (278, 4, height), (279, 4, len(strip))]  # fmt: skip
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    return struct.pack("<2sHI", b"II", 42, 8 + len(strip)) + strip + directory + bytes(4)


ZEROS = bytes(2**26)
PACKED = zlib.compress(ZEROS, 1)
TEXT = b"zTXt", b"k\0\0" + zlib.compress(bytes(7_900_000), 9)
BOMBS = {
    "a PNG of 900 megapixels": ("image/png", lambda: png(30_000, 30_000, ZEROS), 413),
    "a PNG that unpacks to more than its pixels": ("image/png", lambda: png(64, 64, ZEROS), 422),
    "a PNG of packed texts": ("image/png", lambda: png(64, 64, bytes(65 * 64), *[TEXT] * 300), 200),
    "a TIFF of 900 megapixels": ("image/tiff", lambda: tiff(30_000, 30_000, PACKED), 413),
    "a TIFF that unpacks to more than its pixels": ("image/tiff", lambda: tiff(64, 64, PACKED), 422),
}


@pytest.mark.parametrize(("kind", "make", "status"), BOMBS.values(), ids=BOMBS.keys())
def test_a_picture_that_unpacks_to_gigabytes_costs_nothing(
    target: httpx.Client, kind: str, make: Callable[[], bytes], status: int
) -> None:
    bomb = make()
    assert len(bomb) < 2**22
    before, began = resident_mb(), time.process_time()
    for name, answer in {
        "frame": target.post(FRAMES, content=bomb, headers={"Content-Type": kind}),
        "form": target.post(FRAMES, files={"file": ("a", bomb, kind)}),
    }.items():
        assert answer.status_code == status, (name, answer.text)
    worked_s = time.process_time() - began
    assert resident_mb() - before < 64
    if status == 200:
        assert worked_s < 100 * unpacking_s(), "of 600 texts none was unpacked"


def unpacking_s() -> float:
    """Processor time that one text of TEXT costs whoever unpacks it."""
    began = time.process_time()
    for _ in range(5):
        zlib.decompress(TEXT[1][3:])
    return (time.process_time() - began) / 5


def test_nothing_is_unpacked(target: httpx.Client, good: bytes) -> None:
    for path, headers in ((FRAMES, PNG), ("/v1/parts/decisions", {"Content-Type": "application/json"})):
        answer = target.post(path, content=gzip.compress(good), headers=headers | {"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:trialsight:problem:content-encoding")
        assert answer.headers["accept-encoding"] == "identity"
