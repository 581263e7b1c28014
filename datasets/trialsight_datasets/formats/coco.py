"""COCO (Lin et al. 2014): one JSON a split with images, categories and annotations, as CVAT, Label Studio, Roboflow and
COCO itself lay it out. An image without annotations is good."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight_datasets.drawn import Drawn, Polygon, RunLengths, run_lengths_of, unpack_run_lengths
from trialsight_datasets.formats.fields import FieldError, Node, read_json
from trialsight_datasets.formats.listing import Listing, divide, is_good_name, label_of, split_of
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import TEST, ImageSet, Split
from trialsight_datasets.write import Target, drawn_mask, lost_without_mask, save_image

LOOKS_LIKE = "annotations/*.json or <split>/_annotations.coco.json, with images, categories and annotations"
Shape = Polygon | RunLengths


def detect(folder: Path) -> bool:
    return any(_is_coco(path) for path in _files(folder))


def read(folder: Path) -> Listing:
    """Images are looked for by `file_name` beside the JSON, in images/ and in folders of the split's name. Boxes serve
    as masks where there is no segmentation. Splits come from the JSON's name or folder; one JSON for all is divided."""
    listing = Listing(folder, folder.name)
    files = [path for path in _files(folder) if _is_coco(path)]
    splits = {path: split_of(path.parent.name) or _split_in(path.stem) for path in files}
    for path, split in splits.items():
        try:
            _read_file(listing, path, split or TEST, read_json(path))
        except FieldError as error:
            listing.problem(path, str(error))
    if not any(splits.values()):
        divide(listing)
    return listing


def write(image_set: ImageSet, target: Target) -> None:
    """images/<split>/ and annotations/instances_<split>.json; masks as run lengths, which lose no pixel."""
    labels = sorted({sample.label for sample in image_set if not sample.is_good})
    numbers = {label: number for number, label in enumerate(labels, 1)}
    for split, samples in (("train", image_set.train), ("test", image_set.test)):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, sample in enumerate(samples, 1):
            name = f"{target.stem(sample)}{sample.path.suffix.lower()}"
            save_image(sample, target.root / "images" / split / name)
            width, height = upright_size(sample.path)
            images.append({"id": number, "file_name": name, "width": width, "height": height})
            mask = drawn_mask(sample)
            if not sample.is_good:
                marked = np.ones((height, width), np.bool_) if mask is None else mask
                entry: dict[str, Any] = {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": numbers[sample.label],
                }
                entry |= {"bbox": _box(marked), "area": int(marked.sum()), "iscrowd": 0}
                entry["segmentation"] = {"size": [height, width], "counts": run_lengths_of(marked).counts}
                annotations.append(entry)
            target.step()
        whole = {
            "info": {"description": image_set.name},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": number, "name": label} for label, number in numbers.items()],
        }
        path = target.root / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")


lost = lost_without_mask


def _read_file(listing: Listing, path: Path, split: Split, root: Node) -> None:
    names = {item.get("id", int): item.get("name", str) for item in root.items("categories")}
    by_image: dict[int, list[Node]] = defaultdict(list)
    for item in root.items("annotations"):
        by_image[item.get("image_id", int)].append(item)
    for item in root.child("images").each():
        file_name = item.get("file_name", str)
        image = _find(listing.root, path, file_name)
        if image is None:
            listing.problem(path, f"{item.where}.file_name: {file_name} does not exist beside it, nor in images/")
            continue
        found = [_annotation(one, names) for one in by_image.pop(item.get("id", int), [])]
        found = [(name, shapes, area) for name, shapes, area in found if not is_good_name(name)]
        size = (item.get("width", int), item.get("height", int))
        label = label_of((name for name, _, _ in found), (area for _, _, area in found))
        shapes = tuple(shape for _, own, _ in found for shape in own)
        listing.add(image, label, split, None, Drawn(size, shapes) if shapes else None)
    if by_image:
        first = next(iter(by_image.values()))[0]
        listing.problem(path, f"{first.where}.image_id: there is no image {first.value['image_id']}")


def _annotation(item: Node, names: dict[int, str]) -> tuple[str, tuple[Shape, ...], float]:
    number = item.get("category_id", int)
    if number not in names:
        raise FieldError(f"{item.where}.category_id: there is no category {number}")
    shapes = _shapes(item)
    area = item.get("area", float) if item.has("area") else float(len(shapes))
    return names[number], shapes, area


def _shapes(item: Node) -> tuple[Shape, ...]:
    if item.has("segmentation") and item.value["segmentation"] != []:
        node = item.child("segmentation")
        if isinstance(node.value, dict):
            counts = node.child("counts")
            if isinstance(counts.value, str):
                try:
                    return (unpack_run_lengths(counts.value),)
                except TrialsightError as error:
                    raise FieldError(f"{counts.where}: {error.problem}") from error
            return (RunLengths(tuple(one.a(int) for one in counts.each())),)
        return tuple(Polygon(_points(outline)) for outline in node.each())
    if item.has("bbox"):
        box = [one.a(float) for one in item.child("bbox").each()]
        if len(box) != 4:
            raise FieldError(f"{item.where}.bbox: expected x, y, width and height, got {len(box)} numbers")
        return (box_polygon(*box),)
    return ()


def box_polygon(x: float, y: float, width: float, height: float) -> Polygon:
    """The pixels of a box, whose right and lower edges lie one beyond its last."""
    right, bottom = max(x, x + width - 1), max(y, y + height - 1)
    return Polygon(((x, y), (right, y), (right, bottom), (x, bottom)))


def _points(outline: Node) -> tuple[tuple[float, float], ...]:
    flat = [one.a(float) for one in outline.each()]
    if len(flat) < 6 or len(flat) % 2:
        raise FieldError(f"{outline.where}: expected x and y of at least three points, got {len(flat)} numbers")
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _box(mask: NDArray[np.bool_]) -> list[int]:
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(xs[0]), int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1]


def _files(folder: Path) -> list[Path]:
    found = [*folder.glob("*.json"), *folder.glob("annotations/*.json"), *folder.glob("*/_annotations.coco.json")]
    return sorted(set(found))


def _is_coco(path: Path) -> bool:
    """By its first fields; a file that is broken further on is COCO all the same, and a problem."""
    if "coco" in path.name.casefold() or path.name.startswith("instances"):
        return True
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return b'"images"' in head or b'"annotations"' in head


def _split_in(stem: str) -> Split | None:
    return next((split for word in stem.replace("-", "_").split("_") if (split := split_of(word)) is not None), None)


def _find(root: Path, path: Path, file_name: str) -> Path | None:
    name = Path(file_name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        return None
    word = path.stem.rsplit("_", 1)[-1]
    folders = [path.parent, root, root / "images", root / "images" / word, root / word]
    folders += [root / "images" / split for split in ("train", "test", "val")]
    return next((found for folder in folders if (found := folder / name).is_file()), None)
