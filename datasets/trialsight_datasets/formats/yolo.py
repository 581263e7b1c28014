"""YOLO as Ultralytics lays it out: a YAML with `names` and the splits' folders; for images/x.jpg labels/x.txt with one
line a defect, `class x y w h` or `class x1 y1 x2 y2 …`, as shares of the image's sides. No lines: a good part."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from trialsight import TrialsightError
from trialsight_datasets.drawn import Drawn, Polygon
from trialsight_datasets.formats.coco import box_polygon
from trialsight_datasets.formats.listing import Listing, divide, is_good_name, label_of, split_of
from trialsight_datasets.pixels import stored_size, upright_size
from trialsight_datasets.sample import TEST, ImageSet, Sample, Split
from trialsight_datasets.write import Target, drawn_mask, lost_without_mask, save_image

LOOKS_LIKE = "*.yaml with names, images/<split>/*, labels/<split>/*.txt"


def detect(folder: Path) -> bool:
    return _table(folder) is not None


def read(folder: Path) -> Listing:
    """An image whose .txt is missing or empty is good, as YOLO takes it for background."""
    listing = Listing(folder, folder.name)
    table = _table(folder)
    assert table is not None  # `detect` found it
    try:
        names, places = _names(table), _places(folder, table)
    except TrialsightError as error:
        listing.problem(table, error.problem)
        return listing
    used: set[Path] = set()
    for images, split in places:
        for image in listing.images(images).values():
            path = _label_path(images, image)
            used.add(path)
            _add(listing, image, path, split or TEST, names)
    for path in sorted(folder.rglob("labels/**/*.txt")):
        if path not in used:
            listing.problem(path, "is a label without an image; remove it, or give it its image's name")
    if not any(split for _, split in places):
        divide(listing)
    return listing


def write(image_set: ImageSet, target: Target) -> None:
    """Outlines of the masks, so that holes in a defect are filled; a defect without a mask is the whole image."""
    labels = sorted({sample.label for sample in image_set if not sample.is_good})
    for sample in image_set:
        stem = target.stem(sample)
        save_image(sample, target.root / "images" / sample.split / f"{stem}{sample.path.suffix.lower()}")
        lines = [] if sample.is_good else _lines(sample, labels.index(sample.label))
        path = target.root / "labels" / sample.split / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        target.step()
    table = {"path": ".", "train": "images/train", "val": "images/test", "test": "images/test"}
    text = yaml.safe_dump(table | {"names": dict(enumerate(labels))}, sort_keys=False, allow_unicode=True)
    (target.root / "data.yaml").write_text(text, encoding="utf-8")


lost = lost_without_mask


def _lines(sample: Sample, number: int) -> list[str]:
    width, height = upright_size(sample.path)
    mask = drawn_mask(sample)
    if mask is None:
        return [f"{number} 0.5 0.5 1 1"]
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    lines = []
    for outline in outlines:
        points = outline.reshape(-1, 2)
        points = np.concatenate([points, np.repeat(points[-1:], max(0, 3 - len(points)), axis=0)])
        shares = (points / (width, height)).ravel()
        lines.append(" ".join([str(number), *(f"{share:.8f}" for share in shares)]))
    return lines


def _add(listing: Listing, image: Path, path: Path, split: Split, names: dict[int, str]) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        size = stored_size(image) if lines else (0, 0)
    except UnicodeDecodeError:
        listing.problem(path, "is not UTF-8")
        return
    except TrialsightError:
        lines, size = [], (0, 0)  # the image itself is broken, which its own check says
    found: list[tuple[str, Polygon]] = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                found.append(_defect(line.split(), size, names))
        except ValueError as error:
            listing.problem(path, f"line {number}: {error}")
            return
    found = [(name, shape) for name, shape in found if not is_good_name(name)]
    label = label_of((name for name, _ in found), (_area(shape) for _, shape in found))
    shapes = tuple(shape for _, shape in found)
    listing.add(image, label, split, None, Drawn(size, shapes) if shapes else None)


def _defect(words: list[str], size: tuple[int, int], names: dict[int, str]) -> tuple[str, Polygon]:
    """Raises ValueError that names the field."""
    if not words[0].isdigit() or int(words[0]) not in names:
        raise ValueError(f"field 1: {words[0]!r} is not the number of a class; they are 0 to {max(names, default=0)}")
    values = []
    for place, word in enumerate(words[1:], 2):
        try:
            value = float(word)
        except ValueError:
            raise ValueError(f"field {place}: {word!r} is not a number") from None
        if not math.isfinite(value) or not -0.001 <= value <= 1.001:
            raise ValueError(f"field {place}: {word} is not a share of the image's side, 0 to 1")
        values.append(value)
    width, height = size
    if len(values) == 4:
        x, y, w, h = values
        return names[int(words[0])], box_polygon((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"{len(values)} numbers after the class: 4 make a box, an even number from 6 on a polygon")
    points = zip(values[::2], values[1::2], strict=True)
    return names[int(words[0])], Polygon(tuple((x * width, y * height) for x, y in points))


def _area(shape: Polygon) -> float:
    return float(cv2.contourArea(np.array(shape.points, np.float32)))


def _table(folder: Path) -> Path | None:
    """The first YAML that speaks of names and images."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "names:" in text and ("train:" in text or "val:" in text):
            return path
    return None


def _names(table: Path) -> dict[int, str]:
    names = _load(table).get("names")
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(isinstance(number, int) for number in names):
        return {number: str(name) for number, name in names.items()}
    raise TrialsightError("names: expected a list of classes, or a number for each")


def _places(folder: Path, table: Path) -> list[tuple[Path, Split | None]]:
    """The images' folders, each once; `path` in the YAML often is that of another machine, and then isn't followed."""
    data = _load(table)
    found: dict[Path, Split | None] = {}
    for key in ("train", "val", "test"):
        for entry in data[key] if isinstance(data.get(key), list) else [data.get(key)]:
            if entry is None:
                continue
            within = Path(str(entry))
            places = [
                folder / str(data.get("path", ".")) / within,
                folder / within,
                folder.joinpath(*within.parts[-2:]),
            ]
            place = next((one.resolve() for one in places if one.is_dir()), None)
            if place is None or not place.is_relative_to(folder):
                raise TrialsightError(f"{key}: there is no folder {entry} in {folder}")
            found.setdefault(place, split_of(key))
    return list(found.items())


def _load(table: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(table.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrialsightError(" ".join(str(error).split())) from error
    if not isinstance(data, dict):
        raise TrialsightError("expected fields with names")
    return data


def _label_path(images: Path, image: Path) -> Path:
    """Ultralytics' rule: the last `images` in the path becomes `labels`; without one, the label lies beside."""
    parts = list(image.with_suffix(".txt").parts)
    places = [index for index, part in enumerate(parts) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    elif (images.parent / "labels").is_dir():
        return images.parent / "labels" / image.relative_to(images).with_suffix(".txt")
    return Path(*parts)
