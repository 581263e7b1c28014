"""A part as a page shows it: the frame as it came, and what the model saw in it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.verdict import Thresholds
from trialsight_datasets.pixels import load_image, load_mask
from trialsight_training.evaluate import Judged

LONG_SIDE = 320
TRUTH = (0, 230, 230)  # RGB
# As the viewer paints (static/overlay.js): yellow, orange, red, magenta, far from the grays of metal.
STOPS = np.array([[255, 236, 120], [255, 158, 44], [238, 52, 36], [198, 30, 140]], np.float32)


@dataclass(frozen=True)
class Picture:
    """`frame` and `overlays` are data URLs of JPEGs; one overlay a model."""

    part: str
    label: str
    frame: str
    overlays: tuple[str, ...]
    captions: tuple[str, ...]


def picture(seen: Sequence[tuple[Judged, Thresholds]]) -> Picture:
    """The same part as one or more models saw it."""
    first = seen[0][0]
    image = load_image(first.sample.path)
    factor = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Picture(
        part=first.sample.part,
        label=first.sample.label,
        frame=_data_url(small),
        overlays=tuple(_data_url(_overlay(small, one, thresholds)) for one, thresholds in seen),
        captions=tuple(_caption(one) for one, _ in seen),
    )


def _overlay(image: NDArray[np.uint8], one: Judged, thresholds: Thresholds) -> NDArray[np.uint8]:
    """Heat from halfway between what is usual in this picture and the region's threshold, so that a good surface stays
    clean and what comes nearest to the threshold shows; the drawn defect outlined."""
    size = (image.shape[1], image.shape[0])
    painted = image
    if one.defect_map is not None:
        scores = cv2.resize(one.defect_map, size, interpolation=cv2.INTER_LINEAR)
        usual = min(float(np.median(one.defect_map)), 0.95 * thresholds.region)
        low = (usual + thresholds.region) / 2
        share = np.clip((scores - low) / max(3 * (thresholds.region - low), 1e-12), 0, 1)
        places = np.linspace(0, 1, len(STOPS))
        heat = np.stack([np.interp(share, places, channel) for channel in STOPS.T], axis=-1)
        weight = np.where(share > 0, np.minimum(0.15 + 1.5 * share, 0.8), 0)[..., None]
        painted = np.asarray(image * (1 - weight) + heat * weight, np.uint8)
    mask = load_mask(one.sample, one.frame_size_px)
    if mask is not None and mask.any():
        drawn = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0  # a lone pixel too
        outlines = cv2.findContours(drawn.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        painted = np.ascontiguousarray(painted)
        cv2.drawContours(painted, outlines, -1, TRUTH, 1)
    return painted


def _caption(one: Judged) -> str:
    return one.verdict.value if one.score is None else f"{one.verdict.value} {one.score:.4g}"


def _data_url(image: NDArray[np.uint8]) -> str:
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return "data:image/jpeg;base64," + base64.b64encode(np.asarray(encoded).tobytes()).decode()
