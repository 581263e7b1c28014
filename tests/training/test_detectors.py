"""All detectors by one table: each learns from ten good parts, finds gross defects, and exports.

Torch, ONNX Runtime and, where it is installed, OpenVINO give the same maps and verdicts.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trialsight.card import Preparation
from trialsight.detector import Detector as RuntimeDetector
from trialsight.engines import installed_engines
from trialsight.prepare import Preparer
from trialsight.recipe import DetectorSpec, Recipe
from trialsight.verdict import Thresholds, judge
from trialsight_datasets.sample import ImageSet
from trialsight_training.detectors.table import DETECTORS
from trialsight_training.export import check_parity, export_onnx
from trialsight_training.fit import fit
from trialsight_training.frames import prepared
from trialsight_training.progress import Progress

SIDE = 128
# Enough for defects that nobody could miss; training in earnest takes its usual number.
STEPS = {"auto": 40, "discriminator": 80, "student_teacher": 15, "segmenter": 50}


@pytest.mark.parametrize(
    ("name", "labelled"),
    [*((name, 3 if name == "segmenter" else 0) for name in DETECTORS), ("discriminator", 3), ("auto", 3)],
)
def test_each_detector_learns_finds_gross_defects_and_says_the_same_in_torch_and_every_runtime(
    name: str, labelled: int, bracket_set: ImageSet, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(tiny_recipe, detector=DetectorSpec(name=name, bank_size=200, steps=STEPS.get(name)))
    preparer = Preparer(Preparation(SIDE, SIDE))
    defective = [sample for sample in bracket_set.test if not sample.is_good][:labelled]
    fitted = fit([*bracket_set.train, *defective], recipe, preparer, Progress())
    assert len(fitted.defect_scores) == labelled and np.isfinite(fitted.defect_scores).all()
    assert len(fitted.scores) == 10 and all(np.isfinite(score) and score > 0 for score in fitted.scores)
    assert fitted.description["name"] == name

    frames = np.stack(list(prepared(bracket_set.test, preparer)))
    with torch.no_grad():
        defect_map, score, embedding = fitted.model(torch.from_numpy(frames))
    assert defect_map.shape == (len(frames), SIDE // 4, SIDE // 4)
    assert float(defect_map.min()) >= 0
    assert torch.equal(score, defect_map.flatten(1).amax(1))
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(len(frames)))
    is_good = torch.tensor([sample.is_good for sample in bracket_set.test])
    unseen = torch.tensor([sample not in defective for sample in bracket_set.test])
    found = ~is_good if name == "segmenter" else ~is_good & unseen  # it is for the kinds that it was shown
    assert float(score[found].mean()) > float(score[is_good].mean())

    graph = tmp_path / "model.onnx"
    export_onnx(fitted.model, (SIDE, SIDE), graph)
    assert check_parity(fitted.model, graph, frames[:3]) < 1e-4
    thresholds = Thresholds(*[float(score.mean())] * 3)  # whatever was learned, some pass and some don't
    expected = [judge(one, thresholds)[0] for one in score.tolist()]
    for engine in installed_engines():
        runtime = RuntimeDetector(graph, engine=engine)
        seen = [runtime.run(frame) for frame in frames]
        np.testing.assert_allclose(np.stack([one.defect_map for one in seen]), defect_map.numpy(), rtol=1e-4, atol=1e-4)
        assert [judge(one.score, thresholds)[0] for one in seen] == expected
