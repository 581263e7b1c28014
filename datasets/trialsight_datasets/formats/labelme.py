"""LabelMe (Russell et al. 2008, as labelme writes it): a JSON beside each image with `shapes`. None, or only
such as are labelled `good`: a good part."""

import base64
import binascii
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from trialsight_datasets.drawn import Bitmap, Drawn, Polygon, bitmap_of
from trialsight_datasets.formats.fields import FieldError, Node, read_json
from trialsight_datasets.formats.listing import Listing, divide, is_good_name, label_of, split_of
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import TEST, ImageSet
from trialsight_datasets.write import Target, drawn_mask, lost_without_mask, save_image

LOOKS_LIKE = "images with a .json of the same name beside each, with shapes"
Shape = Polygon | Bitmap
CIRCLE_POINTS = 72


def detect(folder: Path) -> bool:
    for path in list(folder.glob("*.json"))[:3] + list(folder.glob("*/*.json"))[:3]:
        with path.open("rb") as file:
            if b'"shapes"' in file.read(1 << 16):
                return True
    return False


def read(folder: Path) -> Listing:
    """Folders named as splits are those; else all is divided. An image without JSON was not looked at by anybody and is
    left out, as a problem."""
    listing = Listing(folder, folder.name)
    split_folders = False
    for key, image in listing.images(folder).items():
        split = split_of(Path(key).parts[0]) if len(Path(key).parts) > 1 else None
        split_folders |= split is not None
        path = image.with_suffix(".json")
        if not path.is_file():
            listing.problem(image, f"has no {path.name}: nobody said whether it is good; save it in labelme once")
            continue
        try:
            found, size = _read_file(path)
        except FieldError as error:
            listing.problem(path, str(error))
            continue
        found = [(name, shape) for name, shape in found if not is_good_name(name)]
        shapes = tuple(shape for _, shape in found)
        label = label_of((name for name, _ in found), (1.0 for _ in found))
        listing.add(image, label, split or TEST, None, Drawn(size, shapes) if shapes else None)
    if not split_folders:
        divide(listing)
    return listing


def write(image_set: ImageSet, target: Target) -> None:
    """train/ and test/, each defect as a shape of the type `mask`, which labelme has from version 5.2 on."""
    for sample in image_set:
        folder, stem = target.root / sample.split, target.stem(sample)
        name = f"{stem}{sample.path.suffix.lower()}"
        save_image(sample, folder / name)
        width, height = upright_size(sample.path)
        shapes: list[dict[str, Any]] = []
        mask = drawn_mask(sample)
        if not sample.is_good:
            shape: dict[str, Any] = {"label": sample.label, "shape_type": "rectangle", "group_id": None, "flags": {}}
            if mask is None:
                shape["points"] = [[0, 0], [width, height]]
            else:
                bitmap = bitmap_of(mask)
                ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
                shape["points"] = [[int(xs[0]), int(ys[0])], [int(xs[-1]), int(ys[-1])]]
                shape |= {"shape_type": "mask", "mask": base64.b64encode(bitmap.png).decode()}
            shapes.append(shape)
        whole: dict[str, Any] = {
            "version": "5.2.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": name,
            "imageData": None,
        }
        whole |= {"imageHeight": height, "imageWidth": width}
        (folder / f"{stem}.json").write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
        target.step()


lost = lost_without_mask


def _read_file(path: Path) -> tuple[list[tuple[str, Shape]], tuple[int, int]]:
    root = read_json(path)
    size = (root.get("imageWidth", int), root.get("imageHeight", int))
    return [(item.get("label", str), _shape(item)) for item in root.child("shapes").each()], size


def _shape(item: Node) -> Shape:
    kind = item.get("shape_type", str) if item.has("shape_type") else "polygon"
    points = [point.point() for point in item.child("points").each()]
    if kind == "mask":
        try:
            png = base64.b64decode(item.get("mask", str), validate=True)
        except binascii.Error as error:
            raise FieldError(f"{item.where}.mask: {error}") from error
        _need(item, points, 1, kind)
        return Bitmap(round(points[0][0]), round(points[0][1]), png)
    if kind == "rectangle":
        _need(item, points, 2, kind)
        (left, top), (right, bottom) = points[:2]
        return Polygon(((left, top), (right, top), (right, bottom), (left, bottom)))
    if kind == "circle":
        _need(item, points, 2, kind)
        radius, turn = math.dist(*points[:2]), 2 * math.pi / CIRCLE_POINTS
        x, y = points[0]
        steps = range(CIRCLE_POINTS)
        return Polygon(tuple((x + radius * math.cos(i * turn), y + radius * math.sin(i * turn)) for i in steps))
    if kind in ("polygon", "line", "linestrip", "point", "points"):
        _need(item, points, 3 if kind == "polygon" else 1, kind)
        return Polygon(tuple(points if kind == "polygon" else points + points[::-1]))
    raise FieldError(f"{item.where}.shape_type: {kind!r} is not known")


def _need(item: Node, points: list[tuple[float, float]], least: int, kind: str) -> None:
    if len(points) < least:
        raise FieldError(f"{item.where}.points: a {kind} needs {least} at least, got {len(points)}")
