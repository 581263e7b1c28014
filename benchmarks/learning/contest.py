"""All detectors on one set: trained on the same good parts, scored alike, their frames timed in turns."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import mean, median

from benchmarks.measure.graph import Graph
from benchmarks.measure.machine import commit, load_average
from benchmarks.measure.progress import say
from benchmarks.measure.scoring import METRICS, score
from benchmarks.measure.sets import TRUNK, read_set
from benchmarks.measure.timing import Ratio, Spent, ratio, take_turns, timed
from benchmarks.measure.training import Trained, train
from benchmarks.rivals.anomalib import Anomalib, Fitted
from trialsight.files import write_json_atomic

SIZE_PX = 256
BEST_PX = {"casting": 320, "magnetic_tile": 320}
# Patches kept of each set's: 2,000, and 4,000 of the largest, of which their 2 % are 4,096; 12,000 of it at its best.
BANK, BANKS, BEST_BANKS = 2000, {"magnetic_tile": 4000}, {"magnetic_tile": 12_000}
# A seed decides which patches are chosen from and which copies are made; image AUROC moves by some 0.005 with it.
SEEDS = 3
TIMED_FRAMES = 3
THEIRS = "anomalib"
INT8 = "trunk int8"


@dataclass(frozen=True)
class Variant:
    """`backbone` and `weights` as a recipe names them; `trunk` stands for the trunk's file. `bank`: None for the set's.
    `plain`: not augmented. `int8`: measured in that form, too. `seeds`: trained with so many, metrics are the mean."""

    backbone: str
    weights: str
    size_px: int
    bank: int | None = None
    plain: bool = False
    int8: bool = False
    seeds: int = 1


VARIANTS = {
    "trunk": Variant("resnet18", "trunk", SIZE_PX, int8=True, seeds=SEEDS),
    "plain": Variant("resnet18", "trunk", SIZE_PX, plain=True),
    "shipped": Variant("shipped", "shipped", SIZE_PX, seeds=SEEDS),
    "random": Variant("resnet18", "random", SIZE_PX),
}


@dataclass(frozen=True)
class Entry:
    """One detector. `frame_s`, `frame_cpu_s`: seconds a frame in its ONNX graph, one thread, by the clock and by the
    processor, one a round; the rounds are those of the set's other entries too."""

    metrics: dict[str, float | None]
    fit_s: float
    bank: int
    input_px: tuple[int, int]
    frame_s: tuple[float, ...]
    frame_cpu_s: tuple[float, ...]

    @property
    def frame_ms(self) -> float:
        return 1000 * median(self.frame_s)


@dataclass(frozen=True)
class Contest:
    """`fits`: their fit time over ours, empty where theirs is of an earlier run. `made`: when, commit, load."""

    name: str
    entries: dict[str, Entry]
    fits: dict[str, Ratio]
    made: str

    def frame(self, name: str, over: str) -> Ratio:
        return ratio(self.entries[name].frame_s, self.entries[over].frame_s)

    def frame_cpu(self, name: str, over: str) -> Ratio:
        return ratio(self.entries[name].frame_cpu_s, self.entries[over].frame_cpu_s)

    def auroc(self, name: str) -> float:
        found = self.entries[name].metrics["image_auroc"]
        assert found is not None, "every set has good and defective test parts"
        return found


def hold(name: str, shared: Path, folder: Path, rival: Anomalib | None, reuse_rival: bool, rounds: int) -> Contest:
    """Train and measure everybody on set `name`; those whose fit times are compared are trained as neighbours."""
    image_set = read_set(shared, name)
    trunk = shared / "weights" / TRUNK

    def learn(label: str, variant: Variant, seed: int = 0) -> Trained:
        bank = variant.bank or BANKS.get(name, BANK)
        return _train(image_set.root, trunk, variant, bank, folder / f"{label}-{seed}", seed)

    trained = {}
    fitted, metrics = None, {}
    for label, variant in _variants(name).items():
        say(f"{name}: training {label}")
        trained[label] = learn(label, variant)
        if label == "plain" and rival is not None:
            say(f"{name}: anomalib")
            fitted = rival.fit(image_set.root, trunk, reuse_rival)
            metrics = score(image_set.test, *rival.judge(fitted, [sample.path for sample in image_set.test]))
    say(f"{name}: {rounds} rounds of frames")
    graphs = {label: Graph(one.package) for label, one in trained.items()}
    small = Graph(trained["trunk"].package, "int8")
    if small.metrics is not None:  # it passed its gate
        graphs[INT8] = small
    spent = _time_frames(graphs, rival, fitted, rounds)
    for label, variant in _variants(name).items():
        others = [learn(label, variant, seed) for seed in range(1, variant.seeds)]
        trained[label] = replace(trained[label], metrics=_mean([trained[label], *others]))
    entries = {label: _entry(one, graphs[label], spent[label]) for label, one in trained.items()}
    if small.metrics is not None:
        # A variant is tried on some of the test frames: what it loses there is set against what all of them show.
        lost = small.metrics["image_auroc_difference"] or 0.0
        auroc = (entries["trunk"].metrics["image_auroc"] or 0.0) + lost
        found = dict.fromkeys(METRICS) | {"image_auroc": auroc}
        entries[INT8] = replace(_entry(trained["trunk"], small, spent[INT8]), metrics=found)
    fits = {}
    if fitted is not None:
        entries[THEIRS] = Entry(metrics, fitted.fit_s, fitted.bank, (SIZE_PX, SIZE_PX), *_a_frame(spent[THEIRS]))
        if not fitted.reused:
            fits = {label: ratio([fitted.fit_s], [trained[label].fit_s]) for label in ("trunk", "plain")}
    made = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, load average {load_average():.1f}"
    return Contest(name, entries, fits, made)


def _variants(name: str) -> dict[str, Variant]:
    if name not in BEST_PX:
        return VARIANTS
    return VARIANTS | {"best": Variant("resnet18", "trunk", BEST_PX[name], BEST_BANKS.get(name), seeds=SEEDS)}


def save(contest: Contest, path: Path) -> None:
    write_json_atomic(path, asdict(contest))


def _train(data: Path, trunk: Path, variant: Variant, bank: int, folder: Path, seed: int = 0) -> Trained:
    weights = str(trunk) if variant.weights == "trunk" else variant.weights
    smaller = ["int8"] if variant.int8 and not seed else []
    return train(data, folder, variant.backbone, weights, variant.size_px, bank, variant.plain, smaller, seed)


def _mean(trained: Sequence[Trained]) -> dict[str, float | None]:
    found = {name: [value for one in trained if (value := one.metrics[name]) is not None] for name in METRICS}
    return {name: mean(values) if values else None for name, values in found.items()}


def _entry(trained: Trained, graph: Graph, spent: list[Spent]) -> Entry:
    metrics = {name: trained.metrics[name] for name in METRICS}
    return Entry(metrics, trained.fit_s, graph.bank, graph.size_px, *_a_frame(spent))


def _time_frames(
    graphs: dict[str, Graph], rival: Anomalib | None, fitted: Fitted | None, rounds: int
) -> dict[str, list[Spent]]:
    """`TIMED_FRAMES` a round of each ONNX graph alone, on a prepared frame, one thread."""
    turns: dict[str, Callable[[], Spent]] = {label: timed(_calls(graph)) for label, graph in graphs.items()}
    if rival is not None and fitted is not None:
        rival.load(fitted, "onnx", 1)
        turns[THEIRS] = partial(rival.spend, "onnx", [Path()] * TIMED_FRAMES)
    return take_turns(turns, rounds)


def _a_frame(spent: list[Spent]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    wall_s = tuple(one.wall_s / TIMED_FRAMES for one in spent)
    return wall_s, tuple(one.cpu_s / TIMED_FRAMES for one in spent)


def _calls(graph: Graph) -> Callable[[], None]:
    def run() -> None:
        for _ in range(TIMED_FRAMES):
            graph.run()

    return run
