"""Banks that grow by what new good parts show: the greedy selection goes on from where the first fit stopped."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from trialsight_training.detectors.detector import Patches
from trialsight_training.detectors.patch_memory.model import Memory, Plan, Space
from trialsight_training.detectors.warm import under, within
from trialsight_training.parallel import each

# A bank may grow to this many times the recipe's size: the search takes time with each patch. Then it is time to
# start over.
MOST_GROWTH = 1.5


def remembered(banks: Sequence[Sequence[Memory]]) -> dict[str, Tensor]:
    """What `grow` goes on from: of each layer the whole memory and those without each fold."""
    found: dict[str, Tensor] = {}
    for layer, memories in enumerate(banks):
        points = {f"bank.{place}": one.bank for place, one in enumerate(memories)}
        space = memories[0].space
        found |= under(str(layer), points | {"center": space.center, "axes": space.axes})
    return found


def grow(
    previous: Mapping[str, Tensor],
    patches: Sequence[Patches],
    folds: Tensor,
    plans: Sequence[Plan],
    step: Callable[[], None] = lambda: None,
) -> list[list[Memory]]:
    """`patches`: of each layer those of the new parts; `folds` (N,) of all parts. No bank takes from its own fold.
    `step` is called after each bank."""
    states = [within(str(layer), previous) for layer in range(len(patches))]
    spaces = [Space(one["center"], one["axes"]) for one in states]
    points = [space(one.points) for space, one in zip(spaces, patches, strict=True)]
    owners = [folds[one.parts] for one in patches]
    count = sum(name.startswith("bank.") for name in states[0])

    def bank(which: tuple[int, int]) -> Tensor:
        layer, place = which
        kept, whole = states[layer][f"bank.{place}"], states[layer]["bank.0"]
        allowed = points[layer][owners[layer] != place - 1]
        room = max(0, round(plans[layer].size * MOST_GROWTH * len(kept) / len(whole)) - len(kept))
        return torch.cat([kept, allowed[farther(allowed, kept, room)]])

    banks: list[list[Memory]] = [[] for _ in states]
    wanted = [(layer, place) for layer in range(len(states)) for place in range(count)]
    for (layer, _), one in zip(wanted, each(bank, wanted), strict=True):
        banks[layer].append(Memory(one, spaces[layer]))
        step()
    return banks


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
