from pathlib import Path

import pytest

from trialsight import TrialsightError
from trialsight_datasets import read_image_set

GOOD = [f"candle/Data/Images/Normal/{number:04d}.JPG" for number in range(10)]
BAD = [f"candle/Data/Images/Anomaly/{number:03d}.JPG" for number in range(2)]
MASKS = [f"candle/Data/Masks/Anomaly/{number:03d}.png" for number in range(2)]
CLASSES = ["chunk of wax missing", "melded wax,other"]


@pytest.fixture
def visa(tmp_path: Path, draw, draw_mask) -> Path:
    """The published layout, in small: one object, its own table and the table of splits."""
    for seed, name in enumerate(GOOD + BAD):
        draw(tmp_path / name, seed=seed)
    for name in MASKS:
        draw_mask(tmp_path / name, value=1)  # VisA numbers its defects: 1, 2, ...
    annotations = ["image,label,mask", *(f"{image},normal," for image in GOOD)]
    annotations += [f'{image},"{label}",{mask}' for image, label, mask in zip(BAD, CLASSES, MASKS, strict=True)]
    (tmp_path / "candle" / "image_anno.csv").write_text("\n".join(annotations) + "\n", "utf-8")
    rows = ["object,split,label,image,mask"]
    rows += [f"candle,{'train' if number < 8 else 'test'},normal,{image}," for number, image in enumerate(GOOD)]
    rows += [f"candle,test,anomaly,{image},{mask}" for image, mask in zip(BAD, MASKS, strict=True)]
    write_splits(tmp_path, rows)
    return tmp_path


def write_splits(root: Path, rows: list[str]) -> None:
    (root / "split_csv").mkdir(exist_ok=True)
    (root / "split_csv" / "1cls.csv").write_text("\n".join(rows) + "\n", "utf-8")


@pytest.mark.parametrize("folder", ["candle", "."])
def test_splits_come_from_the_table_and_classes_from_the_annotations(visa, folder):
    found = read_image_set(visa / folder)
    assert (found.layout, found.name) == ("visa", "candle")
    assert found.counts() == {"train": {"good": 8}, "test": {"good": 2, CLASSES[0]: 1, CLASSES[1]: 1}}
    assert [s.mask_path for s in found.test if not s.is_good] == [visa / mask for mask in MASKS]
    assert found.train[0].part == "Data/Images/Normal/0000"


def test_without_annotations_a_defect_is_an_anomaly(visa):
    (visa / "candle" / "image_anno.csv").unlink()
    assert read_image_set(visa / "candle").counts()["test"] == {"good": 2, "anomaly": 2}


def test_without_a_table_of_splits_a_fifth_of_the_good_parts_is_for_testing(visa):
    (visa / "split_csv" / "1cls.csv").unlink()
    found = read_image_set(visa / "candle")
    assert found.counts()["train"] == {"good": 8}
    assert found.counts()["test"]["good"] == 2
    assert read_image_set(visa / "candle") == found


def test_a_folder_cut_out_and_renamed_is_read_by_its_annotations(visa):
    renamed = (visa / "candle").rename(visa / "our candles")
    assert len(read_image_set(renamed)) == 12


def test_a_table_saved_by_a_spreadsheet_starts_with_a_mark(visa):
    table = visa / "split_csv" / "1cls.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_image_set(visa).train) == 8


def test_several_objects_are_listed(visa):
    rows = (visa / "split_csv" / "1cls.csv").read_text("utf-8").splitlines()
    write_splits(visa, [*rows, "pcb1,train,normal,pcb1/Data/Images/Normal/0.JPG,"])
    with pytest.raises(TrialsightError, match=r"holds 2 VisA objects: candle, pcb1 .*name one of them"):
        read_image_set(visa)
    assert len(read_image_set(visa / "candle")) == 12


ROWS = {
    "image missing": (f"candle,train,normal,{GOOD[0]}x.JPG,", "is named in the table but does not exist"),
    "mask missing": (f"candle,test,anomaly,{BAD[0]},{MASKS[0]}x.png", "is named as the mask of .* but does not exist"),
    "odd split": (f"candle,validation,normal,{GOOD[0]},", "into the split 'validation', neither train nor test"),
}


@pytest.mark.parametrize(("row", "message"), ROWS.values(), ids=ROWS)
def test_rows_that_can_not_be_followed(visa, row, message):
    write_splits(visa, ["object,split,label,image,mask", row])
    with pytest.raises(TrialsightError, match=message):
        read_image_set(visa / "candle")


def test_a_table_without_its_columns(visa):
    write_splits(visa, ["object,split,image", f"candle,train,{GOOD[0]}"])
    with pytest.raises(TrialsightError, match=r"1cls\.csv has no column label, mask .*object,split,label,image,mask"):
        read_image_set(visa / "candle")


def test_a_table_in_another_encoding(visa):
    (visa / "split_csv" / "1cls.csv").write_bytes("object,split,label,image,mask\nprüfling,".encode("utf-16"))
    with pytest.raises(TrialsightError, match=r"1cls\.csv can't be read: .*save it as CSV in UTF-8"):
        read_image_set(visa / "candle")
