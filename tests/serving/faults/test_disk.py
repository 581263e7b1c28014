"""A disk that is full: no frame is taken that could only be half stored, and all is well once there is room again."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from trialsight.home import Home

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., AbstractContextManager[httpx.Client]]
ROOM = 400_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a disk of its own can't be mounted here (root can)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_answers_507_and_stores_nothing_by_halves(
    promoted: Home, small_disk: Path, serve: Serve, frame: Callable[..., bytes]
) -> None:
    home = Home.at(small_disk / "home")
    shutil.copytree(promoted.root, home.root)
    with serve(home, disk_min_free_mb=0) as client:
        stored = [client.post(FRAMES, content=frame(seed=1), headers=PNG).json()]
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(max(0, shutil.disk_usage(small_disk).free - ROOM)))
        refused = None
        for seed in range(2, 400):
            answer = client.post(FRAMES, content=frame(seed=seed), headers=PNG)
            if answer.status_code != 200:
                refused = answer
                break
            stored.append(answer.json())
        assert refused is not None, "the disk did not fill up"
        assert (refused.status_code, refused.json()["type"]) == (507, "urn:trialsight:problem:storage-full")
        assert client.get("/livez").status_code == 200
        ballast.unlink()
        stored.append(client.post(FRAMES, content=frame(seed=1000), headers=PNG).json())
        assert stored[-1]["verdict"] == "pass"
        listed = client.get("/v1/parts?limit=200").json()["parts"]
        assert {part["last_frame_id"] for part in listed} >= {one["id"] for one in stored[-100:]}
        for one in stored:
            assert client.get(one["image_url"]).status_code == 200
            assert client.get(one["map_url"]).status_code == 200
    assert not list(home.images.rglob("*.tmp")), "a file cut short was left behind"


def test_below_the_watermark_no_frame_is_read(promoted: Home, serve: Serve, frame: Callable[..., bytes]) -> None:
    with serve(promoted, disk_min_free_mb=2**40) as client:
        answer = client.post(FRAMES, content=frame(), headers=PNG)
        assert (answer.status_code, answer.json()["type"]) == (507, "urn:trialsight:problem:storage-full")
        assert client.get("/v1/parts").json()["parts"] == []
    assert not promoted.images.exists()
