"""Where a training ran, so that a run can be repeated or its time understood."""

import os
import platform
import sys

import torch

from trialsight.engines import cores


def machine() -> dict[str, str]:
    """As MLflow tags: interpreter, system, processor, cores and torch's threads."""
    return {
        "environment.python": platform.python_version(),
        "environment.system": f"{platform.system()} {platform.machine()}",
        "environment.processor": _processor(),
        "environment.cores": str(cores()),
        "environment.torch_threads": str(torch.get_num_threads()),
    }


def memory_peak_mb() -> float:
    """The most memory that this process has held so far; 0 where the system doesn't tell."""
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a system file, line by line
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor() or os.name
