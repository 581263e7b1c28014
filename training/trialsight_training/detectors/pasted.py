"""Pasted defects in place of labelled ones, to judge detectors by that don't learn them."""

from dataclasses import replace

import numpy as np
import torch

from trialsight_training.detectors.detector import Defective, Lesson
from trialsight_training.detectors.graph import layer_maps
from trialsight_training.detectors.synthetic import blemish
from trialsight_training.progress import Progress


def with_pasted(lesson: Lesson, progress: Progress) -> Lesson:
    """The lesson with a blemished copy of each good part, of that part's own fold, in place of labelled defects."""
    rng = np.random.default_rng(lesson.seed)
    good = lesson.good
    frames, masks, maps = [], [], []
    with progress.task("pasting", len(good.frames)) as step:
        for frame in good.frames:
            donor = good.frames[int(rng.integers(len(good.frames)))].numpy()
            pixels, mask = blemish(frame.numpy(), donor, rng)
            frames.append(torch.from_numpy(pixels))
            masks.append(torch.from_numpy(mask))
            with torch.no_grad():
                maps.append(layer_maps(lesson.backbone, frames[-1][None]))
            step()
    labels = ("pasted",) * len(frames)
    layers = tuple(torch.cat(one) for one in zip(*maps, strict=True))
    defective = Defective(torch.stack(frames), layers, tuple(masks), labels, good.folds)
    return replace(lesson, defective=defective)
