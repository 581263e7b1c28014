"""Samples as the model will see them: decoded and prepared by the very functions that serve."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trialsight.errors import FrameError, TrialsightError
from trialsight.health import Health, measure
from trialsight.prepare import Prepared, Preparer
from trialsight.recipe import Augment
from trialsight_datasets.pixels import load_mask, read_bytes
from trialsight_datasets.sample import Sample
from trialsight_training.augment import moved
from trialsight_training.backbones import Backbone
from trialsight_training.calibrate import assign_folds
from trialsight_training.detectors.detector import Defective, Good, Patches
from trialsight_training.detectors.graph import Layers, joint_layers, layer_maps
from trialsight_training.parallel import each
from trialsight_training.store import Store

T = TypeVar("T", bound=np.generic)

# Patches of a layer that a detector may choose from; beyond these a random share of each picture's stands for them all.
# Of a layer finer than the others few are kept.
MAX_PATCHES, MAX_FINE_PATCHES = 200_000, 50_000
# No more copies than so many parts would have, and from so many parts on none: where parts are few they show how the
# next one may lie, where parts are many these show it themselves, and copies would only crowd out what is real.
COPIED, ENOUGH = 10, 100


def prepared(samples: Iterable[Sample], preparer: Preparer) -> Iterator[NDArray[np.uint8]]:
    """What the model sees of each sample, (H, W, 3) RGB: one picture, or its tiles. Raises TrialsightError that names
    the file, also for a misaligned part."""
    for sample in samples:
        yield from cut(prepare(sample, preparer).pixels, preparer)


def prepare(sample: Sample, preparer: Preparer) -> Prepared:
    data, header = read_bytes(sample.path)
    try:
        frame = preparer.decode(data, header)
    except FrameError as error:
        raise TrialsightError(f"{sample.path}: {error.problem}", error.remedy) from error
    if frame.fault is not None:
        raise TrialsightError(
            f"{sample.path}: {frame.fault}", "take it out of the set, or widen view.registration in the recipe"
        )
    return frame


@dataclass(frozen=True)
class _Studied:
    """One part or tile. `layers`: (C, h, w) each; `patches`: (k, C) of each layer, of copies too."""

    tile: NDArray[np.uint8]
    layers: tuple[Tensor, ...]
    patches: tuple[Tensor, ...]


def study_good(
    backbone: Backbone,
    samples: Sequence[Sample],
    preparer: Preparer,
    augment: Augment,
    folds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> tuple[Good, tuple[Health, ...]]:
    """The parts, a random share of their cells and of augmented copies', and each picture's health.

    Where pictures are cut into tiles, each tile stands as a part of its own, one part's after the other, in the part's
    fold. `step` is called after each sample. Raises TrialsightError where nothing can be learned from them.
    """
    tiles = len(preparer.preparation.tiling or [None])
    # Tiles are many: one copy of a part shows enough.
    copies = _dealt(len(samples), min(1, augment.copies) if tiles > 1 else augment.copies)
    pictures = (len(samples) + sum(copies)) * tiles
    joint = joint_layers(backbone)
    most = (MAX_PATCHES if place in joint else MAX_FINE_PATCHES for place in range(len(backbone.layers)))
    shares = [max(1, one // pictures) for one in most]
    frames = Store(len(samples) * tiles)
    layers = [Store(len(samples) * tiles) for _ in backbone.layers]
    patches: list[list[Tensor]] = [[] for _ in layers]
    health: list[Health] = []
    seen: set[bytes] = set()

    def study(numbered: tuple[int, Sample]) -> tuple[NDArray[np.uint8], list[_Studied]]:
        number, sample = numbered
        rng = np.random.default_rng([seed, number])  # its own, so that parts can be studied in any order
        pixels = prepare(sample, preparer).pixels
        varied = [moved(pixels, augment, rng) for _ in range(copies[number])]
        studied = []
        for tile, *others in zip(*(cut(one, preparer) for one in (pixels, *varied)), strict=True):
            maps = _layers(backbone, np.stack([tile, *others]), sample)
            kept = tuple(_share(one, (1 + len(others)) * share, rng) for one, share in zip(maps, shares, strict=True))
            studied.append(_Studied(tile, tuple(one[0] for one in maps), kept))
        return pixels, studied

    for pixels, shown in each(study, enumerate(samples)):
        for one in shown:
            frames.add(torch.from_numpy(one.tile))
            for place, layer in enumerate(layers):
                layer.add(one.layers[place])
                patches[place].append(one.patches[place])
        health.append(measure(pixels))
        seen.add(hashlib.sha256(pixels.tobytes()).digest())
        step()
    if len(samples) > 1 and len(seen) == 1:
        raise TrialsightError(
            f"all {len(samples)} good training parts show the very same picture, so how good parts differ can't be "
            "seen",
            "photograph different parts; a frozen camera or a copied file looks like this",
        )
    part_folds = assign_folds(len(samples), folds, seed).repeat_interleave(tiles)
    seen_layers = Layers(tuple(layer.all() for layer in layers), joint)
    return Good(frames.all(), seen_layers, tuple(Patches.of(one) for one in patches), part_folds), tuple(health)


def study_defective(
    backbone: Backbone,
    samples: Sequence[Sample],
    preparer: Preparer,
    folds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Defective:
    """The labelled parts with their masks, laid as the frames are; where pictures are cut into tiles, their tiles, and
    parts without a mask are left out: which of their tiles are defective isn't known. `step` is called after each
    sample. Raises TrialsightError that names the file where a mask can't be used.
    """
    width, height = preparer.preparation.graph_size_px
    tiles = len(preparer.preparation.tiling or [None])
    frames, layers = [torch.empty(0, height, width, 3, dtype=torch.uint8)], []
    masks: list[Tensor | None] = []
    taken = []

    def study(sample: Sample) -> tuple[list[NDArray[np.uint8]], tuple[Tensor, ...], Sequence[Tensor | None]] | None:
        frame = prepare(sample, preparer)
        mask = load_mask(sample, frame.frame_size_px)
        if mask is None and tiles > 1:
            return None
        shown = cut(frame.pixels, preparer)
        maps = _stacked([_layers(backbone, tile[np.newaxis], sample) for tile in shown])
        if mask is None:
            return shown, maps, [None]
        return shown, maps, [torch.from_numpy(one) for one in cut(preparer.mask(mask, frame.pose), preparer)]

    for sample, studied in zip(samples, each(study, samples), strict=True):
        if studied is not None:
            shown, maps, marks = studied
            taken.append(sample.label)
            frames += [torch.from_numpy(tile)[None] for tile in shown]
            layers.append(maps)
            masks += marks
        step()
    labels = tuple(label for label in taken for _ in range(tiles))
    maps = _stacked(layers) if layers else tuple(torch.empty(0, one, 1, 1) for one in backbone.channels)
    known = Layers(maps, joint_layers(backbone))
    part_folds = _folds_by_class(taken, folds, seed).repeat_interleave(tiles)
    return Defective(torch.cat(frames), known, tuple(masks), labels, part_folds)


def _dealt(parts: int, each_part: int) -> list[int]:
    """How many copies are made of each part: so many of each, or those of COPIED parts spread evenly, or none."""
    total = each_part * min(COPIED, parts) if parts < ENOUGH else 0
    return [total * (number + 1) // parts - total * number // parts for number in range(parts)]


def cut(picture: NDArray[T], preparer: Preparer) -> list[NDArray[T]]:
    """(H, W, …) laid as the preparation lays it, to what the model sees: its tiles, or itself."""
    tiling = preparer.preparation.tiling
    return [picture] if tiling is None else [np.ascontiguousarray(tile) for tile in tiling.cut(picture)]


def _stacked(parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Each part's layers to those of all."""
    return tuple(torch.cat(one) for one in zip(*parts, strict=True))


def _share(maps: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """(n, C, h, w) to at most `count` of its cells by lot, (count, C)."""
    rows = maps.permute(0, 2, 3, 1).flatten(0, 2)
    return rows[torch.from_numpy(rng.permutation(len(rows))[:count])] if count < len(rows) else rows


def _layers(backbone: Backbone, pixels: NDArray[np.uint8], sample: Sample) -> tuple[Tensor, ...]:
    maps = layer_maps(backbone, torch.from_numpy(pixels)).maps
    if not all(bool(torch.isfinite(one).all()) for one in maps):
        raise TrialsightError(
            f"{sample.path}: backbone {backbone.name} gives features that are no numbers",
            "its weights are damaged or meant for another network: give others",
        )
    return maps


def _folds_by_class(labels: Sequence[str], folds: int, seed: int) -> Tensor:
    """(M,) each class dealt out over the folds in turn, so that each fold has some of each."""
    assigned = torch.zeros(len(labels), dtype=torch.long)
    dealt = 0
    for label in sorted(set(labels)):
        members = torch.tensor([index for index, one in enumerate(labels) if one == label])
        assigned[members] = (assign_folds(len(members), len(members), seed) + dealt) % folds
        dealt += len(members)
    return assigned
