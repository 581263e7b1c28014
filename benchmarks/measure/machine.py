"""What a table was measured on, without naming the machine or its folders."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("numpy", "opencv-python-headless", "onnxruntime", "torch", "openvino")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> str:
    """One line: cores, architecture, versions, and how busy the machine was, for ratios are noisier then."""
    libraries = ", ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name)))
    python = platform.python_version()
    load = f"load average {load_average():.1f} at the end"
    return f"{cores()} cores ({platform.machine()}), Python {python}, {libraries}; {load}"


def load_average() -> float:
    """Of the last minute; 0 where the system doesn't say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def commit() -> str:
    """Short hash of what was measured, marked where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty= with changes", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
