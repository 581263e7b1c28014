from importlib.metadata import entry_points
from itertools import islice

import pytest

from trialsight import TrialsightError
from trialsight.image import read_header
from trialsight_datasets.simulate import KINDS, Simulator
from trialsight_datasets.simulate.source import FIRST_INDEX, simulated


def test_the_camera_finds_it_by_its_name():
    (entry,) = entry_points(group="trialsight.frame_sources", name="simulated")
    assert entry.load() is simulated


def test_frames_are_what_a_camera_sends():
    frames = list(islice(simulated(seed=4, defect_share=0.5), 6))
    assert (
        {read_header(frame.data).content_type for frame in frames} == {"image/jpeg"} == {f.content_type for f in frames}
    )
    assert len({frame.part for frame in frames}) == 6
    assert {frame.truth for frame in frames} <= {"good", *KINDS}


def test_the_same_seed_sends_the_same_frames():
    assert list(islice(simulated(4, 0.5), 4)) == list(islice(simulated(4, 0.5), 4))
    assert next(simulated(4, 0.0)).data != next(simulated(5, 0.0)).data


@pytest.mark.parametrize(("share", "truths"), [(0.0, {"good"}), (1.0, set(KINDS))])
def test_shares_at_the_ends(share, truths):
    found = {frame.truth for frame in islice(simulated(1, share), 8)}
    assert found <= truths


def test_frames_of_the_line_were_never_in_a_set():
    """A set of the same seed counts its parts from 0; the line shows parts that no set reaches."""
    sent = next(simulated(seed=6, defect_share=0.0))
    assert sent.data == Simulator(6).good(FIRST_INDEX).jpeg
    assert sent.data != Simulator(6).good(0).jpeg


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_0_to_1_is_refused_at_once(share):
    with pytest.raises(TrialsightError, match=r"lies outside 0\.\.1"):
        simulated(0, share)
