"""anomalib's inferencers beside ours: same trunk, data, input size and bank, from the file to the prediction."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.graph import Graph
from benchmarks.progress import say
from benchmarks.report import Table, Target
from benchmarks.rivals.anomalib import Anomalib, Fitted
from benchmarks.scoring import score
from benchmarks.sets import TRUNK, read_set, some_frames
from benchmarks.timing import Ratio, Spent, ratio, take_turns, timed
from benchmarks.training import Trained, train
from trialsight import Inspector

DATA = "casting"
FRAMES = 6
WANTED = 1.5
# Their inferencers, which take a file; the other kinds are the graph alone.
WHOLE = ("openvino", "torch")


@dataclass(frozen=True)
class Pair:
    """One of their ways against ours. `threads` 0: their runtime's own choice, every core, against one of ours.
    `precision`: OpenVINO's, empty for its own choice."""

    what: str
    kind: str
    threads: int
    precision: str = ""


PAIRS = (
    Pair("OpenVINOInferencer, one thread", "openvino", 1),
    Pair("OpenVINOInferencer, one thread, float32", "openvino", 1, "f32"),
    Pair("TorchInferencer, one thread", "torch", 1),
    Pair("OpenVINOInferencer, its own choice of threads against one of ours", "openvino", 0),
    Pair("TorchInferencer, its own choice of threads against one of ours", "torch", 0),
    Pair("OpenVINO, graph alone, one thread", "openvino_prepared", 1),
    Pair("OpenVINO, graph alone, one thread, float32", "openvino_prepared", 1, "f32"),
    Pair("ONNX Runtime, graph alone, one thread", "onnx", 1),
)


@dataclass(frozen=True)
class Compared:
    """Their time over ours, by the clock and by the processor, and both medians by the clock, a frame."""

    wall: Ratio
    cpu: Ratio
    ours_ms: float
    theirs_ms: float


def beside(shared: Path, scratch: Path, place: Path, rounds: int, reuse: bool) -> tuple[Table, list[Target]]:
    """The table of ratios, and whether the inferencers are slower by as much as is wanted at equal quality."""
    image_set = read_set(shared, DATA)
    trunk = shared / "weights" / TRUNK
    frames = some_frames(image_set, FRAMES)
    with Anomalib(place / "anomalib") as rival:
        say("anomalib: training")
        theirs = rival.fit(image_set.root, trunk, reuse)
        auroc = score(image_set.test, *rival.judge(theirs, [sample.path for sample in image_set.test]))["image_auroc"]
        ours = train(image_set.root, scratch, "resnet18", str(trunk), 256, theirs.bank)
        ratios = {}
        for pair in PAIRS:
            say(f"anomalib: {pair.what}")
            ratios[pair] = _compare(pair, rival, theirs, ours, frames, rounds)
            say(f"theirs over ours {ratios[pair].wall}")
    own = ours.metrics["image_auroc"]
    assert auroc is not None
    assert own is not None
    table = Table(
        "Beside anomalib",
        ("anomalib's side", "theirs over ours", "processor time", "ours, ms", "theirs, ms"),
        tuple(
            (pair.what, str(one.wall), str(one.cpu), f"{one.ours_ms:.1f}", f"{one.theirs_ms:.1f}")
            for pair, one in ratios.items()
        ),
        f"{DATA}, ResNet-18 trunk, layers 2 and 3, 256×256, {theirs.bank} patches in either memory; image AUROC "
        f"{own:.3f} ours, {auroc:.3f} theirs. anomalib {rival.versions['anomalib']}, OpenVINO "
        f"{rival.versions['openvino']}. An inferencer goes from the file to its prediction, ours is `Inspector` on "
        "the file's bytes: float32, one thread. For a graph alone, both have a prepared frame. Left to itself, "
        "OpenVINO computes in bfloat16 on processors with tiles for it (AMX), ONNX Runtime in float32; anomalib's "
        "export has a fixed batch of two, which refuses a single frame, so it was given a batch of one.",
    )
    whole = [one.wall for pair, one in ratios.items() if pair.kind in WHOLE and pair.threads]
    slowest = min(found.median for found in whole)
    target = Target(
        f"≥ {WANTED}× faster a frame than either inferencer, at equal AUROC",
        f"{slowest:.2f}× at worst, AUROC {own:.3f} against {auroc:.3f}",
        slowest >= WANTED and own >= auroc - 0.005,
    )
    return table, [target]


def _compare(pair: Pair, rival: Anomalib, theirs: Fitted, ours: Trained, frames: list[Path], rounds: int) -> Compared:
    rival.load(theirs, pair.kind, pair.threads, pair.precision)
    turns: dict[str, Callable[[], Spent]] = {
        "ours": timed(_our_way(pair, ours.package, frames)),
        "theirs": partial(rival.spend, pair.kind, frames),
    }
    spent = take_turns(turns, rounds)
    wall = {side: [one.wall_s for one in spent[side]] for side in turns}
    cpu = {side: [one.cpu_s for one in spent[side]] for side in turns}
    ours_ms, theirs_ms = (1000 * median(wall[side]) / len(frames) for side in ("ours", "theirs"))
    return Compared(ratio(wall["theirs"], wall["ours"]), ratio(cpu["theirs"], cpu["ours"]), ours_ms, theirs_ms)


def _our_way(pair: Pair, package: Path, frames: list[Path]) -> Callable[[], None]:
    if pair.kind in WHOLE:
        inspector = Inspector.load(package)

        def whole() -> None:
            for frame in frames:
                inspector(frame.read_bytes())

        return whole
    alone = Graph(package)

    def graph() -> None:
        for _ in frames:
            alone.run()

    return graph
