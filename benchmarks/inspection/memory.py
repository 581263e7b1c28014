"""Resident memory while frames go by, in a process that loads the runtime alone.

`python -m benchmarks.inspection.memory PACKAGE FRAMES IMAGE…` prints `{"rss_mib": {"1000": …}}`, from /proc (Linux).
"""

import json
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

from benchmarks.measure.report import ROOT, Table, Target
from trialsight import Inspector

EVERY = 1000
# The allocator's pools settle by a few MiB; a leak of one small frame a call would show as gigabytes.
FLAT_MIB = 4.0


def memory_over(package: Path, frames: int, images: list[Path]) -> dict[int, float]:
    """MiB after each thousand frames, measured in a fresh process."""
    words = [sys.executable, "-m", "benchmarks.inspection.memory", str(package), str(frames), *map(str, images)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return {int(count): float(mib) for count, mib in json.loads(done.stdout)["rss_mib"].items()}


def memory_table(found: dict[int, float]) -> Table:
    return Table(
        "Memory",
        ("frames inspected", *(f"{count:,}" for count in found)),
        (("resident MiB", *(f"{mib:.1f}" for mib in found.values())),),
        "One process with `Inspector` alone, a small model, real JPEG frames.",
    )


def memory_target(found: dict[int, float]) -> Target:
    first, last = min(found), max(found)
    text = f"{found[first]:.1f} MiB after {first:,}, {found[last]:.1f} after {last:,}"
    return Target(
        f"memory flat over {last:,} frames (within {FLAT_MIB:.0f} MiB)", text, found[last] <= found[first] + FLAT_MIB
    )


def _watch(package: Path, frames: int, images: list[Path]) -> dict[int, float]:
    inspector = Inspector.load(package)
    data = [image.read_bytes() for image in images]
    found = {}
    for count, frame in enumerate(islice(cycle(data), frames), start=1):
        inspector(frame)
        if count % EVERY == 0:
            found[count] = round(_resident_mib(), 2)
    return found


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kib) / 1024


if __name__ == "__main__":
    folder, number, *files = sys.argv[1:]
    json.dump({"rss_mib": _watch(Path(folder), int(number), [Path(file) for file in files])}, sys.stdout)
