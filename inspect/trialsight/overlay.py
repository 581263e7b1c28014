"""The picture of an inspection: regions outlined and measured, the verdict and the rule that decided on top."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.files import write_atomic
from trialsight.image import decode
from trialsight.inspector import Inspection, Inspector
from trialsight.verdict import Verdict

# RGB; the word is drawn too, so the verdict never rests on colour alone.
COLORS = {
    Verdict.PASS: (60, 200, 120),
    Verdict.REVIEW: (240, 180, 40),
    Verdict.REJECT: (235, 70, 60),
    Verdict.NO_VERDICT: (150, 150, 150),
}


def draw(inspector: Inspector, file: Path, inspection: Inspection, folder: Path) -> Path | None:
    """Write the picture as `folder`/FOLDER-STEM_VERDICT.png; None where the file has no pixels."""
    if inspection.frame_size_px == (0, 0):
        return None
    data = file.read_bytes()
    image = decode(data, inspector.check(data))
    paint(image, inspection)
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    target = folder / f"{file.parent.name}-{file.stem}_{inspection.verdict.value}.png"
    write_atomic(target, np.asarray(encoded).tobytes())
    return target


def paint(image: NDArray[np.uint8], inspection: Inspection) -> None:
    """Draw onto an (H, W, 3) RGB picture of the frame, in place."""
    color = COLORS[inspection.verdict]
    unit = max(1, round(max(image.shape[:2]) / 400))
    for region in inspection.regions:
        outline = np.round(np.array(region.contour)).astype(np.int32)
        cv2.polylines(image, [outline], isClosed=True, color=color, thickness=unit)
        size = f"{region.length_px:.0f} px" if region.length_mm is None else f"{region.length_mm:.2f} mm"
        at = (int(region.box_px[0]), max(34 * unit, int(region.box_px[1]) - 3 * unit))
        _text(image, size, at, 0.4 * unit, color, unit)
    head = inspection.verdict.value + ("" if inspection.score is None else f"  {inspection.score:.3g}")
    if inspection.rule not in (None, "score"):
        head += f"  {inspection.rule}"
    cv2.rectangle(image, (0, 0), (image.shape[1], 22 * unit), (20, 20, 20), cv2.FILLED)
    size = 0.5 * unit
    (width, _), _ = cv2.getTextSize(head, cv2.FONT_HERSHEY_SIMPLEX, size, unit)
    _text(image, head, (6 * unit, 16 * unit), size * min(1.0, (image.shape[1] - 12 * unit) / width), color, unit)


def _text(
    image: NDArray[np.uint8], text: str, at: tuple[int, int], size: float, color: tuple[int, int, int], unit: int
) -> None:
    """OpenCV's built-in font has ASCII only; anything else becomes `?`."""
    ascii_text = text.encode("ascii", "replace").decode()
    cv2.putText(image, ascii_text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, unit, cv2.LINE_AA)
