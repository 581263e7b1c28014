"""The whole training: an image set and a recipe go in, a registered model version comes out."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trialsight.card import Card, Provenance
from trialsight.engines import cores
from trialsight.errors import TrialsightError
from trialsight.files import move_folder, write_atomic
from trialsight.home import ORGANISATION, Home, model_name
from trialsight.inspector import Inspector
from trialsight.package import load_package
from trialsight.recipe import Recipe
from trialsight.verdict import Verdict
from trialsight_datasets.library import Library, set_name
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import ImageSet
from trialsight_training.ancestor import Ancestor
from trialsight_training.calibrate import calibrate, check_count
from trialsight_training.champion import compare_with_champion
from trialsight_training.doubts import Doubt, doubts
from trialsight_training.environment import machine, memory_peak_mb
from trialsight_training.evaluate import Evaluation, evaluate_package
from trialsight_training.fit import fit
from trialsight_training.geometry import preparer_for
from trialsight_training.naming import FEWEST
from trialsight_training.package import complete_package, git_commit, library_versions, write_package
from trialsight_training.parallel import each
from trialsight_training.progress import Progress
from trialsight_training.promise import check_promise
from trialsight_training.reference import reference_picture
from trialsight_training.report import evaluation_report
from trialsight_training.state import save_state, state_beside, unlearned
from trialsight_training.track import PACKAGE, Run, tracking
from trialsight_training.update import Base
from trialsight_training.variants import add_variants

REPORT = "report.html"


@dataclass(frozen=True)
class Trained:
    """A version in the registry, its verified local copy in `package`, and its `report`, an HTML file beside that.
    `doubtful`: good parts whose label somebody should look at."""

    recipe: Recipe
    version: str
    run_id: str
    package: Path
    report: Path
    card: Card
    evaluation: Evaluation
    seconds: dict[str, float]
    doubtful: tuple[Doubt, ...] = ()

    def to_json(self) -> dict[str, Any]:
        thresholds = self.card.thresholds
        return {
            "recipe": self.recipe.name,
            "version": self.version,
            "run_id": self.run_id,
            "package": str(self.package),
            "report": str(self.report),
            "metrics": self.card.metrics,
            "classes": [one.to_json() for one in self.evaluation.classes],
            "thresholds": {"t1": thresholds.t1, "t2": thresholds.t2, "promise": asdict(self.card.promise)},
            "doubtful": [asdict(one) for one in self.doubtful],
            "seconds": self.seconds,
        }


def train_package(
    image_set: ImageSet,
    recipe: Recipe,
    home: Home,
    progress: Progress,
    organisation: str = ORGANISATION,
    base: Base | None = None,
    ancestor: Ancestor | None = None,
) -> Trained:
    """Fit, calibrate, export, evaluate, track, register. A run that fails is marked FAILED and registers nothing.

    `base`: the model to go on from, whose recipe `recipe` is; of the training split, what it doesn't know is learned.
    `ancestor`: the older variant's model to start from.
    """
    started, model = time.perf_counter(), model_name(recipe.name, organisation)
    train = [sample for sample in image_set.train if sample.is_good]
    defective = [sample for sample in image_set.train if not sample.is_good]
    if not train and base is not None:
        raise TrialsightError(
            f"{image_set.root} has no good training part", "leave some in: models are checked on them"
        )
    known = (0, 0) if base is None else base.learned
    new = [*train, *defective] if base is None else unlearned([*train, *defective], base.state)
    good = known[0] + sum(sample.is_good for sample in new)
    for warning in (check_count(good), check_promise(good, recipe.calibration)):
        if warning:
            progress.note(warning)
    if recipe.calibration.costs is not None and not (defective or known[1]):
        progress.note("calibration.costs say nothing without labelled defects in the training split: t1 as without")
    home.packages.mkdir(parents=True, exist_ok=True)
    with (
        _written(home),
        tracking(home, model) as run,
        tempfile.TemporaryDirectory(dir=home.packages, prefix=".train-") as scratch,
    ):
        with progress.task("set", len(image_set)) as step:
            kept, _ = Library(home.sets).add(image_set, set_name(image_set.name), step=step)
        folder = Path(scratch) / PACKAGE
        report = Path(scratch) / REPORT
        if base is None:
            reference = reference_picture(recipe, train)
            preparer = preparer_for(recipe, _sizes(image_set, progress), train, reference)
        else:
            reference, preparer = base.reference, base.preparer
        fitted = fit(
            [*new, *(ancestor.examples if ancestor else ())],
            recipe,
            preparer,
            progress,
            None if base is None else base.state,
            start=None if ancestor is None else ancestor.tensors,
        )
        calibrated = calibrate(fitted.scores, recipe.calibration, fitted.folds, fitted.defect_scores)
        doubtful = doubts(fitted.scores, [sample.part for sample in new if sample.is_good])
        for one in doubtful:
            progress.note(
                f"good part {one.part} stands out: it scores {one.score:.3f}, all others up to {one.others:.3f}, and "
                "thresholds follow it; is it labelled rightly?"
            )
        with progress.task("store"):
            opened = run()
        with progress.task("export"):
            provenance = Provenance(
                dataset_sha256=kept.version,
                seed=recipe.seed,
                git_commit=git_commit(),
                mlflow_run_id=opened.run_id,
                versions=library_versions(),
                grown_from=None if base is None else base.origin,
                variant_of=None if ancestor is None else ancestor.origin(fitted.started),
            )
            inspector = write_package(folder, fitted, recipe, preparer, reference, calibrated, train, provenance)
            left = replace(fitted.state, graph_sha256=inspector.card.graph_sha256)
            if not save_state(left, state_beside(folder)):
                progress.note("what was learned is too large to keep, so more parts will mean training anew")
            del fitted, left
        with progress.task("evaluation", 2 * len(image_set.test)) as step:
            evaluation = evaluate_package(inspector, image_set.test, step)
            complete_package(inspector, evaluation, train)
        with progress.task("variants"):
            complete = Inspector.load(folder, threads=cores())
            card = add_variants(complete, recipe.variants, train, evaluation.judged, progress.note)
        _warn(card, evaluation, progress)
        with progress.task("tracking"):
            title = f"{recipe.name}, run {opened.run_id[:8]}"
            page = evaluation_report(title, card, evaluation, image_set, card.provenance.dataset_sha256, doubtful)
            write_atomic(report, page.encode())
            load_package(folder)
            version = _log(opened, recipe, card, image_set, folder, report, progress.seconds)
            target = home.package(model, version)
            if target.exists():
                raise TrialsightError(
                    f"{target} exists already, though the registry gave that version just now",
                    "registry and packages of this home belong to different times: restore both, or use a new home",
                )
            move_folder(folder, target)
            beside = target.with_name(f"{target.name}.html")
            report.replace(beside)
            if state_beside(folder).is_file():
                state_beside(folder).replace(state_beside(target))
        compare_with_champion(opened.client, home, model, version, card, evaluation, progress)
    seconds = progress.seconds | {"total": round(time.perf_counter() - started, 2)}
    return Trained(recipe, version, opened.run_id, target, beside, card, evaluation, seconds, doubtful)


@contextmanager
def _written(home: Home) -> Iterator[None]:
    """A disk that is full, or fails, as TrialsightError."""
    try:
        yield
    except OSError as error:
        raise TrialsightError(
            f"{error.filename or home.root} can't be written: {error.strerror or error}",
            f"free space where {home.root} lies; nothing was registered",
        ) from error


def _sizes(image_set: ImageSet, progress: Progress) -> list[tuple[int, int]]:
    sizes = []
    with progress.task("geometry", len(image_set)) as step:
        for size in each(upright_size, (sample.path for sample in image_set)):
            sizes.append(size)
            step()
    return sizes


def _warn(card: Card, evaluation: Evaluation, progress: Progress) -> None:
    if not any(frame.verdict is Verdict.REJECT for frame in card.golden):
        progress.note(
            "no defective frame is rejected, so none proves this model: `trialsight promote` will refuse it; "
            "more good parts, a larger input or better weights may help"
        )
    known = () if card.judging.naming is None else card.judging.naming.classes
    for rule in card.judging.rules:
        if rule.defect_class is not None and rule.defect_class not in known:
            progress.note(
                f"rule {rule.name!r} can't fire: no region is of class {rule.defect_class!r} until {FEWEST} parts of "
                "it are labelled in the training split; T1 and T2 judge"
            )
    if escapes := card.metrics.get("escapes"):
        progress.note(f"{escapes:.0f} of {card.metrics['defective']:.0f} defective test parts pass")
    if not evaluation.judged:
        progress.note("the set has no test parts, so nothing was measured")


def _log(
    run: Run,
    recipe: Recipe,
    card: Card,
    image_set: ImageSet,
    package: Path,
    report: Path,
    seconds: Mapping[str, float],
) -> str:
    good = sum(sample.is_good for sample in image_set.train)
    sizes = {"train_good": good, "train_defective": len(image_set.train) - good, "test": len(image_set.test)}
    thresholds = {**asdict(card.thresholds), "promised_false_reject": card.promise.false_reject}
    tags = {
        "dataset_sha256": card.provenance.dataset_sha256,
        "dataset": image_set.name,
        "graph_sha256": card.graph_sha256,
    }
    if (origin := card.provenance.grown_from) is not None:
        tags["grown_from"] = origin.mlflow_run_id or origin.graph_sha256
    if (older := card.provenance.variant_of) is not None:
        tags["variant_of"] = older.model
    if card.provenance.git_commit:
        tags["mlflow.source.git.commit"] = card.provenance.git_commit
    spent = {f"seconds.{task}": value for task, value in seconds.items()} | {"memory_peak_mb": memory_peak_mb()}
    run.log(
        _flat(asdict(recipe)) | _flat(asdict(card.preparation), "preparation") | sizes,
        card.metrics | thresholds | spent,
        tags | machine() | {f"environment.{name}": one for name, one in card.provenance.versions.items()},
    )
    run.log_folder(package, PACKAGE)
    run.log_file(report)
    return run.register()


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested fields with dotted names."""
    flat: dict[str, object] = {}
    for key, item in value.items():
        name = f"{prefix}.{key}" if prefix else key
        flat |= _flat(item, name) if isinstance(item, dict) else {name: item}
    return flat
