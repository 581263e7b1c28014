"""Inspections of files for a person or a spreadsheet: rows of plain data."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trialsight.errors import FrameError, TrialsightError
from trialsight.files import write_atomic
from trialsight.inspector import Inspection, Inspector
from trialsight.reason import Reason
from trialsight.verdict import Verdict

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
COLUMNS = ["file", "verdict", "rule", "reason", "score", "t1", "t2", "regions"]
OF_LARGEST = ["area_px", "length_px", "width_px", "area_mm2", "length_mm", "width_mm", "peak"]


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
            reason=Reason("unreadable", problem=str(error)),
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
        "rule": inspection.rule,
        "reason": inspection.reason,
        "score": inspection.score,
        "thresholds": asdict(inspection.thresholds),
        "regions": [region.to_json() for region in inspection.regions],
        "timings_ms": inspection.timings_ms,
    }


def one_line(row: Mapping[str, Any]) -> str:
    """A row of `describe` as a line on a terminal."""
    score = "-" if row["score"] is None else f"{row['score']:.4g}"
    return f"{row['verdict']:<10} {score:>8}  {row['file']}  {row['reason'] or ''}".rstrip()


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a file: verdict, thresholds, the number of regions, and the measures of the largest one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *(f"largest_{name}" for name in OF_LARGEST)])
    writer.writeheader()
    for row in rows:
        largest: dict[str, Any] = max(row["regions"], key=lambda region: region["area_px"], default={})
        measures = {f"largest_{name}": largest.get(name) for name in OF_LARGEST}
        plain = {name: row[name] for name in ("file", "verdict", "rule", "reason", "score")}
        thresholds = {name: row["thresholds"][name] for name in ("t1", "t2")}
        writer.writerow({**plain, **thresholds, "regions": len(row["regions"]), **measures})
    write_atomic(path, text.getvalue().encode("utf-8-sig"))  # the mark lets spreadsheets read 中文 right
