import numpy as np
import pytest

from trialsight import TrialsightError
from trialsight_datasets import load_mask
from trialsight_datasets.check import check_folder
from trialsight_datasets.simulate import KINDS, Simulator
from trialsight_datasets.simulate.dataset import Plan, write_simulated

PLAN = Plan(good=3, test_good=2, defects=1, seed=9, size_px=128)


def test_a_written_set_is_whole_and_never_shows_a_part_twice(tmp_path):
    seen = []
    found = write_simulated(tmp_path / "plate", PLAN, lambda: seen.append(1))
    assert found.layout == "mvtec"
    assert found.counts() == {"train": {"good": 3}, "test": {"good": 2, **dict.fromkeys(KINDS, 1)}}
    assert len(seen) == PLAN.total == len(found)
    assert check_folder(tmp_path / "plate").problems == ()
    assert len({sample.path.read_bytes() for sample in found}) == PLAN.total
    assert [path.name for path in tmp_path.iterdir()] == ["plate"]


def test_masks_on_disk_are_the_simulator_s(tmp_path):
    found = write_simulated(tmp_path / "plate", PLAN)
    scratched = next(sample for sample in found.test if sample.label == "scratch")
    frame = Simulator(9, 128).defective(5, "scratch")
    assert scratched.path.read_bytes() == frame.jpeg
    np.testing.assert_array_equal(load_mask(scratched), frame.mask)


def test_the_same_plan_writes_the_same_set(tmp_path):
    versions = [write_simulated(tmp_path / name, PLAN).version() for name in ("a", "b")]
    assert versions[0] == versions[1]
    assert write_simulated(tmp_path / "c", Plan(3, 2, 1, seed=10, size_px=128)).version() != versions[0]


def test_an_empty_folder_is_filled_and_a_full_one_is_left_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    assert len(write_simulated(tmp_path / "empty", PLAN)) == PLAN.total
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(TrialsightError, match="full exists already"):
        write_simulated(tmp_path / "full", PLAN)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_what_breaks_off_leaves_nothing(tmp_path):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_simulated(tmp_path / "plate", PLAN, stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("numbers", [{"good": 0}, {"test_good": -1}, {"defects": -1}])
def test_plans_that_make_no_set(numbers):
    with pytest.raises(TrialsightError, match="can't be simulated"):
        Plan(**numbers)
