"""What labelled defects teach `auto`, known kinds and kinds that nobody labelled, and what adding parts costs."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.learning.contest import BANK, BANKS
from benchmarks.measure.machine import describe_machine
from benchmarks.measure.progress import say
from benchmarks.measure.report import Report, Table, Target, write_report
from benchmarks.measure.sets import TRUNK, read_set
from benchmarks.measure.training import NOT_FIT, command
from trialsight_datasets.sample import GOOD, ImageSet, Sample

EACH = 20  # labelled defects of each class
# The inputs (384 px did worse on magnetic_tile), and the aims on the parts that were not labelled.
SIZES_PX = {"casting": 256, "magnetic_tile": 256}
AIMS = {"casting": 0.985, "magnetic_tile": 0.96}
NEW_SHARE = 0.1  # of the good parts, added to a model of the others
INTRODUCTION = """Twenty defects of each class, drawn by lot, go into the training split; everything is measured on
the other test parts. `memory`: the patch memory, which labels teach nothing, with as many patches as in
docs/benchmarks/learning.md. `auto`: with the labels; how the two are joined is decided on held-out training parts
alone. A class that is withheld has no labelled part, and its AUROC is that of its parts against the good ones.
ResNet-18 trunk. Times are ratios within one run."""
CLASSES = "By `auto` on the other test parts: regions that lie on a drawn defect."


@dataclass(frozen=True)
class Found:
    """`classes`: image AUROC of each class against good parts. `named`: the share of found regions that were given a
    class, and of these the share of right ones. `fit_s`: up to a calibrated detector."""

    auroc: float
    classes: dict[str, float]
    named: tuple[float, float]
    fit_s: float
    package: Path
    chosen: str


def run(shared: Path, place: Path, docs: Path, names: Sequence[str], withheld: bool) -> Path:
    """Measure `names`, write the report, give its path. `withheld`: also without each class's labels in turn."""
    place.mkdir(parents=True, exist_ok=True)
    rows, given, targets = [], [], []
    for name in names:
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            more, named, aims = _measure(name, shared, Path(scratch), withheld)
        rows += more
        given.append((name, *(f"{share:.1%}" for share in named)))
        targets += aims
    report = Report(
        name="labels",
        title="Labels: what labelled defects teach, and what adding parts costs",
        introduction=INTRODUCTION,
        machine=describe_machine(),
        repeat=f"make bench ARGS='labels --sets {','.join(names)}{'' if withheld else ' --no-withheld'}'",
        tables=(
            Table("Image AUROC", ("set", "learned from", "measured on", "memory", "auto", "chosen"), tuple(rows)),
            Table("Classes given", ("set", "regions given a class", "of these the right one"), tuple(given), CLASSES),
        ),
        targets=tuple(targets),
    )
    return write_report(report, docs)


def _measure(
    name: str, shared: Path, scratch: Path, withheld: bool
) -> tuple[list[tuple[str, ...]], tuple[float, float], list[Target]]:
    image_set, weights = read_set(shared, name), shared / "weights" / TRUNK
    labelled = _drawn(image_set)
    known = link(image_set, labelled, scratch / "known")
    say(f"{name}: memory")
    memory = train(known, scratch / "memory", "patch_memory", name, weights)
    say(f"{name}: auto")
    auto = train(known, scratch / "auto", "auto", name, weights)
    rows = [(name, f"{EACH} of each", "the others", f"{memory.auroc:.3f}", f"{auto.auroc:.3f}", auto.chosen)]
    targets = [Target(f"{name}, {EACH} labels a class: ≥ {AIMS[name]}", f"{auto.auroc:.3f}", auto.auroc >= AIMS[name])]
    targets.append(_update(name, image_set, scratch, weights))
    worst = 1.0
    for label in sorted(memory.classes) if withheld else []:
        say(f"{name}: {label} withheld")
        rest = [one for one in labelled if one.label != label]
        blind = train(link(image_set, rest, scratch / label), scratch / f"{label}-model", "auto", name, weights)
        # The same parts for both: all of the class, of which the memory's set lacks the labelled ones.
        plain = train(scratch / label, scratch / f"{label}-memory", "patch_memory", name, weights)
        worst = min(worst, blind.classes[label] - plain.classes[label])
        scores = f"{plain.classes[label]:.3f}", f"{blind.classes[label]:.3f}"
        rows.append((name, f"{EACH} of each but {label}", label, *scores, blind.chosen))
    if withheld:
        targets.append(Target(f"{name}, withheld classes ≥ memory − 0.01", f"{worst:+.3f}", worst >= -0.01))
    return rows, auto.named, targets


def _update(name: str, image_set: ImageSet, scratch: Path, weights: Path) -> Target:
    """Good parts added to a patch memory of the others, and one that starts over with all."""
    good = [sample for sample in image_set.train if sample.is_good]
    first = len(good) - max(1, round(NEW_SHARE * len(good)))
    say(f"{name}: update")
    whole = link(image_set, [], scratch / "whole")
    begun = train(whole, scratch / "begun", "patch_memory", name, weights, "--good", str(first))
    grown = train(whole, scratch / "begun", None, name, weights, "--update", str(begun.package))
    over = train(whole, scratch / "over", "patch_memory", name, weights)
    ratio = over.fit_s / grown.fit_s
    found = f"{ratio:.1f}x, AUROC {grown.auroc:.3f} against {over.auroc:.3f}"
    return Target(f"{name}, {len(good) - first} parts added to {first}: faster than starting over", found, ratio > 1)


def _drawn(image_set: ImageSet) -> list[Sample]:
    rng = np.random.default_rng(0)
    labels = sorted({sample.label for sample in image_set.test} - {GOOD})
    of_each = ([sample for sample in image_set.test if sample.label == label] for label in labels)
    return [parts[index] for parts in of_each for index in sorted(rng.permutation(len(parts))[:EACH])]


def link(image_set: ImageSet, labelled: Sequence[Sample], root: Path) -> Path:
    """The set with `labelled` in its training split, by links to the files where they lie."""
    for sample in image_set:
        split = "train" if sample in labelled else sample.split
        _link(sample.path, root / split / sample.label / sample.path.name)
        if sample.mask_path is not None:
            _link(sample.mask_path, root / "ground_truth" / sample.label / sample.mask_path.name)
    return root


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())


def train(data: Path, folder: Path, detector: str | None, name: str, weights: Path, *words: str) -> Found:
    """By the command, as a person does it. `detector` None: the words bring the model that is updated."""
    folder.mkdir(parents=True, exist_ok=True)
    line = ["train", "--data", str(data), "--home", str(folder / "home"), "--json", *words]
    if detector is not None:
        recipe = folder / "recipe.yaml"
        learned: dict[str, Any] = {"name": detector, "backbone": "resnet18", "weights": str(weights)}
        learned["bank_size"] = BANKS.get(name, BANK)
        fields = {"name": "labels", "input": {"size_px": SIZES_PX[name]}, "detector": learned, "variants": []}
        recipe.write_text(yaml.safe_dump(fields), encoding="utf-8")
        line += ["--recipe", str(recipe)]
    result = command(line)
    card = yaml.safe_load((Path(result["package"]) / "card.json").read_text(encoding="utf-8"))
    return Found(
        auroc=result["metrics"]["image_auroc"],
        classes={one["label"]: one["image_auroc"] for one in result["classes"] if one["label"] != GOOD},
        named=(result["metrics"].get("regions_named") or 0.0, result["metrics"].get("named_rightly") or 0.0),
        fit_s=sum(float(value) for task, value in result["seconds"].items() if task not in NOT_FIT),
        package=Path(result["package"]),
        chosen=card["detector"].get("chosen", card["detector"]["name"]),
    )
