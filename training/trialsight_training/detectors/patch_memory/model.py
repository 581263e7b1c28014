"""Distances to remembered good patches, layer by layer.

PatchCore (Roth et al., CVPR 2022, "Towards Total Recall in Industrial Anomaly Detection") has one memory of all layers
together, brings its patches to one grid and weighs a distance by how lonely the nearest patch is among its neighbours.
Here each layer has its own memory on its own grid, and every patch of it its own scale (as the local outlier factor
does: Breunig et al., SIGMOD 2000), so that the search itself weighs (docs/decisions/0033-a-memory-a-layer.md). The bank
is searched in groups whose nearest patches are averaged: the one nearest of all lies near by chance as often as not
(docs/decisions/0034-the-nearest-of-several-groups.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trialsight_training.detectors.graph import Layers, Mapper, Smoothing

AXES = 64
# A direction's share of the widest one's variance below which it is no longer stretched: it would be noise.
LEAST_VARIANCE = 0.01
# A patch's scale: the mean distance to so many neighbours in the bank, in units of all patches' mean; no smaller than
# LEAST_SCALE of it, where a bank holds equal patches; and to this power.
NEIGHBOURS, LEAST_SCALE, POWER = 5, 0.5, 1.25
# Keeps the root's slope finite at a remembered patch; in squares of the spread.
SMALLEST = 1e-4
# A bank is searched in so many groups, unless they would have fewer patches than that.
GROUPS, FEWEST = 4, 50


@dataclass(frozen=True)
class Plan:
    """Of a layer: how many patches are remembered, and in how many directions they are told apart, at most."""

    size: int
    axes: int = AXES


@dataclass(frozen=True)
class Space:
    """Where a layer's distances are taken: (x - `center`) @ `axes`. `center` (C,), `axes` (C, A)."""

    center: Tensor
    axes: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """(n, C) to (n, A)."""
        return (points - self.center) @ self.axes


def space_of(points: Tensor, most: int = AXES) -> Space:
    """Good patches (n, C) to the `most` directions in which they are widest, each divided by the fourth root of its
    variance: halfway between features as they are, where few directions decide, and whitened ones, where noise counts
    as much. Good patches then lie 1 from their centre, in root mean square."""
    center = points.mean(0)
    centred = points - center
    variances, directions = torch.linalg.eigh((centred.T @ centred).double() / len(points))
    variances, directions = variances.flip(0)[:most], directions.flip(1)[:, :most]
    floor = (LEAST_VARIANCE * variances[0]).clamp(min=1e-12)
    stretched = directions * torch.maximum(variances, floor) ** -0.25
    spread = (variances.clamp(min=0) * torch.maximum(variances, floor) ** -0.5).sum().sqrt().clamp(min=1e-6)
    return Space(center, (stretched / spread).float().contiguous())


class Memory(nn.Module):
    """Distances to `bank` (K, A) patches, each in units of its own scale: the power mean, with exponent -8, of the
    distances to the nearest in each of a few groups. Every so many-th patch is of one group, so that each covers what
    is good as a greedy choice does. A low exponent: where one group alone remembers a rare good patch, its word counts.

    |z - b|² / s² is linear in (z, |z|²), so that a matrix product and a minimum are the whole search. Its rounding is
    that of the largest terms, which is harmless here: good patches lie 1 from the centre and some 0.5 from each other.
    """

    shift: Tensor
    axes: Tensor
    search: Tensor
    offsets: Tensor

    def __init__(self, bank: Tensor, space: Space) -> None:
        super().__init__()
        self.space, self.bank = space, bank
        weights = 1 / scales(bank).square()
        along = torch.cat([-2 * bank, torch.ones(len(bank), 1)], dim=1) * weights[:, None]
        self.groups = max(1, min(GROUPS, len(bank) // FEWEST))
        grouped = torch.cat([torch.arange(first, len(bank), self.groups) for first in range(self.groups)])
        self.register_buffer("shift", -space.center @ space.axes)
        self.register_buffer("axes", space.axes)
        self.register_buffer("search", along[grouped].T.contiguous())
        self.register_buffer("offsets", (bank.square().sum(1) * weights)[grouped])

    def forward(self, layer: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 1, h, w) distances."""
        n, c, h, w = layer.shape
        z = torch.addmm(self.shift, layer.permute(0, 2, 3, 1).reshape(n * h * w, c), self.axes)
        z = torch.cat([z, (z * z).sum(1, keepdim=True)], dim=1)
        groups = zip(self._split(self.offsets), self._split(self.search), strict=True)
        nearest = torch.stack([torch.addmm(offsets, z, search).amin(1) for offsets, search in groups])
        nearest = nearest.clamp(min=0) + SMALLEST  # squares
        least = nearest.amin(0)
        shares = least / nearest
        shares = shares * shares
        mean = (shares * shares).mean(0)  # between 1 / groups and 1, however far all are
        distances: Tensor = (least * mean.rsqrt().sqrt()).sqrt().view(n, 1, h, w)
        return distances

    def _split(self, by_patch: Tensor) -> tuple[Tensor, ...]:
        """The last axis to that of each group."""
        return by_patch.tensor_split(self.groups, dim=-1)


def scales(bank: Tensor) -> Tensor:
    """(K, A) to (K,): what is remembered lies as far apart as good parts vary there."""
    if len(bank) < 2:
        return torch.ones(len(bank))
    near = torch.cdist(bank, bank).topk(min(NEIGHBOURS + 1, len(bank)), largest=False).values[:, 1:].mean(1)
    return (near / near.mean().clamp(min=1e-6)).clamp(min=LEAST_SCALE) ** POWER


class Apart(Mapper):
    """Each layer's own distances, smoothed: (N, L, h, w), to tell what a layer is worth. `reference`: the layer whose
    grid maps follow."""

    def __init__(self, memories: Sequence[Memory], reference: int, smoothing: Smoothing) -> None:
        super().__init__()
        self.memories = nn.ModuleList(memories)
        self.reference = reference
        self.smoothing = smoothing

    def forward(self, layers: Layers, _frame: Tensor) -> Tensor:
        return torch.cat([self._smooth(layers, one) for one in self._distances(layers)], dim=1)

    def _distances(self, layers: Layers) -> list[Tensor]:
        return [memory(layer) for memory, layer in zip(self.memories, layers.maps, strict=True)]

    def _smooth(self, layers: Layers, *distances: Tensor) -> Tensor:
        smoothed: Tensor = self.smoothing(*distances, grid=layers.maps[self.reference].shape[-2:])
        return smoothed


class PatchMemory(Apart):
    """Each layer's distances times its weight, added and smoothed."""

    def __init__(
        self, memories: Sequence[Memory], weights: Sequence[float], reference: int, smoothing: Smoothing
    ) -> None:
        super().__init__(memories, reference, smoothing)
        self.weights = tuple(weights)

    def forward(self, layers: Layers, _frame: Tensor) -> Tensor:
        own = zip(self.weights, self._distances(layers), strict=True)
        return self._smooth(layers, *(weight * distances for weight, distances in own))[:, 0]
