"""Plain folders, one per class: good/ and a folder for each defect, optionally masks/ (or ground_truth/)."""

from pathlib import Path

from trialsight_datasets.formats.listing import Listing, class_folders, is_good_name, splits_of_good
from trialsight_datasets.sample import GOOD, TEST, ImageSet, Sample
from trialsight_datasets.write import Target, folder_name, save_image, save_mask

LOOKS_LIKE = "good/*, defect/* (any names), optionally masks/<defect>/<name>.png or masks/<name>.png"
MASKS = ("masks", "ground_truth")


def detect(folder: Path) -> bool:
    return any(is_good_name(path.name) for path in class_folders(folder))


def read(folder: Path) -> Listing:
    """Good parts are divided into training and test (see `splits_of_good`); defective parts are all for testing."""
    listing = Listing(folder, folder.name)
    folders = class_folders(folder)
    masks = {key: mask for path in folders if path.name in MASKS for key, mask in listing.images(path).items()}
    for path in (path for path in folders if path.name not in MASKS):
        images = listing.images(path)
        if is_good_name(path.name):
            splits = splits_of_good(images)
            for key, image in images.items():
                listing.add(image, GOOD, splits[key], None)
        else:
            listing.add_class(images, path.name, TEST, _masks_of(path.name, images, masks))
    listing.orphans(masks.values())
    return listing


def _masks_of(label: str, images: dict[str, Path], masks: dict[str, Path]) -> dict[str, Path]:
    """Take a class's masks out of all: masks/<class>/<name> first, then masks/<name>."""
    own = {key: masks.pop(f"{label}/{key}") for key in _names(images) if f"{label}/{key}" in masks}
    shared = {key: masks.pop(key) for key in _names(images) if key in masks and key not in own}
    return own | shared


def _names(images: dict[str, Path]) -> list[str]:
    return [name for key in images for name in (f"{key}_mask", key)]


def write(image_set: ImageSet, target: Target) -> None:
    for sample in image_set:
        stem, label = target.stem(sample), folder_name(sample.label)
        save_image(sample, target.root / label / f"{stem}{sample.path.suffix.lower()}")
        if sample.has_mask and not sample.is_good:
            save_mask(sample, target.root / MASKS[0] / label / f"{stem}.png")
        target.step()


def lost(sample: Sample) -> str | None:
    del sample
    return "the division into training and test is made anew"
