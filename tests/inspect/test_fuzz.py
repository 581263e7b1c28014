"""Mutated frames: never a crash, never much memory or time, never `pass` for what can't be decoded.

Three thousand in the test run; `TRIALSIGHT_FUZZ=50000 pytest tests/inspect/test_fuzz.py -s` for all fifty thousand.
They run in a process of their own (`python tests/inspect/test_fuzz.py PACKAGE COUNT SEED LAST_INPUT`), which a
decoder's crash takes down; LAST_INPUT then holds the input that did it.

Each frame shows a bright defect in its last rows, which the package rejects, on the mid-gray with which libjpeg fills
what is missing, which the package passes. So a `pass` means that a defect was lost on the way.
"""

import io
import json
import os
import random
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trialsight import FrameError, Inspector, Verdict
from trialsight.card import Preparation
from trialsight.image import Limits, check_header, decode

COUNT = int(os.environ.get("TRIALSIGHT_FUZZ", "3000"))
WIDTH, HEIGHT = 96, 64
INTERESTING = (0, 1, 2, 3, 7, 8, 16, 0x7F, 0x80, 0xFF, 255, 8000, 30_000, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
LOSSES = ("cut", "delete", "hole")


def defective() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) RGB: mid-gray with noise, and a white block in the last rows."""
    pixels = np.random.default_rng(0).integers(118, 139, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[HEIGHT - 28 : HEIGHT - 2, WIDTH - 40 : WIDTH - 4] = 255
    return pixels


def by_opencv(suffix: str, pixels: np.ndarray, *parameters: int) -> bytes:
    return cv2.imencode(suffix, pixels, list(parameters))[1].tobytes()


def by_pillow(kind: str, image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def seeds() -> dict[str, bytes]:
    rgb = defective()
    deep = rgb[..., ::-1].astype(np.uint16) * 257
    image = Image.fromarray(rgb)
    palette = image.quantize(64)
    alpha = image.copy()
    alpha.putalpha(200)
    exif = Image.Exif()
    exif[0x0112] = 3
    return {
        "jpeg": by_pillow("JPEG", image, quality=90),
        "jpeg-gray": by_pillow("JPEG", image.convert("L"), quality=80),
        "jpeg-restarts": by_opencv(".jpg", rgb, cv2.IMWRITE_JPEG_RST_INTERVAL, 3),
        "jpeg-progressive": by_pillow("JPEG", image, quality=90, progressive=True),
        "jpeg-cmyk": by_pillow("JPEG", image.convert("CMYK"), quality=90),
        "jpeg-exif": by_pillow("JPEG", image.rotate(180), quality=90, exif=exif),
        "png": by_pillow("PNG", image),
        "png-16": by_opencv(".png", deep),
        "png-palette": by_pillow("PNG", palette),
        "png-alpha": by_pillow("PNG", alpha),
        "bmp": by_pillow("BMP", image),
        "bmp-palette": by_pillow("BMP", palette),
        "bmp-32": by_pillow("BMP", alpha),
        "tiff": by_pillow("TIFF", image),
        "tiff-16": by_opencv(".tiff", deep),
        "tiff-lzw": by_opencv(".tiff", rgb),
        "tiff-deflate": by_pillow("TIFF", image, compression="tiff_adobe_deflate"),
        "tiff-alpha": by_pillow("TIFF", alpha),
        "tiff-two-pages": by_pillow("TIFF", image, save_all=True, append_images=[image]),
    }


BASES = seeds()


def mutate(data: bytes, other: bytes, chance: random.Random) -> tuple[str, bytes]:
    """The kind of the mutation, and its result."""
    kind = chance.choice(("header", "number", "bytes", "cut", "delete", "hole", "repeat", "splice"))
    out = bytearray(data)
    at = chance.randrange(len(out))
    length = min(chance.choice((16, 64, 512, 4096)), len(out) - at)
    if kind == "header":
        for _ in range(chance.randint(1, 6)):
            out[chance.randrange(min(len(out), 640))] = chance.choice((0, 0xFF, chance.randrange(256)))
    elif kind == "number":
        size, form = chance.choice(((1, "B"), (2, "<H"), (2, ">H"), (4, "<I"), (4, ">I")))
        place = chance.randrange(min(len(out), 640) - size)
        struct.pack_into(form, out, place, chance.choice(INTERESTING) & (256**size - 1))
    elif kind == "bytes":
        for _ in range(chance.randint(1, 20)):
            out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del out[at:]
    elif kind == "delete":
        del out[at : at + length]
    elif kind == "hole":
        out[at : at + length] = bytes(length)
    elif kind == "repeat":
        out[at:at] = out[at : at + length]
    else:
        out[at:] = other[at:]
    if data[:4] == b"\x89PNG" and kind not in LOSSES and chance.random() < 0.7:
        out = with_right_checksums(out)
    return kind, bytes(out)


def with_right_checksums(png: bytearray) -> bytearray:
    """So that a mutation reaches libpng instead of ending at the checksum."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            break
        struct.pack_into(">I", png, end, zlib.crc32(png[at + 4 : end]))
        at = end + 4
    return png


def pillow_refuses(data: bytes) -> bool:
    """A second opinion."""
    try:
        Image.open(io.BytesIO(data)).load()
    except Exception:
        return True
    return False


def memory_mb(field: str) -> float:
    """`VmRSS`: what this process holds; `VmHWM`: the most it ever held (`ru_maxrss` would begin at the parent's)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{field}:"))) / 1024


def fuzz(package: Path, count: int, seed: int, last_input: Path) -> dict[str, object]:
    """Inspect `count` mutations and report. Anything but a FrameError or an inspection ends it."""
    inspector = Inspector.load(package)
    names = list(BASES)
    for name, data in BASES.items():
        if name != "tiff-two-pages":
            assert inspector(data).verdict is Verdict.REJECT, f"{name}: {inspector(data).reason}"
    before = memory_mb("VmRSS")
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    passes: list[str] = []
    slowest = (0.0, "")
    with last_input.open("wb", buffering=0) as file:
        for index in range(count):
            name = names[index % len(names)]
            siblings = [BASES[other] for other in names if other.split("-")[0] == name.split("-")[0]]
            kind, data = mutate(BASES[name], chance.choice(siblings), chance)
            file.seek(0)
            file.truncate()
            file.write(data)
            started = time.process_time()
            try:
                outcome = inspector(data).verdict.value
            except FrameError as error:
                outcome = error.fault.value
            slowest = max(slowest, (time.process_time() - started, f"{name} {kind} {index}"))
            outcomes[outcome] += 1
            if outcome == Verdict.PASS and (kind in LOSSES or pillow_refuses(data)):
                passes.append(f"{name} {kind} {index}")
    return {
        "count": count,
        "outcomes": dict(outcomes.most_common()),
        "passes": passes,
        "slowest_s": round(slowest[0], 4),
        "slowest": slowest[1],
        "growth_mb": round(memory_mb("VmHWM") - before, 1),
    }


def test_mutated_frames_are_refused_or_judged(make_package: Callable[..., Path], tmp_path: Path) -> None:
    package = make_package(preparation=Preparation(WIDTH, HEIGHT, WIDTH, HEIGHT), golden={})
    last_input = tmp_path / "last-input"
    done = subprocess.run(
        [sys.executable, __file__, str(package), str(COUNT), "1", str(last_input)], capture_output=True, text=True
    )
    assert done.returncode == 0, f"input {last_input} ended the process: {done.returncode} {done.stderr[-2000:]}"
    report = json.loads(done.stdout)
    print(json.dumps(report, indent=2))
    assert report["passes"] == []
    assert report["growth_mb"] < 200
    assert report["slowest_s"] < 1, report["slowest"]
    assert report["outcomes"]["reject"] > 0  # mutations of what doesn't matter leave a picture
    assert report["outcomes"]["undecodable"] > COUNT / 4


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(BASES)),
    cut=st.integers(0, 4000) | st.just(0),
    edits=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=12),
)
def test_edited_headers_give_pixels_of_the_promised_size_or_a_frame_error(
    name: str, cut: int, edits: list[tuple[int, int]]
) -> None:
    data = bytearray(BASES[name][: max(len(BASES[name]) - cut, 0)])
    for at, value in edits:
        if at < len(data):
            data[at] = value
    try:
        header = check_header(bytes(data), Limits())
        pixels = decode(bytes(data), header)
    except FrameError:
        return
    assert pixels.dtype == np.uint8
    assert sorted(pixels.shape[:2]) == sorted((header.height_px, header.width_px))


if __name__ == "__main__":
    print(json.dumps(fuzz(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
