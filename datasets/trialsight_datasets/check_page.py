"""The check of a set as one HTML file with its pictures in it."""

import base64
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment

from trialsight import TrialsightError
from trialsight.card import parts_needed
from trialsight.files import write_atomic
from trialsight_datasets.check import Report
from trialsight_datasets.pixels import load_image, load_mask
from trialsight_datasets.sample import Sample

PICTURE_SIDE = 220
MOST_PICTURES = 60
EXAMPLES = 4
RATES = (0.10, 0.05, 0.02, 0.01)
CONFIDENCE = 0.95


def write_page(report: Report, path: Path) -> None:
    template = Environment(autoescape=True).from_string(
        files("trialsight_datasets").joinpath("check_page.html").read_text(encoding="utf-8")
    )
    labels = sorted({sample.label for sample in report.image_set}, key=lambda label: (label != "good", label))
    counts = report.image_set.counts()
    rows = [(label, counts["train"].get(label, 0), counts["test"].get(label, 0)) for label in labels]
    shown = report.suspicions[:MOST_PICTURES]
    text = template.render(
        report=report,
        rows=rows,
        most=max((train + test for _, train, test in rows), default=1),
        examples=[(label, [_picture(one) for one in _first(report, label)]) for label in labels],
        suspicions=[(one, _picture(one.sample), one.other and _picture(one.other)) for one in shown],
        left_out=len(report.suspicions) - len(shown),
        good=counts["train"].get("good", 0),
        needs=[(rate, parts_needed(rate, CONFIDENCE)) for rate in RATES],
    )
    write_atomic(path, text.encode())


def _first(report: Report, label: str) -> list[Sample]:
    return [sample for sample in report.image_set if sample.label == label][:EXAMPLES]


def _picture(sample: Sample) -> str:
    """A JPEG as a data URL, the mask's outline drawn in; empty where the image can't be read."""
    try:
        image = load_image(sample.path)
        height, width = image.shape[:2]
        factor = min(1.0, PICTURE_SIDE / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
        mask = load_mask(sample, (width, height)) if not sample.is_good else None
    except TrialsightError:
        return ""
    if mask is not None:
        scaled = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
        outlines, _ = cv2.findContours(scaled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(small, outlines, -1, (0, 160, 255), 1)
    jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
