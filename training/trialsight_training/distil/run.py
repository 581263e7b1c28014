"""The distillation itself: a time budget, checkpoints to go on from, a moving average of the weights at the end."""

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from trialsight.errors import TrialsightError
from trialsight.files import write_atomic
from trialsight_training.backbones import Backbone
from trialsight_training.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD
from trialsight_training.backbones.student import Shape, Student, fold, unfold
from trialsight_training.distil.loss import blemish_distance, distance, scales, unexplained
from trialsight_training.distil.pictures import Crops, Pool, held_out_batch

VALIDATION_SIDE_PX = 256
BLEMISHES = 0.5  # weight of what blemishes change


@dataclass(frozen=True)
class Settings:
    """`minutes` is the whole budget, earlier parts of a resumed run included; the learning rate falls to 0 over it."""

    minutes: float
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warm_up: float = 0.02  # share of the budget
    averaged_steps: int = 500  # about so many last steps make the average
    report_every_s: float = 60.0
    save_every_s: float = 180.0
    max_steps: int | None = None
    seed: int = 0
    helpers: int = 1  # processes that cut crops and ask the teacher, one thread each, beside the one that learns


@dataclass(frozen=True)
class Progress:
    """`unexplained8`, `unexplained16`: share of the teacher's variance in held-out pictures that is not reproduced."""

    step: int
    seconds: float
    images: int
    loss: float
    unexplained8: float
    unexplained16: float

    def metrics(self) -> dict[str, float]:
        return {k: float(v) for k, v in asdict(self).items() if k != "step"}


@dataclass(frozen=True)
class Outcome:
    """`student` is folded, averaged and in the teacher's own units: ready to save."""

    student: Student
    last: Progress


def distil(
    teacher: Backbone,
    pool: Pool,
    settings: Settings,
    checkpoint: Path,
    shape: Shape | None = None,
    resume: bool = False,
    tell: Callable[[Progress], None] = lambda _: None,
    init: Student | None = None,
) -> Outcome:
    """Teach a student the two maps of `teacher`, whose strides must be 8 and 16. `init`: a folded one to begin with.

    Raises TrialsightError for a teacher with other maps, or a checkpoint made with other settings.
    """
    shape = shape or (init.shape if init else None) or Shape(out8=teacher.channels[0], out16=teacher.channels[-1])
    if teacher.strides != (8, 16) or teacher.channels != (shape.out8, shape.out16):
        raise TrialsightError(
            f"the teacher gives {teacher.channels} channels at strides {teacher.strides}, the student learns "
            f"{(shape.out8, shape.out16)} at (8, 16)",
            "name two of its layers that have these strides, such as layer2 and layer3 of resnet18",
        )
    if settings.batch % 2:
        raise TrialsightError(f"a batch of {settings.batch} crops has no halves", "give an even number")
    torch.manual_seed(settings.seed)
    run = _Run(teacher, pool, settings, shape, checkpoint, init)
    if resume:
        run.restore()
    return run.go(tell)


Lesson = tuple[Tensor, tuple[Tensor, ...]]


class Lessons(Dataset[Lesson]):
    """Item i is the i-th batch of crops, (N, 3, side, side) uint8, with the teacher's maps of it."""

    def __init__(self, crops: Crops, teacher: Backbone, low_precision: bool) -> None:
        self.crops, self.teacher, self.low_precision = crops, teacher, low_precision

    def __getitem__(self, index: int) -> Lesson:
        crops = self.crops[index]
        return crops, self.teach(crops)

    @torch.no_grad()
    def teach(self, crops: Tensor) -> tuple[Tensor, ...]:
        frames = (crops.float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low_precision):
            return tuple(self.teacher(frames))


class _Run:
    def __init__(
        self,
        teacher: Backbone,
        pool: Pool,
        settings: Settings,
        shape: Shape,
        checkpoint: Path,
        init: Student | None = None,
    ) -> None:
        self.settings, self.checkpoint = settings, checkpoint
        self.step, self.seconds = 0, 0.0
        # Matrix tiles make bfloat16 three times faster; without them it is slower than float32.
        self.low_precision = bool(torch.cpu.get_capabilities().get("amx_bf16", False))
        teacher = teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.lessons = Lessons(Crops(pool, settings.batch, settings.seed), teacher, self.low_precision)
        self.mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        self.std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
        self.validation = held_out_batch(pool, VALIDATION_SIDE_PX)
        whole = tuple(zip(*(self.lessons.teach(part) for part in self._validation_parts()), strict=True))
        self.spread = tuple(one.spread for one in scales(tuple(torch.cat(maps) for maps in whole)))
        student = unfold(init, self._statistics(), *self.spread) if init else Student(shape)
        self.student = student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.student).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def go(self, tell: Callable[[Progress], None]) -> Outcome:
        s = self.settings
        budget = 60 * s.minutes
        started = time.monotonic() - self.seconds
        reported = saved = self.seconds
        losses: list[float] = []
        batches = self._batches()
        while self.seconds < budget and (s.max_steps is None or self.step < s.max_steps):
            share = self.seconds / budget if s.max_steps is None else self.step / s.max_steps
            for group in self.optimizer.param_groups:
                group["lr"] = s.learning_rate * learning_rate_share(share, s.warm_up)
            losses.append(self._learn(*next(batches)))
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.seconds - reported > s.report_every_s:
                reported = self.seconds
                tell(self._validate(losses))
                losses = []
            if self.seconds - saved > s.save_every_s:
                saved = self.seconds
                self.save()
        self.save()
        last = self._validate(losses)
        tell(last)
        return Outcome(fold(self.average, *self.spread), last)

    def _learn(self, crops: Tensor, targets: tuple[Tensor, ...]) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low_precision):
            maps = self.student.train()(self._normal(crops))
        layers = [(m.float(), t.float() / spread) for m, t, spread in zip(maps, targets, self.spread, strict=True)]
        loss = torch.stack([distance(*layer) + BLEMISHES * blemish_distance(*layer) for layer in layers]).sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self._fold_into_average()
        return loss.item()

    @torch.no_grad()
    def _fold_into_average(self) -> None:
        keep = min(1 - 1 / self.settings.averaged_steps, self.step / (self.step + 10))
        for ours, theirs in zip(self.average.state_dict().values(), self.student.state_dict().values(), strict=True):
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - keep)
            else:
                ours.copy_(theirs)

    def _normal(self, crops: Tensor) -> Tensor:
        return ((crops.float() / 255 - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _validate(self, losses: list[float]) -> Progress:
        sums = [0.0, 0.0]
        for part in self._validation_parts():
            for i, (ours, theirs) in enumerate(
                zip(self.average(self._normal(part)), self.lessons.teach(part), strict=True)
            ):
                sums[i] += float(unexplained(ours.float(), theirs.float() / self.spread[i])) * len(part)
        mean = sum(losses) / len(losses) if losses else math.nan
        n = len(self.validation)
        return Progress(self.step, self.seconds, self.step * self.settings.batch, mean, sums[0] / n, sums[1] / n)

    def _batches(self) -> Iterator[Lesson]:
        helpers = self.settings.helpers
        loader = DataLoader(
            self.lessons,
            batch_size=None,
            sampler=range(self.step, 10**9),
            num_workers=helpers,
            prefetch_factor=4 if helpers else None,
        )
        return iter(loader)

    def _statistics(self) -> Tensor:
        """Crops as training has them, all of one side."""
        crops = (self.lessons.crops[i] for i in itertools.count())
        return self._normal(torch.cat([*itertools.islice((c for c in crops if c.shape[-1] == 160), 8)]))

    def _validation_parts(self) -> list[Tensor]:
        return [self.validation[i : i + 16] for i in range(0, len(self.validation), 16)]

    def save(self) -> None:
        """All that is needed to go on."""
        buffer = BytesIO()
        torch.save(
            {
                "settings": self._identity(),
                "step": self.step,
                "seconds": self.seconds,
                "spread": self.spread,
                "student": self.student.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
            buffer,
        )
        write_atomic(self.checkpoint, buffer.getvalue())

    def restore(self) -> None:
        """Go on from the checkpoint where there is one."""
        if not self.checkpoint.is_file():
            return
        state: dict[str, Any] = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if state["settings"] != self._identity():
            raise TrialsightError(
                f"{self.checkpoint} was made with other settings: {state['settings']}",
                "give the same ones, or leave --resume out to start anew",
            )
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.spread = state["step"], state["seconds"], tuple(state["spread"])

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on; the budget may grow."""
        return {**asdict(self.student.shape), "batch": self.settings.batch, "seed": self.settings.seed}


def learning_rate_share(share: float, warm_up: float) -> float:
    """0..1 at `share` of the budget: a straight rise, then half a cosine down to 0."""
    if share < warm_up:
        return (share + 1e-3) / (warm_up + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warm_up) / (1 - warm_up))))
