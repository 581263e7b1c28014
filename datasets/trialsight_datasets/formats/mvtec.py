"""The MVTec AD layout (Bergmann et al. 2019): train/good, test/<good or defect>, ground_truth/<defect>.

Beyond it, train/<defect> may hold labelled defective parts to learn from; their masks lie with the others'.
"""

from pathlib import Path

from trialsight_datasets.formats.listing import Listing, class_folders, is_good_name
from trialsight_datasets.sample import GOOD, TEST, TRAIN, ImageSet, Sample, Split
from trialsight_datasets.write import Target, folder_name, save_image, save_mask

LOOKS_LIKE = (
    "train/good/*, test/good/*, test/<defect>/*, optionally train/<defect>/* and ground_truth/<defect>/<name>_mask.png"
)
SPLITS: tuple[Split, ...] = (TRAIN, TEST)


def detect(folder: Path) -> bool:
    return (folder / "train" / GOOD).is_dir() or ((folder / "train").is_dir() and (folder / "test").is_dir())


def read(folder: Path) -> Listing:
    """Masks may also be called as their images are, and may be missing altogether."""
    listing = Listing(folder, folder.name)
    truth = folder / "ground_truth"
    masks = {path.name: listing.images(path) for path in (class_folders(truth) if truth.is_dir() else [])}
    masked = {label: {key.removesuffix("_mask") for key in found} for label, found in masks.items()}
    owners: dict[tuple[str, str], Path] = {}
    for split in SPLITS:
        for place in class_folders(folder / split) if (folder / split).is_dir() else []:
            images = listing.images(place)
            if is_good_name(place.name):
                listing.add_class(images, GOOD, split, {})
                continue
            for key in masked.get(place.name, set()) & images.keys():
                owner = owners.setdefault((place.name, key), images[key])
                if owner != images[key]:
                    listing.problem(images[key], f"shares its mask's name with {owner}; rename one of them")
            listing.add_class(images, place.name, split, masks.get(place.name, {}))
    listing.orphans(mask for left in masks.values() for mask in left.values())
    return listing


def write(image_set: ImageSet, target: Target) -> None:
    for sample in image_set:
        stem, label = target.stem(sample), folder_name(sample.label)
        save_image(sample, target.root / sample.split / label / f"{stem}{sample.path.suffix.lower()}")
        if sample.has_mask and not sample.is_good:
            save_mask(sample, target.root / "ground_truth" / label / f"{stem}_mask.png")
        target.step()


def lost(sample: Sample) -> str | None:
    del sample
    return None
