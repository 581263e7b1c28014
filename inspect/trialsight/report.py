"""Inspections of files for a person: rows of plain data, and pictures with the regions drawn."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trialsight.errors import FrameError, TrialsightError
from trialsight.files import write_atomic
from trialsight.image import decode
from trialsight.inspector import Inspection, Inspector
from trialsight.verdict import Verdict

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
# RGB; the word is drawn too, so the verdict never rests on colour alone.
_COLORS = {
    Verdict.PASS: (60, 200, 120),
    Verdict.REVIEW: (240, 180, 40),
    Verdict.REJECT: (235, 70, 60),
    Verdict.NO_VERDICT: (150, 150, 150),
}


def find_images(paths: Iterable[Path]) -> list[Path]:
    """Files as given; folders are searched to any depth for image suffixes. Raises for a path that doesn't exist."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        elif path.is_file():
            files.append(path)
        else:
            raise TrialsightError(f"{path} does not exist", "give an image file or a folder")
    return files


def inspect_file(inspector: Inspector, file: Path) -> Inspection:
    """Inspect one file; what can't be read is `no_verdict`, so that one bad file doesn't end a batch."""
    try:
        return inspector(file.read_bytes())
    except (FrameError, OSError) as error:
        return Inspection(
            verdict=Verdict.NO_VERDICT,
            reason=str(error),
            score=None,
            thresholds=inspector.card.thresholds,
            regions=(),
            defect_map=None,
            frame_size_px=(0, 0),
        )


def describe(file: Path, inspection: Inspection) -> dict[str, Any]:
    """One JSON-ready row."""
    return {
        "file": str(file),
        "verdict": inspection.verdict.value,
        "reason": inspection.reason,
        "score": inspection.score,
        "thresholds": asdict(inspection.thresholds),
        "regions": [region.to_json() for region in inspection.regions],
        "timings_ms": inspection.timings_ms,
    }


def draw(inspector: Inspector, file: Path, inspection: Inspection, folder: Path) -> Path | None:
    """Write `file` with region outlines and its verdict as `folder`/stem_verdict.png; None where it has no pixels."""
    if inspection.frame_size_px == (0, 0):
        return None
    data = file.read_bytes()
    image = decode(data, inspector.check(data))
    color = _COLORS[inspection.verdict]
    unit = max(1, round(max(image.shape[:2]) / 400))
    for region in inspection.regions:
        outline = np.round(np.array(region.contour)).astype(np.int32)
        cv2.polylines(image, [outline], isClosed=True, color=color, thickness=unit)
    label = inspection.verdict.value + ("" if inspection.score is None else f"  {inspection.score:.3g}")
    cv2.rectangle(image, (0, 0), (image.shape[1], 22 * unit), (20, 20, 20), cv2.FILLED)
    cv2.putText(image, label, (6 * unit, 16 * unit), cv2.FONT_HERSHEY_SIMPLEX, 0.5 * unit, color, unit, cv2.LINE_AA)
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    target = folder / f"{file.parent.name}-{file.stem}_{inspection.verdict.value}.png"
    write_atomic(target, encoded.tobytes())
    return target
