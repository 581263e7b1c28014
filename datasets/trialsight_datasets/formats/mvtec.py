"""The MVTec AD layout (Bergmann et al. 2019): train/good, test/<good or defect>, ground_truth/<defect>."""

from pathlib import Path

from trialsight_datasets.formats.listing import Listing, class_folders, is_good_name
from trialsight_datasets.sample import GOOD, TEST, TRAIN

LOOKS_LIKE = "train/good/*, test/good/*, test/<defect>/*, optionally ground_truth/<defect>/<name>_mask.png"


def detect(folder: Path) -> bool:
    return (folder / "train" / GOOD).is_dir() or ((folder / "train").is_dir() and (folder / "test").is_dir())


def read(folder: Path) -> Listing:
    """Masks may also be called as their images are, and may be missing altogether."""
    listing = Listing(folder, folder.name)
    for train in class_folders(folder / "train") if (folder / "train").is_dir() else []:
        images = listing.images(train)
        if is_good_name(train.name):
            listing.add_class(images, GOOD, TRAIN, {})
        elif images:
            listing.problem(train, f"defective parts belong below test/{train.name}: this layout trains on good parts")
    truth = folder / "ground_truth"
    masks = {path.name: listing.images(path) for path in (class_folders(truth) if truth.is_dir() else [])}
    for test in class_folders(folder / "test") if (folder / "test").is_dir() else []:
        label = GOOD if is_good_name(test.name) else test.name
        listing.add_class(listing.images(test), label, TEST, masks.get(test.name, {}))
    listing.orphans(mask for left in masks.values() for mask in left.values())
    return listing
