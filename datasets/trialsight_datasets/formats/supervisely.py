"""Supervisely's project folder: meta.json with the classes, and per data set img/x.jpg with ann/x.jpg.json, whose
objects are polygons, rectangles or bitmaps (a deflated PNG in base64). No objects: a good part."""

import base64
import binascii
import json
import zlib
from pathlib import Path
from typing import Any

from trialsight import TrialsightError
from trialsight_datasets.drawn import Bitmap, Drawn, Polygon, bitmap_of, inflate
from trialsight_datasets.formats.fields import FieldError, Node, read_json
from trialsight_datasets.formats.listing import Listing, class_folders, divide, is_good_name, label_of, split_of
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import TEST, ImageSet, Sample, Split
from trialsight_datasets.write import Target, drawn_mask, lost_without_mask, save_image

LOOKS_LIKE = "meta.json, <data set>/img/x.jpg, <data set>/ann/x.jpg.json"
COLORS = ("#E6194B", "#3CB44B", "#FFE119", "#4363D8", "#F58231", "#911EB4", "#46F0F0", "#F032E6")
Shape = Polygon | Bitmap


def detect(folder: Path) -> bool:
    return (folder / "meta.json").is_file() and any(folder.glob("*/ann/*.json"))


def read(folder: Path) -> Listing:
    """A data set whose name is a split's is that; else all is divided, unless an image's tag says train or val."""
    listing = Listing(folder, folder.name)
    divided = True
    for data_set in (path for path in class_folders(folder) if (path / "img").is_dir()):
        given = split_of(data_set.name)
        divided &= given is None
        for image in listing.images(data_set / "img").values():
            within = image.relative_to(data_set / "img")
            path = data_set / "ann" / within.with_name(f"{within.name}.json")
            if not path.is_file():
                listing.problem(image, f"has no annotation {path.relative_to(folder)}")
                continue
            try:
                root = read_json(path)
                tagged = _tagged(root)
                divided &= tagged is None
                _add(listing, image, given or tagged or TEST, root)
            except FieldError as error:
                listing.problem(path, str(error))
    if divided:
        divide(listing)
    return listing


def write(image_set: ImageSet, target: Target) -> None:
    """Data sets train/ and test/; masks as bitmaps, which lose no pixel."""
    for sample in image_set:
        name = f"{target.stem(sample)}{sample.path.suffix.lower()}"
        save_image(sample, target.root / sample.split / "img" / name)
        width, height = upright_size(sample.path)
        objects = [] if sample.is_good else [_object(sample, width, height)]
        whole = {"description": "", "tags": [], "size": {"height": height, "width": width}, "objects": objects}
        path = target.root / sample.split / "ann" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
        target.step()
    labels = sorted({sample.label for sample in image_set if not sample.is_good})
    classes = [
        {"title": label, "shape": "any", "color": COLORS[number % len(COLORS)]} for number, label in enumerate(labels)
    ]
    meta = {"classes": classes, "tags": [], "projectType": "images"}
    (target.root / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")


lost = lost_without_mask


def _object(sample: Sample, width: int, height: int) -> dict[str, Any]:
    mask = drawn_mask(sample)
    if mask is None:
        corners = [[0, 0], [width - 1, height - 1]]
        points = {"exterior": corners, "interior": []}
        return {"classTitle": sample.label, "geometryType": "rectangle", "tags": [], "points": points}
    bitmap = bitmap_of(mask)
    data = base64.b64encode(zlib.compress(bitmap.png)).decode()
    shape = {"data": data, "origin": [bitmap.x, bitmap.y]}
    return {"classTitle": sample.label, "geometryType": "bitmap", "tags": [], "bitmap": shape}


def _add(listing: Listing, image: Path, split: Split, root: Node) -> None:
    side = root.child("size")
    size = (side.get("width", int), side.get("height", int))
    found = [(item.get("classTitle", str), _shape(item)) for item in root.child("objects").each()]
    found = [(name, shape) for name, shape in found if not is_good_name(name)]
    shapes = tuple(shape for _, shape in found)
    label = label_of((name for name, _ in found), (1.0 for _ in found))
    listing.add(image, label, split, None, Drawn(size, shapes) if shapes else None)


def _shape(item: Node) -> Shape:
    kind = item.get("geometryType", str) if item.has("geometryType") else "polygon"
    if kind == "bitmap":
        bitmap = item.child("bitmap")
        x, y = bitmap.child("origin").point()
        try:
            png = inflate(base64.b64decode(bitmap.get("data", str), validate=True))
        except (binascii.Error, TrialsightError) as error:
            raise FieldError(f"{bitmap.where}.data: {error}") from error
        return Bitmap(round(x), round(y), png)
    points = item.child("points")
    exterior = tuple(point.point() for point in points.child("exterior").each())
    if kind == "rectangle" and len(exterior) == 2:
        (left, top), (right, bottom) = exterior
        return Polygon(((left, top), (right, top), (right, bottom), (left, bottom)))
    if kind in ("polygon", "line", "point") and exterior:
        holes = tuple(tuple(point.point() for point in hole.each()) for hole in points.items("interior"))
        return Polygon(exterior, holes)
    raise FieldError(f"{item.where}: a {kind} of {len(exterior)} points can't be drawn")


def _tagged(root: Node) -> Split | None:
    names = (tag.get("name", str) for tag in root.items("tags"))
    return next((split for name in names if (split := split_of(name)) is not None), None)
