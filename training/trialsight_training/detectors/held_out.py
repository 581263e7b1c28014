"""What each part looks like to a detector that never saw it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from trialsight_training.detectors.detector import Defective, Good, Lesson
from trialsight_training.detectors.graph import Mapper
from trialsight_training.parallel import each
from trialsight_training.progress import Progress


def grouped(lesson: Lesson, groups: int) -> Lesson:
    """The same with at most so many folds: what takes long to learn is not learned again for each of many."""
    good, defective = lesson.good, lesson.defective
    return replace(
        lesson,
        good=replace(good, folds=good.folds % groups),
        defective=replace(defective, folds=defective.folds % groups),
    )


def fold_count(lesson: Lesson) -> int:
    return int(lesson.good.folds.max()) + 1


def held_out_maps(lesson: Lesson, mappers: Sequence[Mapper], progress: Progress) -> tuple[Tensor, Tensor]:
    """(N, h, w) of the good parts, (M, h, w) of the defective ones; `mappers[k]` knows nothing of fold k."""
    good: list[Tensor] = []
    defective: list[Tensor] = []
    with progress.task("calibration", len(lesson.good.folds) + len(lesson.defective)) as step:
        for fold, mapper in enumerate(mappers):
            for parts, maps in ((lesson.good, good), (lesson.defective, defective)):
                own = (parts.folds == fold).nonzero()[:, 0].tolist()
                for one in each(partial(_map, mapper.eval(), parts), own):
                    maps.append(one)
                    step()
    return _in_order(good, lesson.good.folds), _in_order(defective, lesson.defective.folds)


def _map(mapper: Mapper, parts: Good | Defective, index: int) -> Tensor:
    """(1, h, w); one by one, since the parts may lie on disk."""
    defect_map: Tensor = mapper(parts.layers.of(index), parts.frames[index : index + 1])
    return defect_map


def _in_order(maps: list[Tensor], folds: Tensor) -> Tensor:
    """From fold after fold to the parts' own order."""
    if not maps:
        return torch.empty(0, 0, 0)
    joined = torch.cat(maps)
    ordered = torch.empty_like(joined)
    ordered[folds.argsort(stable=True)] = joined
    return ordered
