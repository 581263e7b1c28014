import cv2
import numpy as np
import pytest

from trialsight import TrialsightError
from trialsight.image import read_header
from trialsight_datasets.simulate import KINDS, Camera, Simulator

SIZE = 256
LEVEL = 1 / 255  # one grey level of the developed frame


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(seed=5, size_px=SIZE)


def developed(simulator: Simulator, index: int, kind: str | None = None, severity: float = 0.7):
    """The frame without noise and JPEG, (H, W, 3) in 0..1 as the eye sees it, and the mask."""
    light, mask = simulator.light(index, kind, severity)
    return np.sqrt(np.clip(simulator.camera.expose(light), 0, 1)), mask


def test_kinds_are_those_of_the_issue():
    assert KINDS == ("scratch", "dent", "stain", "chip", "missing_hole")


def test_the_same_seed_gives_the_same_bytes_in_any_order():
    one, other = Simulator(3, SIZE), Simulator(3, SIZE)
    asked = [(index, kind) for index in (0, 7) for kind in (None, *KINDS)]

    def ask(simulator, index, kind):
        frame = simulator.good(index) if kind is None else simulator.defective(index, kind)
        return frame.jpeg, frame.mask.tobytes(), frame.label

    forward = {key: ask(one, *key) for key in asked}
    backward = {key: ask(other, *key) for key in reversed(asked)}
    assert forward == backward
    assert len({jpeg for jpeg, _, _ in forward.values()}) == len(asked)


def test_another_seed_or_index_is_another_part():
    frames = [Simulator(seed, SIZE).good(index).jpeg for seed, index in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert len(set(frames)) == 4


def test_a_frame_is_a_jpeg_of_the_size_asked_for(simulator):
    frame = simulator.good(0)
    header = read_header(frame.jpeg)
    assert (header.format, header.width_px, header.height_px) == ("jpeg", SIZE, SIZE)
    assert frame.label == "good"
    assert frame.mask.shape == (SIZE, SIZE)
    assert not frame.mask.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", [0.0, 0.7, 1.0])
def test_a_mask_holds_every_pixel_that_differs_from_the_good_twin(simulator, kind, severity):
    for index in range(6):
        twin, _ = developed(simulator, index)
        defective, mask = developed(simulator, index, kind, severity)
        change = np.abs(defective - twin).max(axis=2)
        assert mask.any()
        assert change[~mask].max() == 0
        assert (change[mask] > LEVEL / 4).mean() > 0.7  # and little else: a fringe of antialiasing, a matching grey


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_of_default_severity_is_plain_to_see(simulator, kind):
    """At least 0.1 % of the frame changed by 25 grey levels or more: far above the sensor's noise of about 2."""
    for index in range(12):
        twin, _ = developed(simulator, index)
        defective, _ = developed(simulator, index, kind)
        strong = np.abs(defective - twin).max(axis=2) > 25 * LEVEL
        assert strong.mean() > 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_severity_goes_from_slight_to_gross(simulator, kind):
    def change(severity):
        pairs = [(developed(simulator, i)[0], developed(simulator, i, kind, severity)[0]) for i in range(6)]
        return np.mean([np.abs(b - a).sum() for a, b in pairs])

    slight, plain, gross = change(0.0), change(0.7), change(1.0)
    assert 0 < slight < plain <= gross


def test_good_parts_differ_in_texture_and_pose_but_not_much(simulator):
    frames = np.stack([developed(simulator, index)[0] for index in range(6)])
    spread = np.abs(frames - frames.mean(axis=0)).mean()
    assert 2 * LEVEL < spread < 15 * LEVEL


def test_the_metal_is_brushed_along_x(simulator):
    """Neighbours along the brushing are more alike than those across it."""
    gray = developed(simulator, 0)[0][..., 1]
    face = gray[int(0.28 * SIZE) : int(0.36 * SIZE), int(0.35 * SIZE) : int(0.6 * SIZE)]
    assert np.diff(face, axis=1).std() < 0.7 * np.diff(face, axis=0).std()


def test_noise_is_that_of_the_sensor():
    """On an even field: sqrt of electrons for shot noise, read noise added in squares (EMVA 1288)."""
    camera = Camera(vignetting=0.0, full_well_e=10_000, read_noise_e=10, jpeg_quality=100)
    even = np.full((128, 128, 3), 0.25, np.float32)
    data = camera.capture(even, np.random.default_rng(0))
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(np.float64)
    linear_std = np.sqrt(0.25 / 10_000 + (10 / 10_000) ** 2)
    encoded_std = 255 * linear_std / (2 * np.sqrt(0.25))  # slope of the square-root curve
    assert found[..., 1].mean() == pytest.approx(127.5, abs=0.5)
    assert found[..., 1].std() == pytest.approx(encoded_std, rel=0.25)  # JPEG's chroma subsampling mixes channels


def test_exposure_and_vignetting():
    even = np.full((64, 64, 3), 0.2, np.float32)
    exposed = Camera(exposure=2.0, vignetting=0.3).expose(even)
    assert exposed[31:33, 31:33].mean() == pytest.approx(0.4, rel=1e-3)
    assert exposed[0, 0, 0] == pytest.approx(0.4 * 0.7, rel=1e-3)


WRONG = {
    "kind": (lambda: Simulator(0, SIZE).defective(0, "rust"), r"'rust' can't be simulated .*scratch, dent"),
    "severity": (lambda: Simulator(0, SIZE).defective(0, "dent", 1.5), r"1\.5 lies outside 0\.\.1"),
    "size": (lambda: Simulator(0, 32), "32 px is too small"),
    "seed": (lambda: Simulator(-1), "seed -1 is negative"),
}


@pytest.mark.parametrize(("ask", "message"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_simulated(ask, message):
    with pytest.raises(TrialsightError, match=message):
        ask()
