"""The backbone that comes in the wheel: a student in half precision and the card that says how it was made."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes

from trialsight.errors import TrialsightError
from trialsight.files import sha256_of, write_atomic, write_json_atomic
from trialsight.structure import structure
from trialsight_training.backbones.backbone import Backbone
from trialsight_training.backbones.student import LAYERS, Shape, Student

NAME = "shipped"
WEIGHTS = Path(__file__).with_name("shipped.safetensors")
REMEDY = "reinstall Trialsight, or name another backbone with its weights in the recipe"


@dataclass(frozen=True)
class Made:
    """How a student came about. `unexplained*`: share of the teacher's variance in held-out pictures, averaged over
    pictures, that it does not reproduce. `images`: crops seen, repetitions included. `begun_with`: sha256 of the
    student that this one went on from; steps, images and minutes are its own alone."""

    teacher: str
    teacher_layers: tuple[str, ...]
    teacher_sha256: str
    data: str
    loss: str
    steps: int
    images: int
    minutes: float
    seed: int
    unexplained8: float
    unexplained16: float
    git_commit: str
    created: str
    torch: str
    begun_with: str = ""
    note: str = ""


@dataclass(frozen=True)
class StudentCard:
    """Beside the weights, as `NAME.card.json`."""

    shape: Shape
    parameters: int
    bytes: int
    sha256: str
    made: Made


def save(student: Student, made: Made, weights: Path) -> StudentCard:
    """Write a folded student in float16 and its card. The card comes last: without one, weights don't load."""
    tensors = {name: tensor.half().contiguous() for name, tensor in student.state_dict().items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise TrialsightError("the student holds numbers that float16 can't", "distil again with a lower learning rate")
    card_of(weights).unlink(missing_ok=True)
    write_atomic(weights, as_bytes(tensors))
    card = StudentCard(
        shape=student.shape,
        parameters=sum(tensor.numel() for tensor in tensors.values()),
        bytes=weights.stat().st_size,
        sha256=sha256_of(weights),
        made=made,
    )
    write_json_atomic(card_of(weights), asdict(card))
    return card


def load(weights: Path = WEIGHTS) -> Backbone:
    """Maps at strides 8 and 16, float32. Raises as `load_student`."""
    return Backbone(NAME, LAYERS, load_student(weights)).eval()


def load_student(weights: Path) -> Student:
    """Folded, float32. Raises TrialsightError where a file is missing or not the one on the card."""
    card = read_card(weights)
    if not weights.is_file() or sha256_of(weights) != card.sha256:
        raise TrialsightError(f"{weights} is missing or not what its card says", REMEDY)
    student = Student(card.shape, norm=False)
    student.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
    return student.eval()


def read_card(weights: Path = WEIGHTS) -> StudentCard:
    path = card_of(weights)
    try:
        return structure(StudentCard, json.loads(path.read_text(encoding="utf-8")), path.name)
    except (OSError, ValueError) as error:
        raise TrialsightError(f"{path} can't be read: {error}", REMEDY) from error


def card_of(weights: Path) -> Path:
    return weights.with_suffix(".card.json")
