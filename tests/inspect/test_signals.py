import cv2
import numpy as np
import pytest

from trialsight.geometry.register import Aligner, Registration
from trialsight.health import measure
from trialsight.prepare import Prepared
from trialsight.signals import Observer, Signals

SIDE = 256


def part(dx: float = 0, dy: float = 0, turn: float = 0, light: float = 1.0, seed: int = 0) -> np.ndarray:
    """A plate with holes, moved by shares of the side and turned by degrees, with noise of its own."""
    image = np.full((SIDE, SIDE, 3), 30, np.uint8)
    cv2.rectangle(image, (50, 60), (206, 190), (150, 155, 160), cv2.FILLED)
    for x, y, radius in ((80, 90, 10), (176, 92, 10), (82, 160, 8), (178, 158, 12), (128, 125, 22)):
        cv2.circle(image, (x, y), radius, (25, 25, 25), cv2.FILLED, cv2.LINE_AA)
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -turn, 1.0)
    matrix[:, 2] += (dx * SIDE, dy * SIDE)
    moved = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE).astype(float)
    noise = np.random.default_rng(seed).normal(0, 3, moved.shape)
    return np.clip(moved * light + noise, 0, 255).astype(np.uint8)


def gray(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def seen(observer: Observer, pixels: np.ndarray) -> Signals:
    return observer(Prepared(pixels, (SIDE, SIDE)), measure(pixels))


@pytest.mark.parametrize(
    ("dx", "dy", "turn"), [(0, 0, 0), (0.02, 0, 0), (-0.03, 0.015, 0), (0, -0.04, 0), (0, 0, 2), (0.01, 0.01, -2)]
)
def test_the_place_is_told_against_a_good_part(dx: float, dy: float, turn: float) -> None:
    found = seen(Observer(gray(part())), part(dx, dy, turn, seed=1))
    assert found.shift_x == pytest.approx(dx, abs=0.006)
    assert found.shift_y == pytest.approx(dy, abs=0.006)
    assert found.turn_deg == pytest.approx(0.7 * turn, abs=0.7)  # of a turn, halves that shift tell the smaller part


def test_the_same_frame_gives_the_same_signals_however_often_it_is_seen() -> None:
    observer, frame = Observer(gray(part())), part(0.02, seed=2)
    assert len({seen(observer, frame) for _ in range(4)}) == 1


def test_light_moves_brightness_and_warmth_and_not_the_place() -> None:
    observer = Observer(gray(part()))
    usual, dim = seen(observer, part(seed=3)), seen(observer, part(light=0.8, seed=4))
    assert dim.brightness == pytest.approx(0.8 * usual.brightness, rel=0.02)
    assert dim.shift_x == pytest.approx(usual.shift_x, abs=0.003)
    blueless = part(seed=5)
    blueless[..., 2] = (blueless[..., 2] * 0.9).astype(np.uint8)
    assert seen(observer, blueless).warmth == pytest.approx(usual.warmth + 0.1, abs=0.02)


def test_without_a_reference_the_place_is_left_out() -> None:
    found = seen(Observer(None), part())
    assert found.shift_x is None
    assert "shift_x" not in found.to_json()


def test_a_registered_frame_tells_the_pose_that_was_undone() -> None:
    limits = Registration(max_shift=0.1)
    pose = Aligner(part(), limits).find(part(0.03, -0.02, 1.5, seed=6))
    found = Observer(None)(Prepared(part(), (SIDE, SIDE), pose), measure(part()))
    assert (found.shift_x, found.shift_y) == (pytest.approx(0.03, abs=0.005), pytest.approx(-0.02, abs=0.005))
    assert found.turn_deg == pytest.approx(1.5, abs=0.2)


def test_an_aligner_does_not_wear_out() -> None:
    """OpenCV 5's phase correlation writes into what it is given; the reference must stay what it was."""
    aligner, frame = Aligner(part(), Registration(max_shift=0.1)), part(0.03, -0.02, 1.5, seed=7)
    first, *others = (aligner.find(frame) for _ in range(4))
    assert all((one.matrix == first.matrix).all() for one in others)
