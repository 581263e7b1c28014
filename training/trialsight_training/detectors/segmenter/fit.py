"""Good parts with pasted defects, and labelled ones, to the network and to one without each group of folds."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from trialsight_training.augment import moved
from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.graph import Detector, joint_stride
from trialsight_training.detectors.held_out import fold_count, grouped, held_out_maps
from trialsight_training.detectors.labels import covered, draw, loss, targets
from trialsight_training.detectors.optimise import optimise
from trialsight_training.detectors.segmenter.model import Segmenter, UNet
from trialsight_training.detectors.synthetic import blemish
from trialsight_training.detectors.warm import of_network, of_networks, steps_of
from trialsight_training.progress import Progress

STEPS, RATE, BATCH, GROUPS = 200, 3e-3, 2, 2


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts, pasted defects, and labelled ones where there are any, with masks or without."""
    lesson = grouped(lesson, GROUPS)
    count, steps = fold_count(lesson), steps_of(lesson, STEPS)
    with progress.task("segmenter", steps * (count + 1)) as step:
        networks = [fit_network(lesson, fold, steps, step) for fold in range(-1, count)]
    whole, *without = (Segmenter(network, joint_stride(lesson.backbone)) for network in networks)
    good_maps, defect_maps = held_out_maps(lesson, without, progress)
    return Learned(
        model=Detector(lesson.backbone, whole).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"labelled_defects": len(lesson.defective)},
        state=of_networks(networks),
    )


def fit_network(lesson: Lesson, without: int, steps: int, step: Callable[[], None] = lambda: None) -> UNet:
    """From all folds but one."""
    good = lesson.good.frames[lesson.good.folds != without]
    labelled = lesson.defective.folds != without
    frames = lesson.defective.frames[labelled]
    height, width = good.shape[1:3]
    grid = (height // 4, width // 4)
    wanted = targets(lesson.defective, grid)[labelled]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lesson.seed)
        network = UNet()
    if begun := of_network(without + 1, lesson.previous):
        network.load_state_dict(begun)
    rng = np.random.default_rng(lesson.seed)

    def loss_of(generator: torch.Generator) -> Tensor:
        inputs, marks = [], []
        for index in draw(len(good), BATCH, generator).tolist():
            pixels = moved(good[index].numpy(), lesson.augment, rng)
            changed, mask = blemish(pixels, good[int(rng.integers(len(good)))].numpy(), rng)
            inputs += [pixels, changed]
            marks += [torch.zeros(1, *grid), covered(torch.from_numpy(mask)[None], grid)]
        batch, where = torch.from_numpy(np.stack(inputs)), torch.stack(marks)
        if len(frames):
            chosen = draw(len(frames), BATCH, generator)
            batch, where = torch.cat([batch, frames[chosen]]), torch.cat([where, wanted[chosen]])
        return loss(network(batch), where)

    optimise(network, loss_of, steps, RATE, lesson.seed, step)
    return network
