"""Each cause injected into simulated frames, as a real inspector measures them; `make bench` prints the whole table."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from trialsight.health import measure
from trialsight.image import Limits, check_header, decode
from trialsight.prepare import Prepared
from trialsight.signals import Observer
from trialsight_datasets.simulate import Simulator, Wear
from trialsight_serving.drift.cause import Cause, cause_of
from trialsight_serving.drift.look import Overruled, look
from trialsight_serving.drift.sample import Sample, pack
from trialsight_serving.store.drift import Seen

ALPHA, WINDOW = 1e-6, 48
SIDE = 160
PARTS = Simulator(seed=5, size_px=SIDE)
Render = Callable[[int], bytes]


def sample(render: Render, indices: Sequence[int], observer: Observer) -> Sample:
    """The frames' signals; in place of a network's embedding a picture of 8x8 pixels, which moves as one does, and in
    place of a score the strongest local contrast."""
    seen = []
    for index in indices:
        data = render(index)
        pixels = decode(data, check_header(data, Limits()), 1)
        signals = observer(Prepared(pixels, (SIDE, SIDE)), measure(pixels))
        small = cv2.resize(pixels, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
        seen.append(Seen(index, str(index), signals.to_json(), None, pack(small / np.linalg.norm(small))))
    return Sample.of(seen)


@pytest.fixture(scope="module")
def observer() -> Observer:
    data = PARTS.good(0).jpeg
    return Observer(cv2.cvtColor(decode(data, check_header(data, Limits()), 1), cv2.COLOR_RGB2GRAY))


@pytest.fixture(scope="module")
def reference(observer: Observer) -> Sample:
    return sample(lambda index: PARTS.good(index).jpeg, range(1, 97), observer)


def worn(wear: Wear) -> Render:
    return lambda index: PARTS.good(index, wear).jpeg


def undrilled(index: int) -> bytes:
    return PARTS.defective(index, "missing_hole", 1.0).jpeg


@pytest.mark.parametrize(
    ("cause", "render"),
    [
        pytest.param(None, worn(Wear()), id="nothing"),
        pytest.param(Cause.LAMP, worn(Wear(lamp=0.15)), id="a lamp with 15 % less light"),
        pytest.param(Cause.LENS, worn(Wear(lens=0.004)), id="a lens out of focus"),
        pytest.param(Cause.FIXTURE, worn(Wear(shift_x=0.02)), id="a fixture that slipped by 2 %"),
        pytest.param(Cause.FIXTURE, worn(Wear(turn_deg=-2)), id="a fixture that turned by 2 degrees"),
        pytest.param(Cause.MIX, undrilled, id="another variant, without a hole"),
    ],
)
def test_the_cause_is_told(cause: Cause | None, render: Render, reference: Sample, observer: Observer) -> None:
    found = look(reference, sample(render, range(1000, 1000 + WINDOW), observer), WINDOW, ALPHA)
    assert cause_of(found) is cause, [(one.measure, one.effect, one.p) for one in found]


def noise(rng: np.random.Generator, count: int, shift: float = 0.0, strangers: int = 0) -> Sample:
    """Frames with nothing but embeddings and scores."""
    rows = rng.normal(0, 0.05, (count, 32)).astype(np.float32)
    rows[:, 0] += 1
    rows[:strangers, 1] += 0.8
    scores = rng.normal(1 + shift, 0.1, count)
    return Sample.of(
        [Seen(i, str(i), {}, float(s), pack(r)) for i, (s, r) in enumerate(zip(scores, rows, strict=True))]
    )


def test_a_share_of_strangers_is_the_mix_and_scores_that_all_move_are_the_model() -> None:
    rng = np.random.default_rng(3)
    usual = noise(rng, 200)
    mixed = noise(rng, 100, strangers=0)
    assert cause_of(look(usual, mixed, 100, ALPHA)) is None
    strange = noise(rng, 100, strangers=40)
    strange = Sample(strange.seqs, strange.signals, strange.score, rng.permutation(strange.embeddings))
    assert cause_of(look(usual, strange, 100, ALPHA)) is Cause.MIX
    assert cause_of(look(usual, noise(rng, 100, shift=0.3), 100, ALPHA)) is Cause.MODEL


def test_verdicts_that_people_overrule_more_often_are_the_model() -> None:
    rng = np.random.default_rng(4)
    usual, now = noise(rng, 200), noise(rng, 100)
    assert cause_of(look(usual, now, 100, ALPHA, Overruled((1, 50), (2, 50)))) is None
    assert cause_of(look(usual, now, 100, ALPHA, Overruled((1, 50), (30, 50)))) is Cause.MODEL


def test_frames_of_one_kind_raise_no_more_alarms_than_stated() -> None:
    """At an error rate that can be counted: 5 % a look, of 150 looks at what doesn't move, without the least effects
    that an alarm needs besides, so that the tests alone are held to it."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(150):
        found = look(noise(rng, 80), noise(rng, 120), 60, 0.05, Overruled((4, 40), (4, 40)))
        alarms += any(one.sure for one in found)
    assert alarms <= 150 * 0.05 + 3 * (150 * 0.05 * 0.95) ** 0.5


def test_a_sample_is_stored_and_read_back() -> None:
    usual = noise(np.random.default_rng(6), 30)
    again = Sample.from_bytes(usual.to_bytes())
    assert np.array_equal(again.embeddings, usual.embeddings)
    assert np.array_equal(again.score, usual.score)
    assert np.isnan(again.signals["brightness"]).all()
