"""The Kolektor surface-defect sets: KolektorSDD (Tabernik et al. 2020), one folder a part with `_label.bmp` masks,
and KolektorSDD2 (Božič et al. 2021), train/ and test/ with `_GT.png` masks. An empty mask says that a part is good."""

from pathlib import Path

import cv2
import numpy as np

from trialsight_datasets.formats.listing import Listing, class_folders, divide, split_of
from trialsight_datasets.sample import GOOD, TEST, TRAIN, ImageSet, Sample
from trialsight_datasets.write import Target, save_image, save_mask

LOOKS_LIKE = "train/*.png and test/*.png with *_GT.png, or <part>/*.jpg with *_label.bmp"
MASKS = ("_GT", "_label")
DEFECT = "defect"


def detect(folder: Path) -> bool:
    return any(next(folder.glob(f"*/*{ending}.*"), None) for ending in MASKS)


def read(folder: Path) -> Listing:
    """Where folders aren't splits each is a physical part, all of whose images stay on one side."""
    listing = Listing(folder, folder.name)
    folders = class_folders(folder)
    split_folders = {path.name: split for path in folders if (split := split_of(path.name)) is not None}
    for path in folders:
        images = listing.images(path)
        masks = {key: images.pop(key) for key in list(images) if key.endswith(MASKS)}
        for key, image in images.items():
            mask = next((masks.pop(key + ending) for ending in MASKS if key + ending in masks), None)
            if mask is None:
                listing.problem(image, f"has no mask {image.stem}{MASKS[0]}.png; an empty one says that it is good")
                continue
            marked = _marks(mask)
            if marked is None:
                listing.problem(mask, "is no image")
                continue
            split = split_folders.get(path.name, TEST)
            part = None if path.name in split_folders else path.name
            listing.add(image, DEFECT if marked else GOOD, split, mask if marked else None, part=part)
        listing.orphans(masks.values())
    if not split_folders:
        divide(listing)
    return listing


def write(image_set: ImageSet, target: Target) -> None:
    """As KolektorSDD2. It knows one class of defects, `defect`, and a defect without a mask can't be said in it."""
    for sample in image_set:
        folder = target.root / (TRAIN if sample.split == TRAIN else TEST)
        stem = target.stem(sample)
        save_image(sample, folder / f"{stem}{sample.path.suffix.lower()}")
        save_mask(sample, folder / f"{stem}{MASKS[0]}.png")
        target.step()


def lost(sample: Sample) -> str | None:
    if not sample.is_good and not sample.has_mask:
        return "a defective part without a mask would become a good one"
    return f"class {sample.label} becomes {DEFECT}" if sample.label not in (GOOD, DEFECT) else None


def _marks(mask: Path) -> bool | None:
    pixels = cv2.imdecode(np.frombuffer(mask.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if pixels is None else bool(pixels.any())
