"""Frames and maps, on a disk and on S3: found again by their content, and never taken from a row that needs them."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import Database
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.images import ImageStore, name_of, open_images
from trialsight_serving.store.images.local import LocalImages
from trialsight_serving.store.results import Results
from trialsight_serving.store.upkeep.purge import YOUNG, note_unneeded, purge
from trialsight_serving.store.writer import Writer

LATER = datetime.now(UTC) + timedelta(hours=1)
Serve = Callable[..., httpx.Client]


@pytest.fixture(params=["disk", "s3"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    url = None if request.param == "disk" else f"{request.getfixturevalue('s3')}/{os.urandom(4).hex()}"
    return open_images(Settings(home=tmp_path / "home", images_url=url))


def test_a_file_is_stored_once_and_found_by_its_content(images: ImageStore) -> None:
    name = hashlib.sha256(b"pixels").hexdigest()
    assert name == name_of(b"pixels")
    assert (images.put(b"pixels", name), images.put(b"pixels", name)) == (True, False)
    assert (images.get(name), images.size(name)) == (b"pixels", 6)
    assert [(file.sha256, file.size) for file in images.files()] == [(name, 6)]
    with pytest.raises(FileNotFoundError):
        images.get("f" * 64)
    assert images.size("f" * 64) is None


def test_a_young_file_is_not_deleted(images: ImageStore) -> None:
    name = name_of(b"pixels")
    images.put(b"pixels", name)
    assert images.delete(name, datetime.now(UTC) - YOUNG) == 0
    assert images.size(name)
    assert images.delete(name, LATER) == 6
    assert images.delete(name, LATER) == 0
    assert not images.size(name)


def test_a_write_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    images = LocalImages(tmp_path / "images")
    images.put(b"pixels", name_of(b"pixels"))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name_of(b"pixels")]


def test_a_file_where_an_older_version_put_it_is_found(tmp_path: Path) -> None:
    name = name_of(b"pixels")
    older = tmp_path / name[:2] / name[2:4] / name
    older.parent.mkdir(parents=True)
    older.write_bytes(b"pixels")
    images = LocalImages(tmp_path)
    assert not images.put(b"pixels", name)
    assert (images.get(name), images.size(name)) == (b"pixels", 6)
    assert [file.sha256 for file in images.files()] == [name]
    assert images.delete(name, LATER) == 6
    assert images.put(b"pixels", name)
    assert (older.exists(), images.get(name)) == (False, b"pixels")


@pytest.mark.parametrize("url", ["https://example.com/x", "gs://bucket", "folder"])
def test_a_url_that_is_not_s3_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(TrialsightError, match="no S3 URL"):
        open_images(Settings(home=tmp_path, images_url=url))


def test_a_store_that_is_away_is_an_oserror(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    images = open_images(Settings(images_url=s3))
    with pytest.raises(OSError, match="does not answer"):
        images.put(b"pixels", name_of(b"pixels"))


def test_the_service_keeps_its_frames_on_s3(s3: str, promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted, images_url=f"{s3}/served") as client:
        posted = client.post("/v1/lines/L1/frames", content=bad, headers={"Content-Type": "image/png"}).json()
        assert posted["verdict"] == "reject"
        assert client.get(posted["image_url"]).content == bad
        assert client.get(posted["map_url"]).headers["content-type"] == "image/png"
    assert not promoted.images.exists()


def add(database: Database, images: ImageStore, record: FrameRecord, data: bytes) -> FrameRecord:
    """As the service does it."""
    writer = Writer(database)
    name = name_of(data)
    with ThreadPoolExecutor(2) as disks:
        results = Results(writer, images, disks, lambda *_: None)
        stored = results.add(replace(record, image_sha256=name), {name: data}, None, None)
    writer.close()
    return stored


def test_purge_takes_only_what_no_row_needs(
    database: Database, images: ImageStore, make_record: Callable[..., FrameRecord]
) -> None:
    add(database, images, make_record(1), b"needed")
    for data in (b"not needed", b"young"):
        images.put(data, name_of(data))
    with database.write() as connection:
        note_unneeded(connection, [name_of(b"needed"), name_of(b"not needed"), "f" * 64])
    assert purge(database.transact, images) == (0, 0)  # all are young
    assert purge(database.transact, images, LATER) == (1, len(b"not needed"))
    assert {file.sha256 for file in images.files()} == {name_of(b"needed"), name_of(b"young")}
    assert purge(database.transact, images, LATER) == (0, 0)


def test_a_picture_that_comes_again_while_it_is_taken_away_is_there(
    database: Database, images: ImageStore, make_record: Callable[..., FrameRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purge runs between the frame's file, which is found to be there, and the frame's row."""
    name = name_of(b"again")
    images.put(b"again", name)
    with database.write() as connection:
        note_unneeded(connection, [name])
    transact = Writer.transact
    purged: list[tuple[int, int]] = []

    def purge_first(self: Writer, work: object) -> object:
        if not purged:
            purged.append(purge(database.transact, images, LATER))
        return transact(self, work)  # type: ignore[arg-type]

    monkeypatch.setattr(Writer, "transact", purge_first)
    add(database, images, make_record(1), b"again")
    assert purged == [(1, 5)]
    assert images.get(name) == b"again"
    assert purge(database.transact, images, LATER) == (0, 0)
    assert images.size(name)
