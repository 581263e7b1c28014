"""Every layout written and read again: the same images, labels, splits and pixels of every mask."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from trialsight import TrialsightError
from trialsight_datasets import load_mask, read_image_set
from trialsight_datasets.check import check_folder
from trialsight_datasets.export import export_image_set
from trialsight_datasets.sample import ImageSet

EVERY = ("mvtec", "visa", "kolektor", "coco", "yolo", "labelme", "supervisely")


@pytest.fixture
def marked(tmp_path: Path, draw) -> Path:
    """Good and scratched parts in either split, odd names, masks with a ring, two spots and single pixels."""
    root = tmp_path / "Teil 零件"
    for seed, name in enumerate(
        ("train/good/000.png", "train/good/a b.JPG", "test/good/000.png", "test/good/零件.bmp")
    ):
        draw(root / name, 40, 30, seed=seed)
    masks = np.zeros((3, 30, 40), np.uint8)
    cv2.circle(masks[0], (20, 15), 9, 255, 3)  # a ring: what it surrounds is fine
    masks[1][3:9, 4:30] = masks[1][20:22, 35:40] = 255
    masks[2][0, 0] = masks[2][29, 39] = masks[2][10, 10] = 255
    for index, (label, name) in enumerate((("scratch", "000"), ("scratch", "a.b"), ("dent", "000"))):
        draw(root / "test" / label / f"{name}.png", 40, 30, seed=10 + index)
        path = root / "ground_truth" / label / f"{name}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", masks[index])[1].tobytes())
    return root


def content(image_set: ImageSet, layout: str) -> list[tuple[str, ...]]:
    """What a layout should keep of each image; Kolektor has one class, YOLO fills what an outline surrounds."""
    rows = []
    for sample in image_set:
        mask = load_mask(sample)
        if mask is not None and layout == "yolo":
            outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            mask = cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0
        label = "defect" if layout == "kolektor" and not sample.is_good else sample.label
        pixels = "" if mask is None else np.packbits(mask).tobytes().hex()
        rows.append((sample.entry().image, label, sample.split, pixels))
    return sorted(rows)


@pytest.mark.parametrize("layout", EVERY)
def test_written_and_read_again(marked, tmp_path, layout):
    image_set = read_image_set(marked)
    done = export_image_set(image_set, layout, tmp_path / "out" / "set")
    again = read_image_set(done.folder)
    assert again.layout == layout
    assert content(again, layout) == content(image_set, layout)
    assert check_folder(done.folder).problems == ()


@pytest.mark.parametrize("name", ["cookie", "casting"])
@pytest.mark.parametrize("layout", EVERY)
def test_real_sets_written_and_read_again(shared_data, tmp_path, layout, name):
    whole = read_image_set(shared_data / name)
    by_label = {sample.label: sample for sample in whole.test}
    image_set = ImageSet(whole.root, name, whole.layout, whole.train[:2], tuple(by_label.values()))
    done = export_image_set(image_set, layout, tmp_path / name)
    assert content(read_image_set(done.folder), layout) == content(image_set, layout)


def test_plain_folders_keep_all_but_the_split(marked, tmp_path):
    image_set = read_image_set(marked)
    done = export_image_set(image_set, "folders", tmp_path / "plain")
    assert done.lost == {"the division into training and test is made anew": len(image_set)}
    again = read_image_set(done.folder)
    assert {row[:2] for row in content(again, "")} == {row[:2] for row in content(image_set, "")}


def test_what_a_layout_can_not_say_is_told(marked, tmp_path):
    (marked / "ground_truth" / "dent" / "000_mask.png").unlink()
    done = export_image_set(read_image_set(marked), "kolektor", tmp_path / "k")
    assert done.lost == {
        "class scratch becomes defect": 2,
        "a defective part without a mask would become a good one": 1,
    }


def test_a_folder_that_exists_is_left_alone(marked, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(TrialsightError, match="mine exists already"):
        export_image_set(read_image_set(marked), "coco", tmp_path / "mine")
    with pytest.raises(TrialsightError, match="'voc' is not known"):
        export_image_set(read_image_set(marked), "voc", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def one_image(root: Path, draw, image: str) -> None:
    draw(root / image, 40, 30, seed=1)


def coco(root: Path, draw, **change: object) -> Path:
    one_image(root, draw, "images/a.png")
    entry = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [2, 3, 10, 5], "area": 50}
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "categories": [{"id": 3, "name": "chip"}],
        "annotations": [entry],
    }
    for spelled, value in change.items():
        *keys, last = spelled.split("__")
        place: object = data
        for key in keys:
            place = place[int(key) if key.isdigit() else key]
        place[last] = value
    path = root / "annotations" / "instances_test.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


COCO_SHAPES = {
    "box": ({}, (slice(3, 8), slice(2, 12))),
    "polygon": ({"annotations__0__segmentation": [[5, 5, 9, 5, 9, 8, 5, 8]]}, (slice(5, 9), slice(5, 10))),
    "plain run lengths": (
        {"annotations__0__segmentation": {"size": [30, 40], "counts": [30 * 4 + 2, 5, 30 * 40 - 30 * 4 - 7]}},
        (slice(2, 7), slice(4, 5)),
    ),
    # as COCO's own tools write a mask of rows 2 to 6, columns 4 and 5: 122 5 25 5 1043
    "compressed run lengths": ({"annotations__0__segmentation": {"counts": "j35i00jo0"}}, (slice(2, 7), slice(4, 6))),
}


@pytest.mark.parametrize(("change", "where"), COCO_SHAPES.values(), ids=COCO_SHAPES)
def test_shapes_of_coco(tmp_path, draw, change, where):
    coco(tmp_path, draw, **change)
    (sample,) = read_image_set(tmp_path).test
    expected = np.zeros((30, 40), np.bool_)
    expected[where] = True
    assert sample.label == "chip"
    assert np.array_equal(load_mask(sample), expected)


COCO_FAULTS = {
    "no such category": ({"annotations__0__category_id": 9}, r"annotations\[0\]\.category_id: there is no category 9"),
    "no such image": ({"annotations__0__image_id": 7}, r"annotations\[0\]\.image_id: there is no image 7"),
    "file missing": ({"images__0__file_name": "b.png"}, r"images\[0\]\.file_name: b\.png does not exist"),
    "outside the set": ({"images__0__file_name": "../a.png"}, r"images\[0\]\.file_name: \.\./a\.png does not exist"),
    "text for a number": ({"images__0__width": "wide"}, r'images\[0\]\.width: expected a whole number, got "wide"'),
    "short box": ({"annotations__0__bbox": [1, 2]}, r"annotations\[0\]\.bbox: expected x, y, width and height, got 2"),
    "two points": (
        {"annotations__0__segmentation": [[1, 2, 3, 4]]},
        r"segmentation\[0\]: expected x and y of at least",
    ),
    "runs too short": (
        {"annotations__0__segmentation": {"size": [30, 40], "counts": [1, 2]}},
        r"run lengths add up to 3 pixels, the image has 1200",
    ),
    "runs cut short": ({"annotations__0__segmentation": {"counts": "PPP9Q"}}, r"segmentation\.counts: .*cut short"),
    "runs in other letters": ({"annotations__0__segmentation": {"counts": "~"}}, r"segmentation\.counts: .*can't hold"),
    "another size": ({"images__0__width": 41}, "the mask has 41x30 pixels, its image a.png has 40x30"),
    "no list": ({"images": {}}, r"images: expected a list, got \{\}"),
}


@pytest.mark.parametrize(("change", "message"), COCO_FAULTS.values(), ids=COCO_FAULTS)
def test_faults_of_coco_name_the_field(tmp_path, draw, change, message):
    coco(tmp_path, draw, **change)
    problems = " | ".join(str(problem) for problem in check_folder(tmp_path).problems)
    assert re.search(message, problems), problems


def test_broken_json_names_the_line(tmp_path, draw):
    path = coco(tmp_path, draw)
    path.write_text('{"images": [],\n "annotations": [,]}')
    with pytest.raises(TrialsightError, match=r"instances_test\.json: line 2, column 18: Expecting value"):
        read_image_set(tmp_path)


def yolo(root: Path, draw, lines: str, names: object = ("chip", "crack")) -> None:
    one_image(root, draw, "images/test/a.png")
    (root / "labels" / "test").mkdir(parents=True)
    (root / "labels" / "test" / "a.txt").write_text(lines)
    table = {"path": "/somewhere/else", "val": "images/test", "names": list(names) if names else names}
    (root / "data.yaml").write_text(yaml.safe_dump(table))


def test_boxes_of_yolo_and_the_label_of_the_larger(tmp_path, draw):
    yolo(tmp_path, draw, "0 0.1 0.1 0.05 0.1\n1 0.5 0.5 0.5 0.2\n")
    (sample,) = read_image_set(tmp_path).test
    assert sample.label == "crack"
    mask = load_mask(sample)
    assert mask[12:18, 10:30].all()
    assert mask.sum() == 6 * 20 + 3 * 2


YOLO_FAULTS = {
    "class beyond the names": (
        "0 .5 .5 .1 .1\n2 .5 .5 .1 .1\n",
        r"a\.txt: line 2: field 1: '2' is not the number of a class",
    ),
    "not a number": ("0 .5 x .1 .1\n", r"a\.txt: line 1: field 3: 'x' is not a number"),
    "pixels for shares": ("0 20 15 4 4\n", r"line 1: field 2: 20 is not a share"),
    "odd polygon": ("1 .1 .1 .2 .2 .3\n", r"line 1: 5 numbers after the class"),
}


@pytest.mark.parametrize(("lines", "message"), YOLO_FAULTS.values(), ids=YOLO_FAULTS)
def test_faults_of_yolo_name_line_and_field(tmp_path, draw, lines, message):
    yolo(tmp_path, draw, lines)
    with pytest.raises(TrialsightError, match=message):
        read_image_set(tmp_path)


def test_a_label_without_an_image_and_names_that_are_none(tmp_path, draw):
    yolo(tmp_path, draw, "")
    (tmp_path / "labels" / "test" / "b.txt").write_text("")
    assert next(p.what for p in check_folder(tmp_path).problems).startswith("is a label without an image")
    (tmp_path / "data.yaml").write_text("train: images\nnames: 3\n")
    with pytest.raises(TrialsightError, match=r"data\.yaml: names: expected a list of classes"):
        read_image_set(tmp_path)


def labelme(root: Path, draw, shape: dict[str, object]) -> None:
    one_image(root, draw, "a.png")
    data = {"imageWidth": 40, "imageHeight": 30, "imagePath": "a.png", "flags": {}, "shapes": [shape]}
    (root / "a.json").write_text(json.dumps(data))


LABELME_SHAPES = {
    "polygon": ({"shape_type": "polygon", "points": [[5, 5], [9, 5], [9, 8], [5, 8]]}, 5 * 4),
    "rectangle": ({"shape_type": "rectangle", "points": [[5, 5], [9, 8]]}, 5 * 4),
    "line": ({"shape_type": "line", "points": [[3, 4], [12, 4]]}, 10),
    "point": ({"shape_type": "point", "points": [[3, 4]]}, 1),
    "circle": ({"shape_type": "circle", "points": [[20, 15], [20, 21]]}, None),
}


@pytest.mark.parametrize(("shape", "pixels"), LABELME_SHAPES.values(), ids=LABELME_SHAPES)
def test_shapes_of_labelme(tmp_path, draw, shape, pixels):
    labelme(tmp_path, draw, {"label": "chip", **shape})
    (sample,) = read_image_set(tmp_path).test
    found = load_mask(sample).sum()
    assert found == pixels if pixels else 100 < found < 150  # a circle of 6 pixels has 113


LABELME_FAULTS = {
    "no label": ({"points": [[1, 1]]}, r"a\.json: shapes\[0\]\.label is missing"),
    "x without y": ({"label": "c", "points": [[1]]}, r"shapes\[0\]\.points\[0\]: expected x and y, got 1"),
    "two points": (
        {"label": "c", "points": [[1, 1], [2, 2]]},
        r"shapes\[0\]\.points: a polygon needs 3 at least, got 2",
    ),
    "unknown shape": ({"label": "c", "shape_type": "spline", "points": [[1, 1]]}, r"shape_type: 'spline' is not known"),
    "broken mask": ({"label": "c", "shape_type": "mask", "points": [[1, 1]], "mask": "%"}, r"shapes\[0\]\.mask: "),
}


@pytest.mark.parametrize(("shape", "message"), LABELME_FAULTS.values(), ids=LABELME_FAULTS)
def test_faults_of_labelme_name_the_field(tmp_path, draw, shape, message):
    labelme(tmp_path, draw, shape)
    with pytest.raises(TrialsightError, match=message):
        read_image_set(tmp_path)


def test_nobody_said_that_an_image_without_json_is_good(tmp_path, draw):
    labelme(tmp_path, draw, {"label": "chip", "points": [[1, 1], [2, 1], [2, 2]]})
    one_image(tmp_path, draw, "b.png")
    with pytest.raises(TrialsightError, match=r"b\.png: has no b\.json: nobody said whether it is good"):
        read_image_set(tmp_path)


def supervisely(root: Path, draw, one: dict[str, object]) -> None:
    one_image(root, draw, "ds/img/a.png")
    (root / "meta.json").write_text("{}")
    (root / "ds" / "ann").mkdir()
    data = {
        "size": {"width": 40, "height": 30},
        "objects": [{"classTitle": "chip", **one}],
        "tags": [{"name": "train"}],
    }
    (root / "ds" / "ann" / "a.png.json").write_text(json.dumps(data))


def test_a_polygon_of_supervisely_with_a_hole_and_a_tag_for_the_split(tmp_path, draw):
    square, hole = [[5, 5], [15, 5], [15, 15], [5, 15]], [[8, 8], [12, 8], [12, 12], [8, 12]]
    supervisely(tmp_path, draw, {"geometryType": "polygon", "points": {"exterior": square, "interior": [hole]}})
    (sample,) = read_image_set(tmp_path).train
    assert load_mask(sample).sum() == 11 * 11 - 3 * 3  # the hole's own outline still belongs to the defect


SUPERVISELY_FAULTS = {
    "bitmap that is none": (
        {"geometryType": "bitmap", "bitmap": {"data": "eJwDAAAAAAE=", "origin": [0, 0]}},
        "a bitmap is no PNG",
    ),
    "not deflated": ({"geometryType": "bitmap", "bitmap": {"data": "AAAA", "origin": [0, 0]}}, "can't be unpacked"),
    "no origin": ({"geometryType": "bitmap", "bitmap": {"data": "AAAA"}}, r"objects\[0\]\.bitmap\.origin is missing"),
    "cuboid": ({"geometryType": "cuboid", "points": {"exterior": [[1, 1]]}}, r"objects\[0\]: a cuboid of 1 points"),
}


@pytest.mark.parametrize(("one", "message"), SUPERVISELY_FAULTS.values(), ids=SUPERVISELY_FAULTS)
def test_faults_of_supervisely_name_the_field(tmp_path, draw, one, message):
    supervisely(tmp_path, draw, one)
    problems = " | ".join(str(problem) for problem in check_folder(tmp_path).problems)
    assert re.search(message, problems), problems


def test_all_images_of_a_kolektor_part_stay_on_one_side(tmp_path, draw, draw_mask):
    for part in range(12):
        for number in range(3):
            draw(tmp_path / f"kos{part:02d}" / f"Part{number}.jpg", seed=part * 3 + number)
            draw_mask(tmp_path / f"kos{part:02d}" / f"Part{number}_label.bmp", value=255 * (part == 5 and number == 1))
    found = read_image_set(tmp_path)
    assert found.layout == "kolektor"
    sides = {}
    for sample in found:
        sides.setdefault(sample.part, set()).add(sample.split)
    assert all(len(side) == 1 for side in sides.values())
    assert sides["kos05"] == {"test"}
    assert found.counts()["test"] == {"defect": 1, "good": 2 + 2 * 3}
