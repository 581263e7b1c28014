import cv2
import numpy as np
import pytest

from trialsight.geometry.register import Aligner, Registration

LIMITS = Registration(max_shift=0.05, max_rotation_deg=5)


def part(seed: int = 0) -> np.ndarray:
    """(480, 640, 3) plate with holes and some texture on a dark ground."""
    image = np.full((480, 640, 3), 40, np.uint8)
    cv2.rectangle(image, (110, 90), (530, 390), (150, 150, 145), cv2.FILLED)
    for x, y, r in [(180, 150, 24), (460, 150, 24), (180, 330, 18), (470, 320, 30), (320, 240, 50)]:
        cv2.circle(image, (x, y), r, (30, 30, 30), cv2.FILLED, cv2.LINE_AA)
    texture = np.random.default_rng(seed).normal(0, 4, image.shape)
    return np.clip(image + texture, 0, 255).astype(np.uint8)


def moved(image: np.ndarray, dx: float, dy: float, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    matrix = cv2.getRotationMatrix2D((320, 240), degrees, 1.0)
    matrix[:, 2] += (dx, dy)
    return cv2.warpAffine(image, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE), matrix


@pytest.mark.parametrize(
    ("dx", "dy", "degrees"),
    [(0, 0, 0), (31, 0, 0), (-22, 22, 0), (0, 0, 5), (0, 0, -5), (20, -20, 4.5), (-31, 5, -5), (3.4, 7.7, 1.3)],
)
def test_shifts_to_5_percent_and_turns_to_5_degrees_are_undone_to_a_pixel(dx: float, dy: float, degrees: float) -> None:
    frame, true = moved(part(seed=1), dx, dy, degrees)  # another texture than the reference has
    pose = Aligner(part(), LIMITS).find(frame)
    assert pose.fault(LIMITS, (640, 480)) is None
    landmarks = np.array([[180, 150], [460, 150], [180, 330], [470, 320], [320, 240], [110, 90], [530, 390]], float)
    where = landmarks @ true[:, :2].T + true[:, 2]
    found = pose.to_frame(landmarks + 0.5, 640) - 0.5
    assert np.linalg.norm(where - found, axis=1).max() <= 1.0
    back = pose.undo(frame)
    inner = np.s_[60:420, 80:560]
    assert np.abs(back[inner].astype(int) - part()[inner].astype(int)).mean() < 6


@pytest.mark.parametrize(("dx", "dy", "degrees"), [(60, 0, 0), (0, -50, 0), (0, 0, 9), (0, 0, -8), (45, 30, 6)])
def test_beyond_the_limit_the_fault_is_named(dx: float, dy: float, degrees: float) -> None:
    frame, _ = moved(part(seed=1), dx, dy, degrees)
    fault = Aligner(part(), LIMITS).find(frame).fault(LIMITS, (640, 480))
    assert fault is not None
    assert fault.startswith("misaligned")


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((480, 640, 3), np.uint8),
        np.full((480, 640, 3), 200, np.uint8),
        np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8),
        np.kron(np.indices((6, 8)).sum(0) % 2 * 255, np.ones((80, 80)))[..., None].repeat(3, 2).astype(np.uint8),
    ],
    ids=["black", "flat", "noise", "another thing"],
)
def test_what_is_not_the_part_is_misaligned(frame: np.ndarray) -> None:
    assert (Aligner(part(), LIMITS).find(frame).fault(LIMITS, (640, 480)) or "").startswith("misaligned")


def test_a_large_frame_is_aligned_to_a_pixel_by_a_small_picture_of_it() -> None:
    large = cv2.resize(part(), (2560, 1920), interpolation=cv2.INTER_CUBIC)
    matrix = cv2.getRotationMatrix2D((1280, 960), 2.0, 1.0)
    matrix[:, 2] += (80, -50)
    frame = cv2.warpAffine(large, matrix, (2560, 1920), borderMode=cv2.BORDER_REPLICATE)
    pose = Aligner(part(), LIMITS).find(frame)
    landmarks = np.array([[720, 600], [1840, 600], [720, 1320], [1880, 1280]], float)
    where = landmarks @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(pose.to_frame(landmarks + 0.5, 2560) - 0.5 - where, axis=1).max() <= 1.0
