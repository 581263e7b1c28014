"""Banks that grow by what new good parts show: the greedy selection goes on from where the first fit stopped."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from trialsight_training.detectors.patch_memory.coreset import project
from trialsight_training.detectors.patch_memory.model import Memory
from trialsight_training.parallel import each

# A bank may grow to this many times the recipe's size: the search takes time with each patch. Then it is time to
# start over.
MOST_GROWTH = 1.5


def remembered(memories: list[Memory]) -> dict[str, Tensor]:
    """What `grow` goes on from: of the whole memory and of those without each fold."""
    first = memories[0]
    points = {f"bank.{place}": one.bank[: one.size] for place, one in enumerate(memories)}
    return points | {"center": first.center, "spread": torch.tensor(first.spread), "axes": first.axes}


def grow(
    previous: Mapping[str, Tensor],
    patches: Tensor,
    folds: Tensor,
    bank_size: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> list[Memory]:
    """`patches` (n, K, C) of the last n parts, which are new; `folds` (N,) of all. No bank takes from its own fold."""
    center, spread = previous["center"], float(previous["spread"])
    axes = previous["axes"] if len(previous["axes"]) else None
    new, each_part, width = patches.shape
    points = patches.reshape(new * each_part, width) - center
    owner = folds[len(folds) - new :].repeat_interleave(each_part)
    near = project(points, seed)
    banks = [previous[f"bank.{place}"] for place in range(sum(name.startswith("bank.") for name in previous))]

    def bank(place: int) -> Tensor:
        kept = banks[place]
        allowed = (owner != place - 1).nonzero()[:, 0]
        room = max(0, round(bank_size * MOST_GROWTH * len(kept) / len(banks[0])) - len(kept))
        return torch.cat([kept, points[allowed[farther(near[allowed], project(kept, seed), room)]]])

    memories = []
    for one in each(bank, range(len(banks))):
        memory = Memory(one, torch.zeros(width), spread, axes)
        memory.center = center
        memories.append(memory)
        step()
    return memories


def farther(points: Tensor, bank: Tensor, room: int) -> Tensor:
    """Indices of at most `room` of `points` (n, d), each the farthest from the bank (K, d) and from those before it,
    until none is farther than the bank's own centres are from each other."""
    if not len(points) or len(bank) < 2:
        return torch.empty(0, dtype=torch.long)
    # The last centre of a greedy bank is as near to another as any two of it are.
    between = torch.cdist(bank, bank)
    radius = between.fill_diagonal_(torch.inf).min()
    distance = torch.cat([torch.cdist(some, bank).amin(1) for some in torch.split(points, 4096)])
    candidates = (distance > radius).nonzero()[:, 0]
    left, distance = points[candidates], distance[candidates]
    chosen: list[int] = []
    while len(chosen) < min(room, len(candidates)):
        farthest, at = distance.max(0)
        if farthest <= radius:
            break
        chosen.append(int(at))
        torch.minimum(distance, torch.cdist(left, left[at : at + 1])[:, 0], out=distance)
    return candidates[chosen]
