"""How far the student's maps are from the teacher's, in what a patch memory goes by: squared distance."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Of the layer's own variance: keeps an image of nothing (no variance within it) from dividing by nothing.
FLOOR = 0.1


@dataclass(frozen=True)
class Scale:
    """A teacher layer's root mean variance (`spread`): maps are divided by it, so that both layers count alike."""

    spread: float

    @classmethod
    def of(cls, maps: Tensor) -> "Scale":
        """From (N, C, h, w) maps of many pictures."""
        return cls(float(maps.float().var(dim=(0, 2, 3)).mean().sqrt()))


def distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over images of the unexplained share of variance, of the maps and of their 3x3 averages.

    Both (N, C, h, w), divided by the layer's scale. Each image is held against its own variance: a plain part that
    fills the frame counts as much as a crowded street: a patch memory lives on faint differences.
    """
    error = student - teacher
    return 0.5 * (_share(error, teacher) + _share(smooth(error), smooth(teacher)))


def blemish_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over pairs of the unexplained share of what the blemishes changed, in the 3x3 averages.

    The second half of a batch are the pictures of its first half with blemishes. A detector goes by this change alone,
    and it is a small part of the whole variance.
    """
    ours, theirs = (smooth(after - before) for before, after in (student.chunk(2), teacher.chunk(2)))
    change = theirs.square().mean(dim=(1, 2, 3))
    return ((ours - theirs).square().mean(dim=(1, 2, 3)) / (change + 0.1 * FLOOR)).mean()


def unexplained(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over images of squared error over (floored) variance within the image; 0 is a perfect copy."""
    return _share(student - teacher, teacher)


def _share(error: Tensor, teacher: Tensor) -> Tensor:
    # Not Tensor.var, which is several times slower on maps with channels last.
    within = (teacher.square().mean(dim=(2, 3)) - teacher.mean(dim=(2, 3)).square()).mean(dim=1)
    return (error.square().mean(dim=(1, 2, 3)) / (within + FLOOR)).mean()


def smooth(maps: Tensor) -> Tensor:
    """Averages over 3x3 neighbours, as PatchCore takes them (Roth et al. 2022, https://arxiv.org/abs/2106.08265).

    Of every second neighbourhood: the rest says nearly the same, at four times the cost.
    """
    return F.avg_pool2d(maps, 3, 2, 1, count_include_pad=False)


@torch.no_grad()
def scales(maps: tuple[Tensor, ...]) -> tuple[Scale, ...]:
    return tuple(Scale.of(one) for one in maps)
