"""Good parts and moved copies of them to the pupil, and to one without each group of folds."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from trialsight_training.augment import moved
from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.graph import Detector, Smoothing, joint_stride, patch_features
from trialsight_training.detectors.held_out import fold_count, grouped, held_out_maps
from trialsight_training.detectors.labels import draw
from trialsight_training.detectors.optimise import optimise
from trialsight_training.detectors.spread import mean_and_deviation
from trialsight_training.detectors.student_teacher.model import Pupil, StudentTeacher
from trialsight_training.detectors.warm import of_network, of_networks, steps_of
from trialsight_training.progress import Progress

STEPS, RATE, BATCH, GROUPS = 150, 2e-3, 4, 2
# EfficientAD's hard feature loss: what is foreseen well already teaches nothing more.
HARD = 0.5


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts alone: labelled defects are scored, not learned."""
    lesson = grouped(lesson, GROUPS)
    folds = lesson.good.folds
    count, steps = fold_count(lesson), steps_of(lesson, STEPS)
    with progress.task("student", steps * (count + 1)) as step:
        models = [
            fit_pupil(lesson, folds != fold, steps, step, of_network(fold + 1, lesson.previous))
            for fold in range(-1, count)
        ]
    whole, *without = models
    good_maps, defect_maps = held_out_maps(lesson, without, progress)
    return Learned(
        model=Detector(lesson.backbone, whole).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"student_parameters": sum(one.numel() for one in whole.pupil.parameters())},
        state=of_networks([one.pupil for one in models]),
    )


def fit_pupil(
    lesson: Lesson, known: Tensor, steps: int, step: Callable[[], None], begun: Mapping[str, Tensor]
) -> StudentTeacher:
    """`known` (N,) bool: which of the good parts it learns from. `begun`: a pupil's state to go on from, or nothing."""
    frames, features = lesson.good.frames[known], lesson.good.features[known]
    mean, deviation = mean_and_deviation(features)
    stride = joint_stride(lesson.backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lesson.seed)
        pupil = Pupil(len(mean), stride)
    if begun:
        pupil.load_state_dict(begun)
    model = StudentTeacher(pupil, mean, deviation, torch.ones_like(mean), Smoothing(stride))
    rng = np.random.default_rng(lesson.seed)

    def loss_of(generator: torch.Generator) -> Tensor:
        chosen = draw(len(frames), BATCH, generator)
        copies = torch.from_numpy(np.stack([moved(frames[i].numpy(), lesson.augment, rng) for i in chosen]))
        with torch.no_grad():
            taught = patch_features(lesson.backbone, copies)
        errors = model.errors(taught, copies)
        return errors.flatten().topk(int(errors.numel() * HARD)).values.mean()

    optimise(pupil, loss_of, steps, RATE, lesson.seed, step)
    with torch.no_grad():
        left = torch.stack(
            [model.errors(features[i : i + 1], frames[i : i + 1]).mean((0, 2, 3)) for i in range(len(frames))]
        )
    model.usual = left.mean(0).clamp(min=1e-4).view(1, -1, 1, 1)
    return model
