"""Small image sets that training can learn within seconds."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trialsight.recipe import Calibration, DetectorSpec, Recipe
from trialsight_datasets.sample import ImageSet
from trialsight_datasets.simulate.dataset import Plan, write_simulated
from trialsight_training.backbones import Backbone
from trialsight_training.detectors.graph import Smoothing, joint_stride
from trialsight_training.detectors.patch_memory.model import Memory, PatchMemory, space_of


def pytest_configure(config: pytest.Config) -> None:
    # MLflow is not ours to mend: it warns of its own and its libraries' deprecations on import.
    for module in ("mlflow", "pydantic", "sqlalchemy", "alembic", "google"):
        config.addinivalue_line("filterwarnings", rf"ignore::Warning:{module}(\.|$)")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from threads, and on a busy machine threads that wait for each other cost much."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def bracket_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Ten good simulated parts to train on, three good and five grossly defective ones to test on, 256 px."""
    plan = Plan(good=10, test_good=3, defects=1, seed=5, size_px=256, severity=1.0)
    return write_simulated(tmp_path_factory.mktemp("sets") / "bracket", plan)


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    return Recipe(name="tiny", detector=DetectorSpec(bank_size=300), calibration=Calibration(folds=3), variants=())


Remembering = Callable[[Backbone, Sequence[torch.Tensor]], PatchMemory]


@pytest.fixture(scope="session")
def remembering() -> Remembering:
    """A memory of given patches (K, C), one tensor a layer of the backbone, all layers of one weight."""

    def make(backbone: Backbone, patches: Sequence[torch.Tensor]) -> PatchMemory:
        spaces = [space_of(one) for one in patches]
        memories = [Memory(space(one), space) for space, one in zip(spaces, patches, strict=True)]
        stride = joint_stride(backbone)
        weights = [1 / len(memories)] * len(memories)
        return PatchMemory(memories, weights, backbone.strides.index(stride), Smoothing(stride)).eval()

    return make


MakeSet = Callable[..., Path]


@pytest.fixture
def make_set(tmp_path: Path) -> MakeSet:
    """Write an MVTec-layout set of textured frames, all of one size; `pixels` changes what is written."""

    number = count()

    def make(
        good: int = 6,
        size: tuple[int, int] = (96, 64),
        suffix: str = ".png",
        pixels: Callable[[NDArray[np.uint8]], NDArray[np.generic]] = lambda frame: frame,
    ) -> Path:
        root = tmp_path / f"parts-{next(number)}"
        for index in range(good):
            path = root / "train" / "good" / f"{index:03d}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels(texture(index, size)))
        return root

    return make


def texture(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width, 3) smooth noise; `size` is (width, height)."""
    noise = np.random.default_rng(seed).integers(60, 200, (8, 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), np.uint8)
