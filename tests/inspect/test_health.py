import cv2
import numpy as np
import pytest

from trialsight.health import FrozenWatch, find_fault, learn_limits, measure


def part(seed: int, light: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.full((256, 256, 3), 60.0)
    cv2.rectangle(image, (40, 40), (216, 216), (160, 160, 160), cv2.FILLED)
    for _ in range(4):
        cv2.circle(image, tuple(int(v) for v in rng.integers(70, 190, 2)), 14, (40, 40, 40), cv2.FILLED)
    image += rng.normal(0, 3, image.shape)
    return np.clip(image * light, 0, 255).astype(np.uint8)


LIMITS = learn_limits([measure(part(seed)) for seed in range(10)])


@pytest.mark.parametrize("seed", range(100, 110))
def test_new_good_parts_are_fine(seed: int) -> None:
    assert find_fault(measure(part(seed)), LIMITS) is None


def test_a_large_defect_is_no_bad_picture() -> None:
    scarred = part(200)
    cv2.line(scarred, (50, 60), (200, 190), (250, 250, 250), 6)
    cv2.circle(scarred, (120, 120), 25, (20, 20, 20), cv2.FILLED)
    assert find_fault(measure(scarred), LIMITS) is None


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda image: np.zeros_like(image), "all black"),
        (lambda image: np.full_like(image, 255), "over-exposed"),
        (lambda image: np.clip(image * 2.6, 0, 255).astype(np.uint8), "over-exposed"),
        (lambda image: (image * 0.3).astype(np.uint8), "under-exposed"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 5), "blurred"),
        (lambda image: np.full_like(image, 110), "no contrast"),
        (lambda image: np.random.default_rng(0).integers(0, 255, image.shape, dtype=np.uint8), ""),
    ],
    ids=["black", "white", "overexposed", "underexposed", "blurred", "flat", "noise"],
)
def test_a_bad_picture_is_named(spoil, name: str) -> None:  # type: ignore[no-untyped-def]
    for seed in range(300, 305):
        fault = find_fault(measure(spoil(part(seed))), LIMITS)
        assert fault is not None
        assert fault.startswith(name)


def test_a_frozen_camera_is_noticed_and_a_new_frame_clears_it() -> None:
    watch = FrozenWatch(after=3)
    assert [watch.fault(frame) is not None for frame in (b"a", b"a", b"a", b"a", b"b", b"a")] == [
        False, False, True, True, False, False,
    ]  # fmt: skip
