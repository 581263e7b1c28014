"""What a training leaves behind for `trialsight train --update`: beside its package, not in it.

Features of all parts that were learned, so that none is looked at again, and the detector's own state.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from trialsight.errors import TrialsightError
from trialsight.files import sha256_of, write_atomic
from trialsight.health import Health
from trialsight_datasets.sample import Sample
from trialsight_training.detectors.detector import Defective, Good
from trialsight_training.detectors.graph import Layers

FORMAT = "4"
# Beyond this, tiles of large frames as a rule, nothing is kept, and more parts mean starting over.
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class State:
    """`learned`: sha256 of each learned part's image, to what it was learned as (`meaning`). The good
    parts' patches aren't kept: nothing but the detector's `tensors` remembers them. `graph_sha256`: of the package that
    it belongs to."""

    learned: dict[str, str]
    good: Good
    health: tuple[Health, ...]
    defective: Defective
    tensors: dict[str, Tensor]
    graph_sha256: str = ""


def meaning(sample: Sample) -> str:
    """The part's label and, of a defect, its mask: what it can't be learned as differently later."""
    mask = hashlib.sha256(sample.mask_bytes()).hexdigest()[:16] if sample.has_mask and not sample.is_good else ""
    return f"{sample.label} {mask}".strip()


def learned_as(samples: Iterable[Sample]) -> dict[str, str]:
    return {sha256_of(sample.path): meaning(sample) for sample in samples}


def state_beside(package: Path) -> Path:
    return package.with_name(f"{package.name}.state.safetensors")


def save_state(state: State, path: Path) -> bool:
    """False, and nothing written, where it would be too large to keep."""
    good, defective = state.good, state.defective
    tensors = {
        "good.frames": good.frames,
        "good.folds": good.folds,
        "health": torch.tensor([list(vars(one).values()) for one in state.health], dtype=torch.float64),
        "defective.frames": defective.frames,
        "defective.folds": defective.folds,
        **{f"good.layers.{place}": one.half() for place, one in enumerate(good.layers.maps)},
        **{f"defective.layers.{place}": one.half() for place, one in enumerate(defective.layers.maps)},
        **{f"mask.{place}": mask for place, mask in enumerate(defective.masks) if mask is not None},
        **{f"detector.{name}": tensor for name, tensor in state.tensors.items()},
    }
    if sum(one.numel() * one.element_size() for one in tensors.values()) > MOST_BYTES:
        return False
    words = {
        "format": FORMAT,
        "graph_sha256": state.graph_sha256,
        "learned": json.dumps(state.learned),
        "labels": json.dumps(defective.labels),
        "joint": json.dumps(good.layers.joint),
    }
    write_atomic(path, as_bytes({name: one.contiguous().clone() for name, one in tensors.items()}, words))
    return True


def load_state(package: Path, graph_sha256: str) -> State:
    """Raises TrialsightError where there is none beside the package, or another graph's, or a damaged one."""
    path = state_beside(package)
    remedy = "train without --update: that learns from all parts anew"
    if not path.is_file():
        raise TrialsightError(f"{package} has nothing to go on from: {path.name} isn't beside it", remedy)
    try:
        with safe_open(path, "pt") as file:
            words = file.metadata() or {}
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        if words["format"] != FORMAT:
            raise TrialsightError(f"{path} was left by another version of Trialsight", remedy)
        if words["graph_sha256"] != graph_sha256:
            raise TrialsightError(f"{path} belongs to another model than {package}", remedy)
        labels, joint = tuple(json.loads(words["labels"])), tuple(json.loads(words["joint"]))
        return State(
            learned=json.loads(words["learned"]),
            good=Good(found["good.frames"], _layers(found, "good", joint), (), found["good.folds"]),
            health=tuple(Health(*row) for row in found["health"].tolist()),
            defective=Defective(
                found["defective.frames"],
                _layers(found, "defective", joint),
                tuple(found.get(f"mask.{place}") for place in range(len(labels))),
                labels,
                found["defective.folds"],
            ),
            tensors={n.removeprefix("detector."): t for n, t in found.items() if n.startswith("detector.")},
            graph_sha256=graph_sha256,
        )
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise TrialsightError(f"{path} can't be read: {error}", remedy) from error


def _layers(found: dict[str, Tensor], kind: str, joint: tuple[int, ...]) -> Layers:
    count = sum(name.startswith(f"{kind}.layers.") for name in found)
    return Layers(tuple(found[f"{kind}.layers.{place}"].float() for place in range(count)), joint)


def unlearned(samples: Sequence[Sample], state: State) -> list[Sample]:
    """Those that the state doesn't know. Raises TrialsightError where nothing is new, and for one that it knows as
    something else."""
    new = []
    for sample in samples:
        known = state.learned.get(sha256_of(sample.path))
        if known is None:
            new.append(sample)
        elif known != meaning(sample):
            raise TrialsightError(
                f"{sample.path} was learned as {known.split()[0]} and is now {sample.label}, or its mask has changed",
                "train without --update: what was learned can't be unlearned",
            )
    if not new:
        raise TrialsightError("the set has no part that the model hasn't learned", "add parts, or train anew")
    return new
