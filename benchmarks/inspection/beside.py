"""anomalib's inferencers beside ours: same trunk, data, input size and bank, from the file to the prediction.

Ours is what a service runs: the form of the package that its start-up choice takes (`--fastest`: gated variants in the
runtimes at hand). Its float32 graph in ONNX Runtime stands beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure.progress import say
from benchmarks.measure.report import Table, Target
from benchmarks.measure.scoring import score
from benchmarks.measure.sets import TRUNK, read_set, some_frames
from benchmarks.measure.timing import Ratio, Spent, ratio, take_turns, timed
from benchmarks.measure.training import train
from benchmarks.rivals.anomalib import Anomalib, Fitted
from trialsight import Inspector
from trialsight.fastest import load_fastest
from trialsight.package import load_package
from trialsight_datasets import ImageSet
from trialsight_training.evaluate import judge_sample
from trialsight_training.metrics import image_metrics

DATA = "casting"
FRAMES = 6
WANTED = 1.5
EQUAL = 0.01  # of AUROC
# Of the rounds that are asked for: theirs take ten times as long, and are told apart from ours by far.
SHARE_OF_ROUNDS = 4
FASTEST, FP32, THEIRS = "fastest", "fp32", "theirs"


@dataclass(frozen=True)
class Rival:
    """One of their ways. `threads` 0: their runtime's own choice, every core. `precision`: OpenVINO's, empty for its
    own choice. `whole`: an inferencer, which takes a file; else the graph alone, on a prepared frame."""

    what: str
    kind: str
    threads: int
    precision: str = ""
    whole: bool = True


RIVALS = (
    Rival("OpenVINOInferencer, one thread", "openvino", 1),
    Rival("OpenVINOInferencer, one thread, float32", "openvino", 1, "f32"),
    Rival("TorchInferencer, one thread", "torch", 1),
    Rival("OpenVINOInferencer, its own choice of threads", "openvino", 0),
    Rival("TorchInferencer, its own choice of threads", "torch", 0),
    Rival("OpenVINO, graph alone, one thread", "openvino_prepared", 1, whole=False),
    Rival("OpenVINO, graph alone, one thread, float32", "openvino_prepared", 1, "f32", whole=False),
    Rival("ONNX Runtime, graph alone, one thread", "onnx", 1, whole=False),
)


@dataclass(frozen=True)
class Compared:
    """Their time over that of each of our ways, by the clock and by the processor; medians by the clock, ms a frame."""

    wall: dict[str, Ratio]
    cpu: dict[str, Ratio]
    ms: dict[str, float]


def beside(shared: Path, scratch: Path, place: Path, rounds: int, reuse: bool) -> tuple[Table, list[Target]]:
    """The table of ratios, and whether the inferencers are slower by as much as is wanted at equal quality."""
    image_set = read_set(shared, DATA)
    trunk = shared / "weights" / TRUNK
    frames = some_frames(image_set, FRAMES)
    with Anomalib(place / "anomalib") as rival:
        say("anomalib: training")
        theirs = rival.fit(image_set.root, trunk, reuse)
        auroc = score(image_set.test, *rival.judge(theirs, [sample.path for sample in image_set.test]))["image_auroc"]
        package = train(image_set.root, scratch, "resnet18", str(trunk), 256, theirs.bank).package
        chosen, choice = load_fastest(load_package(package), scratch / "runtimes", callers=1)
        say(f"ours: {choice}")
        ours = {FASTEST: chosen, FP32: Inspector.load(package)}
        own = {name: _auroc(inspector, image_set) for name, inspector in ours.items()}
        found = {}
        for one in RIVALS:
            found[one] = _compare(one, rival, theirs, ours, frames, max(3, rounds // SHARE_OF_ROUNDS))
            say(f"{one.what}: {found[one].wall[FASTEST]} (fp32 {found[one].wall[FP32]})")
    assert auroc is not None
    table = Table(
        "Beside anomalib",
        (
            "anomalib's side",
            "theirs over ours",
            "processor time",
            "theirs over our fp32",
            "processor time",
            "ours, ms",
            "our fp32, ms",
            "theirs, ms",
        ),
        tuple(
            (
                one.what,
                *(str(of[way]) for way in (FASTEST, FP32) for of in (seen.wall, seen.cpu)),
                *(f"{seen.ms[way]:.1f}" for way in (FASTEST, FP32, THEIRS)),
            )
            for one, seen in found.items()
        ),
        f"{DATA}, ResNet-18 trunk, 256×256, {theirs.bank} patches a memory (ours has one a layer). Ours is what the "
        f"start-up choice took here: {choice.way}, image AUROC {own[FASTEST]:.3f}; fp32 is the package's own graph in "
        f"ONNX Runtime, {own[FP32]:.3f}; theirs {auroc:.3f}. Our fp32 is on one thread, the choice on as many as it "
        "says: processor time is the fair ratio. anomalib "
        f"{rival.versions['anomalib']}, OpenVINO {rival.versions['openvino']}. An inferencer goes from the file to its "
        "prediction, ours is `Inspector` on the file's bytes, verdict and regions included. For a graph alone, all "
        "have a prepared frame. Left to itself OpenVINO computes in bfloat16, which is fast on processors with tiles "
        "for it (AMX) and slow on others; anomalib's export has a fixed batch of two, which refuses a single frame, so "
        "it was given a batch of one.",
    )
    whole = [seen.wall for one, seen in found.items() if one.whole and one.threads]
    targets = [
        Target(
            f"≥ {WANTED}× faster a frame than either inferencer, at equal AUROC: {what}",
            f"{min(wall[way].median for wall in whole):.2f}× at worst, AUROC {own[way]:.3f} against {auroc:.3f}",
            min(wall[way].median for wall in whole) >= WANTED and own[way] >= auroc - EQUAL,
        )
        for way, what in ((FASTEST, f"what the start-up choice took ({choice.way})"), (FP32, "fp32 in ONNX Runtime"))
    ]
    return table, targets


def _auroc(inspector: Inspector, image_set: ImageSet) -> float:
    judged = [judge_sample(inspector, sample) for sample in image_set.test]
    found = image_metrics([not one.sample.is_good for one in judged], [one.rank for one in judged])["image_auroc"]
    assert found is not None
    return found


def _compare(
    one: Rival, rival: Anomalib, theirs: Fitted, ours: dict[str, Inspector], frames: list[Path], rounds: int
) -> Compared:
    rival.load(theirs, one.kind, one.threads, one.precision)
    turns: dict[str, Callable[[], Spent]] = {
        name: timed(partial(_whole if one.whole else _graph, inspector, frames)) for name, inspector in ours.items()
    }
    turns[THEIRS] = partial(rival.spend, one.kind, frames)
    spent = take_turns(turns, rounds)
    wall = {side: [lap.wall_s for lap in spent[side]] for side in turns}
    cpu = {side: [lap.cpu_s for lap in spent[side]] for side in turns}
    return Compared(
        wall={side: ratio(wall[THEIRS], wall[side]) for side in ours},
        cpu={side: ratio(cpu[THEIRS], cpu[side]) for side in ours},
        ms={side: 1000 * median(wall[side]) / len(frames) for side in turns},
    )


def _whole(inspector: Inspector, frames: list[Path]) -> None:
    for frame in frames:
        inspector(frame.read_bytes())


def _graph(inspector: Inspector, frames: list[Path]) -> None:
    preparation = inspector.card.preparation
    pixels = np.random.default_rng(0).integers(0, 256, (preparation.height_px, preparation.width_px, 3), np.uint8)
    for _ in frames:
        inspector.run_graph(pixels)
