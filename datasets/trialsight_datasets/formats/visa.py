"""The VisA layout (Zou et al. 2022): a table of images, either split_csv/1cls.csv for all objects or image_anno.csv
in one object's folder. Both give paths from the folder that holds the objects."""

import csv
from pathlib import Path

from trialsight import TrialsightError
from trialsight_datasets.formats.listing import Listing, splits_of_good
from trialsight_datasets.sample import GOOD, TEST, TRAIN, ImageSet, Sample, Split
from trialsight_datasets.write import Target, folder_name, save_image, save_mask

LOOKS_LIKE = "<object>/image_anno.csv (columns image, label, mask), or beside the object split_csv/1cls.csv"
SPLITS, ANNOTATIONS = Path("split_csv", "1cls.csv"), "image_anno.csv"
NORMAL = "normal"
Row = dict[str, str]


def detect(folder: Path) -> bool:
    return (folder / SPLITS).is_file() or (folder / ANNOTATIONS).is_file() or bool(_rows_beside(folder))


def read(folder: Path) -> Listing:
    """The object's folder, or the folder of all where its table names one object. Without split_csv, good parts are
    divided by `splits_of_good`. Defects carry the names of image_anno.csv where it has them, else `anomaly`.

    Raises TrialsightError where a table lacks a column or `folder` holds several objects.
    """
    if (folder / SPLITS).is_file():
        rows = _table(folder / SPLITS, ("object", "split", "label", "image", "mask"))
        objects = sorted({row["object"] for row in rows})
        if len(objects) != 1:
            raise TrialsightError(
                f"{folder} holds {len(objects)} VisA objects: {', '.join(objects) or 'none'}",
                f"name one of them, as in {folder / (objects or ['<object>'])[0]}",
            )
        return _listing(folder / objects[0], rows)
    return _listing(folder, _rows_beside(folder))


def _listing(folder: Path, rows: list[Row]) -> Listing:
    """`rows` of split_csv for this object, none where there is no such table."""
    listing = Listing(folder, folder.name)
    annotations = folder / ANNOTATIONS
    annotated = _table(annotations, ("image", "label", "mask")) if annotations.is_file() else []
    classes = {row["image"]: row["label"] for row in annotated}
    for row in rows or annotated:
        if not _resolve(folder, row["image"]).is_file():
            listing.problem(_resolve(folder, row["image"]), "is named in the table but does not exist")
    present = [row for row in rows or annotated if _resolve(folder, row["image"]).is_file()]
    divided = splits_of_good(row["image"] for row in present if row["label"] == NORMAL)
    for row in present:
        image = row["image"]
        good = row["label"] == NORMAL
        label = GOOD if good else classes.get(image, row["label"])
        mask = _resolve(folder, row["mask"]) if row["mask"] else None
        if mask is not None and not mask.is_file():
            listing.problem(mask, f"is named as the mask of {image} but does not exist")
            mask = None
        split: Split = TEST
        if good:
            split = divided[image] if not rows else _split(row["split"], listing, image)
        listing.add(_resolve(folder, image), label, split, mask)
    return listing


def _split(text: str, listing: Listing, image: str) -> Split:
    if text not in (TRAIN, TEST):
        listing.problem(listing.root.parent / SPLITS, f"puts {image} into the split {text!r}, neither train nor test")
    return TRAIN if text == TRAIN else TEST


def _resolve(folder: Path, within: str) -> Path:
    """Tables give paths from the folder of all objects; a folder that was renamed or cut out is found all the same."""
    path = folder.parent / within
    return path if path.exists() else folder.joinpath(*Path(within).parts[1:])


def _rows_beside(folder: Path) -> list[Row]:
    table = folder.parent / SPLITS
    if not table.is_file():
        return []
    rows = _table(table, ("object", "split", "label", "image", "mask"))
    return [row for row in rows if row["object"] == folder.name]


def _table(path: Path, columns: tuple[str, ...]) -> list[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            rows = [] if missing else [{column: (row[column] or "").strip() for column in columns} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrialsightError(f"{path} can't be read: {error}", "save it as CSV in UTF-8") from error
    if missing:
        raise TrialsightError(
            f"{path} has no column {', '.join(missing)}", f"its first line should read {','.join(columns)}"
        )
    return rows


def write(image_set: ImageSet, target: Target) -> None:
    """One object in the folder of all, with both tables."""
    name = folder_name(image_set.name)
    annotations, splits = [], []
    for sample in image_set:
        stem, kind = target.stem(sample), "Normal" if sample.is_good else "Anomaly"
        image = f"{name}/Data/Images/{kind}/{stem}{sample.path.suffix.lower()}"
        save_image(sample, target.root / image)
        mask = f"{name}/Data/Masks/Anomaly/{stem}.png" if sample.has_mask and not sample.is_good else ""
        if mask:
            save_mask(sample, target.root / mask)
        annotations.append({"image": image, "label": NORMAL if sample.is_good else sample.label, "mask": mask})
        said = NORMAL if sample.is_good else "anomaly"
        splits.append({"object": name, "split": sample.split, "label": said, "image": image, "mask": mask})
        target.step()
    _save_table(target.root / name / ANNOTATIONS, annotations)
    _save_table(target.root / SPLITS, splits)


def lost(sample: Sample) -> str | None:
    del sample
    return None


def _save_table(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
