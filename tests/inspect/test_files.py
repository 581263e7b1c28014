from pathlib import Path

import pytest

from trialsight import files


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "sub" / "card.json"
    files.write_atomic(target, b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in target.parent.iterdir()] == ["card.json"]


def test_nan_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json_atomic(tmp_path / "a.json", {"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_moves_whole(tmp_path: Path) -> None:
    (tmp_path / "new" / "golden").mkdir(parents=True)
    (tmp_path / "new" / "golden" / "a.png").write_bytes(b"a")
    files.move_folder(tmp_path / "new", tmp_path / "packages" / "bracket" / "1")
    assert (tmp_path / "packages" / "bracket" / "1" / "golden" / "a.png").read_bytes() == b"a"
    assert not (tmp_path / "new").exists()
