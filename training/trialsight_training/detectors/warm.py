"""States by dotted names, and what it takes to go on from one instead of starting over."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from trialsight_training.detectors.detector import Lesson

# Of a training's steps, what a few more parts take where the weights have been learned already.
SHARE = 4
_BANK = re.compile(r"\bbank\.(\d+)$")
_LAYER = re.compile(r"(?:^|\.)(\d+)\.center$")


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each name with `prefix.` before it."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def within(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `under` put there, by its own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def of_networks(networks: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The whole model's state and those of the models without each fold, by their place in the list."""
    states = (under(str(place), network.state_dict()) for place, network in enumerate(networks))
    return {name: tensor for state in states for name, tensor in state.items()}


def of_network(place: int, previous: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `of_networks` kept of the one at `place`; empty where there was none."""
    return within(str(place), previous)


def knows(tensors: Mapping[str, Tensor], folds: int, channels: Sequence[int]) -> bool:
    """Whether a state can be gone on from with so many folds and layers of such `channels`: where it holds banks, there
    is one without each fold, and of each layer."""
    places = {int(found[1]) for name in tensors if (found := _BANK.search(name))}
    widths = {int(found[1]): len(tensors[name]) for name in tensors if (found := _LAYER.search(name))}
    alike = places == set(range(folds + 1)) and widths == dict(enumerate(channels))
    return bool(tensors) and (not places or alike)


def steps_of(lesson: Lesson, usual: int) -> int:
    """The recipe's number or the detector's `usual` one; fewer where an earlier fit left a state to go on from."""
    steps = lesson.spec.steps or usual
    return max(1, steps // SHARE) if lesson.previous else steps
