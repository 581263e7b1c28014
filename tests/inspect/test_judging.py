"""What a recipe says of a map, through the one door: crop, region of interest, ignored zones, rules, registration."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from trialsight import Inspector, PackageError, Verdict
from trialsight.card import Preparation
from trialsight.geometry.register import Registration
from trialsight.geometry.scale import Scale
from trialsight.geometry.shapes import Shape
from trialsight.health import learn_limits, measure
from trialsight.judging import Judging
from trialsight.rules import Condition, Rule

PackageMaker = Callable[..., Path]
WHOLE = Preparation(64, 64, frame_width_px=128, frame_height_px=128)


def frame(*spots: tuple[int, int, int, int], value: int = 255) -> np.ndarray:
    """(128, 128, 3) mid-gray with blocks x, y, width, height of another brightness."""
    pixels = np.full((128, 128, 3), 128, np.uint8)
    for x, y, width, height in spots:
        pixels[y : y + height, x : x + width] = value
    return pixels


def inspector(
    make_package: PackageMaker, judging: Judging, preparation: Preparation = WHOLE, **more: object
) -> Inspector:
    return Inspector.load(make_package(judging=judging, preparation=preparation, golden={}, **more))


def test_what_lies_outside_the_region_of_interest_or_in_an_ignored_zone_does_not_count(
    make_package: PackageMaker,
) -> None:
    judging = Judging(roi=Shape(rect=(0, 0, 128, 64)), ignore=(Shape(rect=(64, 0, 64, 64)),))
    inspect = inspector(make_package, judging)
    assert inspect(frame((80, 80, 24, 24))).verdict is Verdict.PASS
    assert inspect(frame((80, 16, 24, 24))).verdict is Verdict.PASS
    seen = inspect(frame((16, 16, 24, 24), (80, 80, 24, 24)))
    assert seen.verdict is Verdict.REJECT
    assert [region.box_px for region in seen.regions] == [(16, 16, 24, 24)]
    assert seen.defect_map is not None
    assert seen.defect_map[8:].max() == 0


def test_nothing_left_to_inspect_is_refused_not_passed(make_package: PackageMaker) -> None:
    judging = Judging(roi=Shape(rect=(0, 0, 64, 64)), ignore=(Shape(rect=(0, 0, 64, 64)),))
    with pytest.raises(PackageError, match="leaves nothing to inspect"):
        inspector(make_package, judging)


def test_a_crop_is_seen_closer_and_reported_in_the_frames_own_pixels(make_package: PackageMaker) -> None:
    cropped = Preparation(64, 64, frame_width_px=128, frame_height_px=128, crop_px=(64, 32, 64, 64))
    inspect = inspector(make_package, Judging(), cropped)
    seen = inspect(frame((72, 48, 16, 16), (8, 8, 24, 24)))  # the second lies outside the crop
    assert [region.box_px for region in seen.regions] == [(72, 48, 16, 16)]
    assert seen.defect_map is not None
    ys, xs = (seen.defect_map > 0.5).nonzero()
    step = 128 / seen.defect_map.shape[0]
    assert (xs.min() * step, (xs.max() + 1) * step) == pytest.approx((72, 88), abs=step)
    assert (ys.min() * step, (ys.max() + 1) * step) == pytest.approx((48, 64), abs=step)


def test_a_rule_decides_and_is_named(make_package: PackageMaker) -> None:
    rules = (
        Rule("short scratches are fine", where=(Condition("length_mm", below=3.0),), at_most=5),
        Rule("no scratch longer than 6 mm", where=(Condition("length_mm", above=6.0),)),
    )
    inspect = inspector(make_package, Judging(scale=Scale(mm_per_px=0.1), rules=rules))
    short, middle, long = (inspect(frame((16, 16, length, 8))) for length in (24, 48, 80))
    assert (short.verdict, short.rule) == (Verdict.PASS, None)
    assert (middle.verdict, middle.rule) == (Verdict.REJECT, "score")
    assert (long.verdict, long.rule) == (Verdict.REJECT, "no scratch longer than 6 mm")
    assert long.reason == "no scratch longer than 6 mm: 1 region, at most 0"
    assert long.regions[0].length_mm == pytest.approx(8.0)


def plate(*, defect: bool, dx: float = 0, degrees: float = 0) -> np.ndarray:
    """(128, 128, 3) near mid-gray, textured so that it can be registered, with an optional bright spot at 72..88."""
    rng = np.random.default_rng(5)
    coarse = cv2.resize(rng.normal(128, 12, (12, 12)).astype(np.float32), (128, 128), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(coarse, 100, 156).astype(np.uint8)
    if defect:
        picture[48:64, 72:88] = 255
    matrix = cv2.getRotationMatrix2D((64, 64), degrees, 1.0)
    matrix[0, 2] += dx
    moved = cv2.warpAffine(picture, matrix, (128, 128), borderMode=cv2.BORDER_REPLICATE)
    return np.dstack([moved] * 3)


@pytest.fixture
def registered(make_package: PackageMaker) -> Inspector:
    reference = cv2.imencode(".png", plate(defect=False))[1].tobytes()
    preparation = Preparation(
        64, 64, frame_width_px=128, frame_height_px=128,
        registration=Registration(max_shift=0.08, max_rotation_deg=5),
        reference_sha256=hashlib.sha256(reference).hexdigest(),
    )  # fmt: skip
    # Zone B is where the spot lies on the part, wherever the part lies in the frame.
    judging = Judging(zones={"B": Shape(rect=(66, 42, 28, 28))}, rules=(Rule("clean in B", zone="B"),))
    return inspector(make_package, judging, preparation, reference=reference)


@pytest.mark.parametrize(("dx", "degrees"), [(0, 0), (9, 0), (-8, 4), (5, -4)])
def test_a_shifted_part_is_judged_where_its_zones_are_and_shown_where_it_lies(
    registered: Inspector, dx: float, degrees: float
) -> None:
    seen = registered(plate(defect=True, dx=dx, degrees=degrees))
    assert (seen.verdict, seen.rule) == (Verdict.REJECT, "clean in B")
    matrix = cv2.getRotationMatrix2D((64, 64), degrees, 1.0)
    matrix[0, 2] += dx
    where = matrix @ (79.5, 55.5, 1)
    assert seen.regions[0].center_px == pytest.approx(tuple(where + 0.5), abs=2.0)
    assert seen.defect_map is not None
    y, x = np.unravel_index(seen.defect_map.argmax(), seen.defect_map.shape)
    assert np.hypot(*((np.array([x, y]) + 0.5) * 128 / seen.defect_map.shape[0] - where)) < 10
    assert registered(plate(defect=False, dx=dx, degrees=degrees)).verdict is not Verdict.NO_VERDICT


@pytest.mark.parametrize(("dx", "degrees"), [(25, 0), (0, 12)])
def test_a_part_beyond_the_limit_gets_no_verdict(registered: Inspector, dx: float, degrees: float) -> None:
    seen = registered(plate(defect=False, dx=dx, degrees=degrees))
    assert seen.verdict is Verdict.NO_VERDICT
    assert (seen.reason or "").startswith("misaligned")
    assert seen.score is None
    assert seen.defect_map is None


def test_an_altered_reference_is_found(registered: Inspector) -> None:
    (registered.package.folder / "reference.png").write_bytes(b"x")
    with pytest.raises(PackageError, match=r"reference\.png was altered"):
        Inspector.load(registered.package.folder)


def noisy(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(110, 146, (128, 128, 3)).astype(np.uint8)


FAULTS = {
    "all black": lambda image: np.zeros_like(image),
    "over-exposed": lambda image: np.clip(image.astype(int) * 3, 0, 255).astype(np.uint8),
    "under-exposed": lambda image: (image // 4).astype(np.uint8),
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 4) + np.uint8(0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_unfit_picture_gets_no_verdict_whatever_its_score(make_package: PackageMaker, name: str) -> None:
    from trialsight.verdict import Thresholds

    limits = learn_limits(
        [measure(cv2.resize(noisy(seed), (64, 64), interpolation=cv2.INTER_AREA)) for seed in range(10)]
    )
    inspect = inspector(make_package, Judging(health=limits), thresholds=Thresholds(8, 9, 8))  # everything would pass
    assert inspect(noisy(50)).verdict is Verdict.PASS
    seen = inspect(FAULTS[name](noisy(51)))
    assert seen.verdict is Verdict.NO_VERDICT
    assert seen.reason is not None
