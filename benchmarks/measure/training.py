"""Our side of a comparison: `trialsight train` as a person calls it, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trialsight.errors import TrialsightError

# What isn't fitting: the set is kept as a version before it; the rest comes once the detector is fitted and its
# thresholds are set. anomalib's `Engine.fit` does none of it.
NOT_FIT = frozenset({"set", "store", "export", "evaluation", "variants", "tracking", "total"})


@dataclass(frozen=True)
class Trained:
    """`fit_s`: from the first picture that is read to a calibrated detector. `total_s`: to a registered version."""

    package: Path
    metrics: dict[str, float | None]
    fit_s: float
    total_s: float


def train(
    data: Path,
    folder: Path,
    backbone: str,
    weights: str,
    size_px: int,
    bank_size: int = 2000,
    plain: bool = False,
    variants: Sequence[str] | None = None,
    seed: int = 0,
) -> Trained:
    """A patch memory on `data`, with everything that comes of it in `folder`, which must not exist yet. `plain`: learns
    the parts as they are, without augmented copies of them. `variants`: None for the recipe's usual ones.

    Raises TrialsightError with what the command said.
    """
    folder.mkdir(parents=True)
    detector: dict[str, Any] = {"backbone": backbone, "weights": weights, "bank_size": bank_size}
    recipe = folder / "recipe.yaml"
    fields: dict[str, Any] = {"name": "bench", "seed": seed, "input": {"size_px": size_px}}
    fields["detector"] = {"name": "patch_memory", **detector}
    if plain:
        fields["augment"] = {"copies": 0}
    if variants is not None:
        fields["variants"] = list(variants)
    recipe.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    words = ["train", "--data", str(data), "--recipe", str(recipe), "--home", str(folder / "home"), "--json"]
    result = command(words)
    seconds = {task: float(value) for task, value in result["seconds"].items()}
    return Trained(
        package=Path(result["package"]),
        metrics=result["metrics"],
        fit_s=sum(value for task, value in seconds.items() if task not in NOT_FIT),
        total_s=seconds["total"],
    )


def command(words: list[str]) -> Any:
    """The JSON object that `trialsight` ends with. Raises TrialsightError with what it said."""
    done = subprocess.run(
        [Path(sys.executable).with_name("trialsight"), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TrialsightError(f"`trialsight {' '.join(words)}` failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)
