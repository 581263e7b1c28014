import cv2
import numpy as np
import pytest

from trialsight.errors import TrialsightError
from trialsight.geometry.target import Target, calibrate, draw_target

BOARDS = [Target("checkerboard", 10, 7, square_mm=5.0), Target("charuco", 10, 7, square_mm=5.0)]


def seen_by_a_tilted_camera(board: np.ndarray, tilt_deg: float, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """(1000, 1400, 3) picture of a tilted flat board, and the homography from board to frame pixels."""
    height, width = board.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float) - (width / 2, height / 2)
    angle, distance, focal = np.deg2rad(tilt_deg), 3.0 * width, 3.2 * 1000 * width / 1000
    x, y = corners[:, 0] * np.cos(angle), corners[:, 1]
    z = distance + corners[:, 0] * np.sin(angle)
    frame = np.stack([focal * x / z * 1.1 + 700, focal * y / z * 1.1 + 500], axis=1)
    matrix = cv2.getPerspectiveTransform(
        (np.add(corners, (width / 2, height / 2))).astype(np.float32), frame.astype(np.float32)
    )
    picture = cv2.warpPerspective(board, matrix, (1400, 1000), flags=cv2.INTER_AREA, borderValue=200)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8).astype(float)
    picture += np.random.default_rng(0).normal(0, noise, picture.shape)
    return np.dstack([np.clip(picture, 0, 255).astype(np.uint8)] * 3), matrix


@pytest.mark.parametrize("target", BOARDS, ids=lambda target: target.kind)
@pytest.mark.parametrize("tilt_deg", [0, 15, 30])
def test_lengths_are_right_to_half_a_percent_up_to_30_degrees_of_tilt(target: Target, tilt_deg: float) -> None:
    px_per_square = 80
    picture, board_to_frame = seen_by_a_tilted_camera(draw_target(target, px_per_square), tilt_deg)
    calibrated = calibrate(picture, target)
    # Known lengths on the board, anywhere and in any direction, as they stand in the frame's pixels.
    rng = np.random.default_rng(1)
    ends_board = rng.uniform((100, 100), (800, 560), (200, 2, 2))
    lengths_board = np.linalg.norm(ends_board[:, 0] - ends_board[:, 1], axis=1)
    ends_board, lengths_board = ends_board[lengths_board > 100], lengths_board[lengths_board > 100]
    ends_frame = cv2.perspectiveTransform(ends_board.reshape(1, -1, 2), board_to_frame)[0]
    ends_mm = calibrated.scale.to_mm(ends_frame).reshape(-1, 2, 2)
    measured = np.linalg.norm(ends_mm[:, 0] - ends_mm[:, 1], axis=1)
    expected = lengths_board / px_per_square * target.square_mm
    assert np.abs(measured / expected - 1).max() <= 0.005
    assert calibrated.residual_max_mm < 0.1
    assert calibrated.corners == 54


def test_a_charuco_board_may_be_partly_hidden() -> None:
    target = BOARDS[1]
    picture, _ = seen_by_a_tilted_camera(draw_target(target, 80), 10)
    picture[:, 900:] = 90
    assert 10 < calibrate(picture, target).corners < 54


def test_the_area_of_a_pixel_follows_the_tilt() -> None:
    target = BOARDS[0]
    picture, board_to_frame = seen_by_a_tilted_camera(draw_target(target, 80), 30)
    scale = calibrate(picture, target).scale
    square = np.array([[[320, 320], [400, 320], [400, 400], [320, 400]]], np.float64)  # one board square
    in_frame = cv2.perspectiveTransform(square, board_to_frame)[0]
    centre = in_frame.mean(axis=0)
    area_px = cv2.contourArea(in_frame.astype(np.float32))
    assert area_px * scale.mm2_per_px(*centre) == pytest.approx(25.0, rel=0.01)


def test_a_picture_without_a_target_is_named() -> None:
    with pytest.raises(TrialsightError, match="no checkerboard of 10x7"):
        calibrate(np.full((300, 400, 3), 128, np.uint8), BOARDS[0])
