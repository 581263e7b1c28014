"""A fault never becomes a `pass`: every kind of fault, at any strength, on a part that would otherwise pass."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialsight import FrameError, Inspector, Thresholds, Verdict
from trialsight.card import Preparation
from trialsight.geometry.register import Registration
from trialsight.health import learn_limits, measure
from trialsight.judging import Judging

SIDE = 128


def part(seed: int) -> np.ndarray:
    """(128, 128, 3) plate with four holes on a dark ground, a new noise for each seed."""
    image = np.full((SIDE, SIDE), 70.0)
    cv2.rectangle(image, (20, 26), (108, 102), 150.0, cv2.FILLED)
    for x, y, radius in [(38, 42, 6), (90, 44, 9), (40, 86, 8), (64, 64, 12)]:
        cv2.circle(image, (x, y), radius, 45.0, cv2.FILLED)
    image += np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.dstack([np.clip(image, 0, 255).astype(np.uint8)] * 3)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory, package_builder: Callable[..., Path]) -> Inspector:
    """Every check on, and thresholds under which any score passes: only a fault can stop a frame."""
    reference = png(part(0))
    preparation = Preparation(
        64, 64, frame_width_px=SIDE, frame_height_px=SIDE,
        registration=Registration(max_shift=0.05, max_rotation_deg=5, min_correlation=0.95),
        reference_sha256=hashlib.sha256(reference).hexdigest(),
    )  # fmt: skip
    health = learn_limits(
        [measure(cv2.resize(part(seed), (64, 64), interpolation=cv2.INTER_AREA)) for seed in range(9)]
    )
    folder = package_builder(
        tmp_path_factory.mktemp("faults") / "package", preparation=preparation, judging=Judging(health=health),
        thresholds=Thresholds(50, 60, 50), golden={}, reference=reference,
    )  # fmt: skip
    return Inspector.load(folder)


def moved(image: np.ndarray, dx: float, degrees: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 1.0)
    matrix[0, 2] += dx
    return cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def far(low: float, high: float) -> st.SearchStrategy[float]:
    """A number between the two, of either sign."""
    return st.tuples(st.floats(low, high), st.sampled_from([-1, 1])).map(lambda pair: pair[0] * pair[1])


Fault = Callable[[np.ndarray], bytes]
FAULTS: dict[str, st.SearchStrategy[Fault]] = {
    "cut short": st.floats(0.0, 0.97).map(lambda share: lambda image: png(image)[: int(len(png(image)) * share)]),
    "dark": st.floats(0.0, 0.25).map(lambda gain: lambda image: png((image * gain).astype(np.uint8))),
    "bright": st.floats(2.2, 9.0).map(lambda gain: lambda image: png(np.clip(image * gain, 0, 255).astype(np.uint8))),
    "blurred": st.floats(5.0, 20.0).map(lambda sigma: lambda image: png(cv2.GaussianBlur(image, (0, 0), sigma))),
    "flat": st.integers(0, 255).map(lambda level: lambda image: png(np.full_like(image, level))),
    "shifted": far(9, 40).map(lambda dx: lambda image: png(moved(image, dx, 0))),
    "turned": far(7, 90).map(lambda degrees: lambda image: png(moved(image, 0, degrees))),
    "noise": st.integers(0, 999).map(
        lambda seed: lambda image: png(np.random.default_rng(seed).integers(0, 255, image.shape, dtype=np.uint8))
    ),
    "another size": st.integers(8, 300).filter(lambda side: side != SIDE).map(
        lambda side: lambda image: png(cv2.resize(image, (side, side)))
    ),
    "no image": st.binary(max_size=200).map(lambda data: lambda _: data),
}  # fmt: skip


def verdict(inspector: Inspector, data: bytes) -> Verdict:
    try:
        return inspector(data).verdict
    except FrameError:
        return Verdict.NO_VERDICT  # what the service answers with a 4xx


@pytest.mark.parametrize("seed", range(20, 30))
def test_the_same_part_without_a_fault_passes(inspector: Inspector, seed: int) -> None:
    assert verdict(inspector, png(part(seed))) is Verdict.PASS
    assert verdict(inspector, png(moved(part(seed), 4, 3))) is Verdict.PASS


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_never_becomes_a_pass(inspector: Inspector, kind: str) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(fault=FAULTS[kind], seed=st.integers(100, 10_000))
    def holds(fault: Fault, seed: int) -> None:
        assert verdict(inspector, fault(part(seed))) is Verdict.NO_VERDICT

    holds()
