import json

import pytest
from typer.testing import CliRunner

from trialsight import TrialsightError
from trialsight_datasets.commands import app

SMALL = ["--good", "2", "--test-good", "1", "--defects", "1", "--size", "128"]


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_simulate_then_check(tmp_path):
    done = run("simulate", tmp_path / "plate", *SMALL, "--seed", 3, "--json")
    assert done.exit_code == 0
    summary = json.loads(done.stdout)
    assert summary["counts"]["train"] == {"good": 2}
    assert summary["seed"] == 3
    assert "simulating: 8/8" in done.stderr
    checked = run("check", tmp_path / "plate", "--json")
    assert checked.exit_code == 0
    report = json.loads(checked.stdout)
    assert (report["layout"], report["masks"], report["sizes_px"]) == ("mvtec", 5, {"128x128": 8})
    assert report["problems"] == []
    assert report["version"] == summary["version"]


def test_simulate_for_a_person(tmp_path):
    done = run("simulate", tmp_path / "plate", *SMALL)
    assert f"8 images in {tmp_path / 'plate'}: train 2 good; test 1 chip, 1 dent, 1 good" in done.stdout


def test_check_lists_what_is_wrong_and_exits_1(mvtec):
    (mvtec / "train" / "good" / "000.png").write_bytes(b"hello")
    (mvtec / "test" / "good" / "000.png").write_bytes(b"")
    done = run("check", mvtec)
    assert done.exit_code == 1
    assert f"problem: {mvtec / 'train' / 'good' / '000.png'}: the frame is not a JPEG" in done.stdout
    assert f"problem: {mvtec / 'test' / 'good' / '000.png'}: the frame is empty" in done.stdout
    assert "2 problems" in done.stdout
    as_json = run("check", mvtec, "--json")
    assert as_json.exit_code == 1
    assert len(json.loads(as_json.stdout)["problems"]) == 2


def test_check_for_a_person(mvtec):
    done = run("check", mvtec)
    assert "train 3 good; test 1 good, 2 scratch" in done.stdout
    assert "masks for 2 defective parts; sizes 24x16 (6)" in done.stdout
    assert "all is well; version" in done.stdout


def test_a_folder_that_is_no_set_is_a_fault_of_the_asker(tmp_path):
    with pytest.raises(TrialsightError, match="does not exist"):
        run("check", tmp_path / "nowhere")


def test_import_diff_export(mvtec, tmp_path, draw):
    home = ["--home", tmp_path / "home"]
    first = json.loads(run("import", mvtec, *home, "--json").stdout)
    assert first["name"] == "bracket"
    assert first["counts"] == {"train": {"good": 3}, "test": {"good": 1, "scratch": 2}}
    draw(mvtec / "train" / "good" / "new.png", seed=50)
    done = run("import", mvtec, *home)
    assert "train 4 good" in done.stdout
    assert "trialsight train --data" in done.stdout
    rows = json.loads(run("versions", *home, "--json").stdout)
    assert [row["images"] for row in rows] == [6, 7]
    assert "5 good, 2 defective" in run("versions", "bracket", *home).stdout.splitlines()[-1]
    names = [f"bracket@{row['version'][:10]}" for row in rows]
    assert run("diff", *names, *home).stdout == "+ train/good/new (good, train)\n"
    assert run("diff", first["path"], names[0], *home).stdout == "no difference\n"
    assert len(json.loads(run("diff", names[0], mvtec, *home, "--json").stdout)["added"]) == 1
    done = run("export", "bracket", tmp_path / "coco", "--layout", "coco", *home)
    assert "7 images in" in done.stdout
    assert json.loads(run("check", tmp_path / "coco", "--json").stdout)["counts"]["train"] == {"good": 4}


def test_no_versions_yet(tmp_path):
    assert "make one: trialsight data import" in run("versions", "--home", tmp_path).stdout
    with pytest.raises(TrialsightError, match="there is no set version bracket"):
        run("diff", "bracket", "bracket", "--home", tmp_path)
