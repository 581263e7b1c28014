"""Set versions: content-addressed, never changed, comparable."""

import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialsight import TrialsightError
from trialsight_datasets import load_mask, read_image_set
from trialsight_datasets.library import Library, read_version, verify
from trialsight_datasets.manifest import Entry, compare, make_manifest
from trialsight_datasets.sample import ImageSet


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "home" / "sets")


def test_a_version_is_the_set_again(mvtec, library):
    image_set = read_image_set(mvtec)
    manifest, path = library.add(image_set, "bracket")
    again = read_image_set(path)
    assert (again.name, again.layout) == ("bracket", "version")
    assert again.version() == manifest.version == image_set.version()
    assert again.counts() == image_set.counts()
    assert [load_mask(one).sum() for one in again.test] == [load_mask(one).sum() for one in image_set.test]
    assert verify(manifest, library) == []


def test_the_folder_may_change_or_go(mvtec, library):
    manifest, path = library.add(read_image_set(mvtec), "bracket")
    shutil.rmtree(mvtec)
    assert read_image_set(path).version() == manifest.version


def test_what_versions_share_is_stored_once(mvtec, library, draw):
    library.add(read_image_set(mvtec), "bracket")
    before = set(library.root.glob("objects/*/*"))
    draw(mvtec / "train" / "good" / "new.png", seed=50)
    second, _ = library.add(read_image_set(mvtec), "bracket", parent=None)
    assert len(set(library.root.glob("objects/*/*")) - before) == 1
    assert [path.stem for path in library.versions("bracket")][-1] == second.version
    library.add(read_image_set(mvtec), "bracket")
    assert len(library.versions("bracket")) == 2


def test_a_version_is_found_by_its_first_characters(mvtec, library):
    manifest, path = library.add(read_image_set(mvtec), "bracket")
    assert library.find("bracket") == library.find(f"bracket@{manifest.version[:8]}") == path
    with pytest.raises(TrialsightError, match=r"no set version bracket@ffff.*sets there are bracket"):
        library.find("bracket@ffff")
    with pytest.raises(TrialsightError, match="no set version"):
        library.find("../x")


def test_a_version_that_was_changed_is_refused(mvtec, library):
    _, path = library.add(read_image_set(mvtec), "bracket")
    data = json.loads(path.read_text())
    data["entries"][0]["label"] = "scratch"
    path.write_text(json.dumps(data))
    with pytest.raises(TrialsightError, match="it was changed"):
        read_image_set(path)
    path.write_text('{"format": 1,\n"name": ]')
    with pytest.raises(TrialsightError, match=r"\.json line 2: Expecting value"):
        read_image_set(path)
    path.write_text('{"format": 2}')
    with pytest.raises(TrialsightError, match="no set version of the format 1"):
        read_image_set(path)


def test_missing_and_altered_objects_are_told(mvtec, library):
    manifest, path = library.add(read_image_set(mvtec), "bracket")
    first, second = (library.object(entry.image, entry.suffix) for entry in manifest.entries[:2])
    first.write_bytes(first.read_bytes() + b"x")
    assert verify(manifest, library) == [first]
    second.unlink()
    assert verify(manifest, library) == sorted([first, second])
    with pytest.raises(TrialsightError, match=r"is named by .* but not there"):
        read_image_set(path)


def test_one_part_on_both_sides_is_refused(mvtec, library):
    image_set = read_image_set(mvtec)
    test = (replace(image_set.test[0], part=image_set.train[0].part), *image_set.test[1:])
    with pytest.raises(TrialsightError, match=r"part train/good/000 of bracket is in train and in test"):
        library.add(replace(image_set, test=test), "bracket")
    assert library.versions("bracket") == []


@pytest.mark.parametrize("name", ["objects", "", "../up", "Ä", "a/b"])
def test_names_that_can_not_be(mvtec, library, name):
    with pytest.raises(TrialsightError, match="can't be a set's name"):
        library.add(read_image_set(mvtec), name)


def entry(image: int, label: str = "good", split: str = "train", mask: str | None = None) -> Entry:
    return Entry(f"P{image}", "default", f"{image:064x}", ".png", label, split, mask)


DIFFERENCES = {
    "nothing": ([entry(1), entry(2)], [entry(2), entry(1)], (0, 0, 0)),
    "one more": ([entry(1)], [entry(1), entry(2)], (1, 0, 0)),
    "one less": ([entry(1), entry(2)], [entry(1)], (0, 1, 0)),
    "another label": ([entry(1)], [entry(1, "scratch", "test")], (0, 0, 1)),
    "a mask drawn": ([entry(1, "dent", "test")], [entry(1, "dent", "test", "m")], (0, 0, 1)),
    "renamed": ([entry(1)], [replace(entry(1), part="other")], (0, 0, 1)),
    "a copy of it": ([entry(1)], [entry(1), replace(entry(1), part="other")], (1, 0, 0)),
}


@pytest.mark.parametrize(("before", "after", "counts"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_differs(before, after, counts):
    found = compare(make_manifest("s", before), make_manifest("s", after))
    assert (len(found.added), len(found.removed), len(found.changed)) == counts
    assert found.none is (counts == (0, 0, 0))
    assert len(found.lines()) == sum(counts)


@given(st.permutations([entry(number, label) for number, label in enumerate(("good", "good", "dent", "chip", "good"))]))
def test_the_order_of_what_came_in_does_not_matter(entries):
    assert make_manifest("s", entries) == make_manifest("s", sorted(entries))


def test_a_version_knows_the_one_it_was_made_from(mvtec, library, draw):
    first, _ = library.add(read_image_set(mvtec), "bracket")
    draw(mvtec / "train" / "good" / "new.png", seed=50)
    second, path = library.add(read_image_set(mvtec), "bracket", parent=first.version)
    assert read_version(path).parent == first.version
    assert isinstance(read_image_set(path), ImageSet)
    assert [one.part for one in compare(first, second).added] == ["train/good/new"]
