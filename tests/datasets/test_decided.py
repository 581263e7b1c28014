"""What people decided makes the next version of a set: exactly that, in whatever order it came."""

import json
import random

import pytest
from typer.testing import CliRunner

from trialsight import TrialsightError
from trialsight_datasets import load_mask, read_image_set
from trialsight_datasets.commands import app
from trialsight_datasets.decided import Decided, read_decided, side_of, with_decided
from trialsight_datasets.manifest import compare, make_manifest


def manifest(image_set):
    return make_manifest(image_set.name, [sample.entry() for sample in image_set])


@pytest.fixture
def decided(tmp_path, draw, draw_mask):
    """Twenty frames off the line: some fine, some scratched, one of them with a mask."""
    found = []
    for number in range(20):
        path = draw(tmp_path / "line" / f"{number}.png", seed=100 + number)
        label = "scratch" if number % 4 == 0 else "good"
        mask = str(draw_mask(tmp_path / "line" / f"{number}-mask.png")) if number == 4 else None
        found.append(Decided(str(path), f"P-{number}", label, mask=mask))
    return found


def test_the_next_version_differs_by_what_was_decided(mvtec, decided):
    base = read_image_set(mvtec)
    after = with_decided(base, decided)
    found = compare(manifest(base), manifest(after))
    assert (len(found.added), found.removed, found.changed) == (20, (), ())
    assert {entry.part: entry.label for entry in found.added} == {one.part: one.label for one in decided}
    assert [entry.part for entry in found.added if entry.mask] == ["P-4"]
    assert {entry.split for entry in found.added} == {"train", "test"}


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_decisions_does_not_matter(mvtec, decided, seed):
    base = read_image_set(mvtec)
    shuffled = random.Random(seed).sample(decided, len(decided))
    assert with_decided(base, shuffled).version() == with_decided(base, decided).version()
    halves = with_decided(with_decided(base, shuffled[:9]), shuffled[9:])
    assert halves.version() == with_decided(base, decided).version()


def test_a_frame_of_the_set_is_relabelled_where_it_is(mvtec):
    base = read_image_set(mvtec)
    good, scratched = base.test[0], base.test[1]
    after = with_decided(base, [Decided(str(scratched.path), "anything", "good")])
    found = compare(manifest(base), manifest(after))
    ((old, new),) = found.changed
    assert (old.label, new.label, new.mask, new.part, new.split) == ("scratch", "good", None, scratched.part, "test")
    again = with_decided(after, [Decided(str(scratched.path), "x", "scratch", mask=str(scratched.mask_path))])
    assert manifest(again).version == manifest(base).version
    same = with_decided(base, [Decided(str(scratched.path), "x", "scratch"), Decided(str(good.path), "y", "good")])
    assert manifest(same).version == manifest(base).version  # a mask that was there stays


def test_all_views_of_a_part_stay_on_one_side(mvtec, tmp_path, draw):
    views = [
        Decided(
            str(draw(tmp_path / f"{part}{view}.png", seed=1000 + part * 10 + view)), f"P-{part}", "good", f"v{view}"
        )
        for part in range(30)
        for view in range(2)
    ]
    after = with_decided(read_image_set(mvtec), views)
    sides = {(sample.part, sample.split) for sample in after if sample.part.startswith("P-")}
    assert len(sides) == 30
    assert {side for _, side in sides} == {"train", "test"}


def test_about_a_fifth_of_new_parts_is_for_testing():
    share = sum(side_of(f"P-{number}") == "test" for number in range(5000)) / 5000
    assert 0.18 < share < 0.22


def test_the_command_makes_a_version_that_can_be_trained_on(mvtec, decided, tmp_path):
    lines = tmp_path / "line" / "labels.jsonl"
    rows = [{"image": f"{n}.png", "part": one.part, "label": one.label} for n, one in enumerate(decided)]
    rows[4]["mask"] = "4-mask.png"
    lines.write_text("\n".join(map(json.dumps, rows)))
    words = ["label", str(mvtec), str(lines), "--home", str(tmp_path / "home"), "--json"]
    done = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert done["parent"] == read_image_set(mvtec).version()
    assert len(done["added"]) == 20
    again = read_image_set(tmp_path / "home" / "sets" / "bracket" / f"{done['version']}.json")
    (masked,) = [sample for sample in again if sample.part == "P-4"]
    assert load_mask(masked).sum() == 12


FAULTS = {
    "no JSON": ("{", r"labels\.jsonl line 2: Expecting property name"),
    "a field missing": ('{"image": "a.png", "part": "P"}', r"line 2: decision: field 'label' is missing"),
    "a field too many": ('{"image": "a", "part": "P", "label": "x", "colour": 1}', "unknown field 'colour'"),
}


@pytest.mark.parametrize(("line", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_name_the_line(tmp_path, line, message):
    path = tmp_path / "labels.jsonl"
    path.write_text(f'{{"image": "a.png", "part": "P", "label": "good"}}\n{line}\n')
    with pytest.raises(TrialsightError, match=message):
        read_decided(path)


def test_an_image_that_is_gone(mvtec):
    with pytest.raises(TrialsightError, match=r"gone\.png can't be read"):
        with_decided(read_image_set(mvtec), [Decided("gone.png", "P", "good")])
