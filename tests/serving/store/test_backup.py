"""A backup taken while frames come in is a whole home; a damaged one is refused; nothing is ever overwritten."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight_serving.models.promotion import promote
from trialsight_serving.settings import Settings
from trialsight_serving.store.upkeep.backup import MANIFEST, backup, restore

Serve = Callable[..., httpx.Client]
FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def saved(promoted_template: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A backup that was made under load, and the ids that had been answered before it began. The home is gone."""
    folder = tmp_path_factory.mktemp("saved")
    home = Home.at(folder / "home")
    shutil.copytree(promoted_template, home.root)
    answered: list[str] = []
    stop = threading.Event()
    image = next(home.packages.glob("*/1/golden/bad.png")).read_bytes()

    with serve(home) as client:

        def post() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                data = image + number.to_bytes(4)  # bytes behind the end of a PNG make another file of it
                answer = client.post(FRAMES, content=data, headers=PNG, params={"part": f"P-{number}"})
                assert answer.status_code == 200, answer.text
                answered.append(answer.json()["id"])

        thread = threading.Thread(target=post)
        thread.start()
        while len(answered) < 10:
            stop.wait(0.01)
        before = list(answered)
        manifest = backup(Settings(home=home.root), folder / "backup")
        stop.set()
        thread.join()
    assert manifest.images > len(before)  # and the one map that they share
    shutil.rmtree(home.root)
    return folder / "backup", before


def test_a_backup_under_load_restores_to_a_home_that_serves_and_promotes(
    saved: tuple[Path, list[str]], serve: Serve, tmp_path: Path, bad: bytes
) -> None:
    source, ids = saved
    home = Home.at(tmp_path / "elsewhere" / "home")
    restore(source, home)
    with serve(home) as client:
        for frame in ids:
            found = client.get(f"/v1/frames/{frame}").json()
            assert client.get(found["image_url"]).status_code == 200
            assert client.get(found["map_url"]).status_code == 200
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"
    shutil.rmtree(home.packages)
    promote(home, "blob", "2")  # fetched from the registry's artifacts, which lie elsewhere now


def test_a_home_that_holds_something_is_not_overwritten(saved: tuple[Path, list[str]], promoted: Home) -> None:
    before = promoted.database.read_bytes()
    with pytest.raises(TrialsightError, match="holds something already"):
        restore(saved[0], promoted)
    assert promoted.database.read_bytes() == before


def test_a_backup_is_not_overwritten_and_does_not_lie_in_its_home(
    saved: tuple[Path, list[str]], promoted: Home
) -> None:
    with pytest.raises(TrialsightError, match="holds something already"):
        backup(Settings(home=promoted.root), saved[0])
    with pytest.raises(TrialsightError, match="lies in the home itself"):
        backup(Settings(home=promoted.root), promoted.root / "backup")


def _change(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


DAMAGE = {
    "the database": lambda folder: _change(folder / "trialsight.db"),
    "a model": lambda folder: _change(next(folder.glob("packages/*/*/model.onnx"))),
    "an image": lambda folder: _change(next(folder.glob("images/??/*"))),
    "an image is missing": lambda folder: next(folder.glob("images/??/*")).unlink(),
    "a file is missing": lambda folder: next(folder.glob("packages/*/*/card.json")).unlink(),
    "the manifest is missing": lambda folder: (folder / MANIFEST).unlink(),
    "the manifest is no JSON": lambda folder: (folder / MANIFEST).write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_backup_is_refused_and_leaves_nothing(
    saved: tuple[Path, list[str]], tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(saved[0], broken)
    damage(broken)
    with pytest.raises(TrialsightError):
        restore(broken, Home.at(tmp_path / "home"))
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_a_manifest_cannot_lead_out_of_the_home(saved: tuple[Path, list[str]], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(saved[0], broken)
    manifest = json.loads((broken / MANIFEST).read_text())
    manifest["files"]["../../evil"] = "0" * 64
    (broken / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(TrialsightError, match="outside of the home"):
        restore(broken, Home.at(tmp_path / "home"))


def test_an_image_that_rotted_in_the_home_is_told_of_and_kept(
    promoted: Home, serve: Serve, bad: bytes, tmp_path: Path
) -> None:
    with serve(promoted) as client:
        client.post(FRAMES, content=bad, headers=PNG)
    rotten = next(promoted.images.glob("??/*"))
    _change(rotten)
    assert backup(Settings(home=promoted.root), tmp_path / "backup").damaged == (rotten.name,)
    assert restore(tmp_path / "backup", Home.at(tmp_path / "again")).damaged == (rotten.name,)


@pytest.mark.parametrize(
    "settings", [{"database_url": "postgresql://db/x"}, {"images_url": "s3://bucket"}], ids=["PostgreSQL", "S3"]
)
def test_what_lies_elsewhere_is_backed_up_there(settings: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(TrialsightError, match="pg_dump"):
        backup(Settings(home=tmp_path / "home", **settings), tmp_path / "backup")
