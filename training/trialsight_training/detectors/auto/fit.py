"""Fit what suits the data, judge each on parts that it didn't know, and keep the best or a fusion."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trialsight_training.detectors import discriminator, gaussian, patch_memory
from trialsight_training.detectors.auto.model import Fusion
from trialsight_training.detectors.detector import Learn, Learned, Lesson
from trialsight_training.detectors.graph import Detector
from trialsight_training.detectors.pasted import with_pasted
from trialsight_training.detectors.warm import under, within
from trialsight_training.metrics import image_metrics
from trialsight_training.progress import Progress

BASES: dict[str, Learn] = {"patch_memory": patch_memory.learn, "gaussian": gaussian.learn}
HEAD = "discriminator"
# Fewer labelled defects can neither be learned nor be judged by.
FEWEST_LABELLED = 3
# How much better, in held-out AUROC, another choice than the patch memory must be: pasted defects are not real ones,
# and a few labelled kinds not all. Those are the head's to learn; the bases are there for the others.
CLEARLY = 0.03
# What the square of the head's evidence may weigh beside the bases. The lowest that is nearly the best is taken: what
# nobody labelled is theirs to find first, and held-out parts of labelled kinds don't show what a higher weight takes
# from it. NEARLY: about the standard error of an AUROC of 0.95 by a hundred labelled parts.
WEIGHTS = (0.1, 0.14, 0.2, 0.4, 1.0)
NEARLY = 0.01


@dataclass(frozen=True)
class Choice:
    """A way to join what was learned, and how well it ranks parts that it didn't know."""

    name: str
    members: tuple[str, ...]
    mapper: Fusion
    good_maps: Tensor
    defect_maps: Tensor
    auroc: float


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """Good parts alone: patch memory, Gaussian, or both, whichever ranks defects pasted on held-out parts clearly best.

    With labelled defects these are what it is judged by, and the discriminator joins by the lowest weight that ranks
    them nearly best, where that is better than without it. It is never taken alone: a defect of a kind that nobody has
    labelled must still show.
    """
    labelled = len(lesson.defective) >= FEWEST_LABELLED
    by = "labelled defects" if labelled else "pasted defects"
    if not labelled and len(lesson.defective):
        progress.note(f"{len(lesson.defective)} labelled defects are too few to learn from: {FEWEST_LABELLED} at least")
    judged = lesson if labelled else with_pasted(lesson, progress)
    bases = {name: teach(_own(judged, name), progress) for name, teach in BASES.items()}
    choices = [_choice(bases, names) for names in (("patch_memory",), tuple(BASES), ("gaussian",))]
    chosen = _clearly_best(choices)
    state = {name: tensor for base, found in bases.items() for name, tensor in under(base, found.state).items()}
    if labelled:
        head = discriminator.learn(_own(lesson, HEAD), progress)
        state |= under(HEAD, head.state)
        weighed = [_choice(bases, chosen.members, head, weight) for weight in WEIGHTS]
        choices += weighed
        best = max(choice.auroc for choice in weighed)
        nearly = next(choice for choice in weighed if choice.auroc >= best - NEARLY)
        if nearly.auroc > chosen.auroc:
            chosen = nearly
    description: dict[str, object] = {
        "chosen": chosen.name,
        "chosen_by": by,
        "held_out_auroc": {choice.name: round(choice.auroc, 4) for choice in choices},
        "labelled_defects": len(lesson.defective),
    }
    if "patch_memory" in chosen.members:
        description |= bases["patch_memory"].description
    return Learned(
        model=Detector(lesson.backbone, chosen.mapper).eval(),
        good_maps=chosen.good_maps,
        # Of too few labelled parts nothing is known by models without them.
        defect_maps=chosen.defect_maps if labelled else chosen.defect_maps[:0],
        description=description,
        state=state,
    )


def _own(lesson: Lesson, name: str) -> Lesson:
    """With what an earlier fit left of that member alone."""
    return replace(lesson, previous=within(name, lesson.previous))


def _choice(
    bases: dict[str, Learned], members: Sequence[str], head: Learned | None = None, weight: float = 0.0
) -> Choice:
    taken = [bases[name] for name in members]
    levels = torch.stack([_highest(one.good_maps).median().clamp(min=1e-6) for one in taken])
    mapper = Fusion([one.model.mapper for one in taken], levels, head.model.mapper if head else None, weight)
    good = mapper.join([one.good_maps for one in taken], head.good_maps if head else None)
    defective = mapper.join([one.defect_maps for one in taken], head.defect_maps if head else None)
    scores = torch.cat([_highest(good), _highest(defective)]).tolist()
    auroc = image_metrics([index >= len(good) for index in range(len(scores))], scores)["image_auroc"]
    name = " + ".join([*members, *([f"{weight:g} {HEAD}"] if head else [])])
    return Choice(name, tuple(members), mapper, good, defective, auroc or 0.0)


def _clearly_best(choices: Sequence[Choice]) -> Choice:
    """The first, unless another is better by more than CLEARLY."""
    best = max(choices, key=lambda choice: choice.auroc)
    return best if best.auroc - choices[0].auroc > CLEARLY else choices[0]


def _highest(maps: Tensor) -> Tensor:
    return maps.flatten(1).amax(1)
