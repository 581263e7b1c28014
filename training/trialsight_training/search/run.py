"""The search itself: trials within a time budget, kept in the home, each a nested MLflow run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from trialsight.errors import TrialsightError
from trialsight.files import write_atomic
from trialsight.home import Home
from trialsight.recipe import Recipe, parse_recipe
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import ImageSet
from trialsight_training.calibrate import calibrate, check_count
from trialsight_training.fit import FittedDetector, fit
from trialsight_training.geometry import preparer_for
from trialsight_training.metrics import image_metrics
from trialsight_training.progress import Progress
from trialsight_training.reference import reference_picture
from trialsight_training.search.space import suggest
from trialsight_training.track import Run, open_run

RECIPE = "recipe"
# A size or a layer may not suit a set; where none of so many did, the set is at fault.
MOST_FAILED = 8


@dataclass(frozen=True)
class Searched:
    """`recipe`: the best of all `trials` so far, `value`: its objective. `run_id`: MLflow's, above those of trials."""

    recipe: Recipe
    value: float
    trials: int
    run_id: str

    def to_json(self) -> dict[str, Any]:
        return {"trials": self.trials, "objective": self.value, "run_id": self.run_id, "recipe": self.recipe.to_json()}


@dataclass(frozen=True)
class Search:
    """The same recipe, set and home go on from the trials that they have."""

    image_set: ImageSet
    recipe: Recipe
    home: Home
    progress: Progress

    @cached_property
    def labelled(self) -> bool:
        """Whether labelled defects judge the trials; else pasted ones do."""
        return sum(not sample.is_good for sample in self.image_set.train) >= 3

    def __call__(self, minutes: float) -> Searched:
        """Try until the time is up; the trial that runs then is finished. Raises TrialsightError where all failed."""
        check_count(sum(sample.is_good for sample in self.image_set.train))
        folder = self.home.searches / self.recipe.name
        folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # Trials of another set, or from another recipe, say nothing of this one.
        name = f"{self.recipe.name} {self.recipe.content_hash()[:12]} {self.image_set.version()[:12]}"
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / "trials.log"))),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=self.recipe.seed, n_startup_trials=8),
        )
        before = len(study.trials)
        if before:
            self.progress.note(f"going on from {before} trials")
        for left in study.get_trials(states=(TrialState.RUNNING,)):  # of a search that was stopped in the middle
            study.tell(left.number, state=TrialState.FAIL)
        if not before:  # what the recipe says itself is tried first
            study.enqueue_trial(
                {"detector": self.recipe.detector.name, "side": 1.0, "copies": self.recipe.augment.copies}
            )
        parent = open_run(self.home, self.recipe.name, again=study.user_attrs.get("run_id"))
        study.set_user_attr("run_id", parent.run_id)
        try:
            self._run(study, parent, minutes)
            best = study.best_trial
            found = Searched(parse_recipe(best.user_attrs[RECIPE]), best.values[0], len(study.trials), parent.run_id)
            write_atomic(folder / "best.yaml", found.recipe.to_yaml().encode())
            best_of = {f"best.{key}": str(value) for key, value in best.params.items()}
            parent.log({}, {"objective": found.value, "trials": found.trials}, best_of)
        except BaseException:
            parent.end("FAILED")
            raise
        parent.end("FINISHED")
        return found

    def _run(self, study: optuna.Study, parent: Run, minutes: float) -> None:
        end, before = time.monotonic() + 60 * minutes, len(study.trials)
        while not (done := study.get_trials(states=(TrialState.COMPLETE,))) or time.monotonic() < end:
            trial = study.ask()
            value = self._try(trial, open_run(self.home, self.recipe.name, parent.run_id))
            study.tell(trial, value, state=TrialState.FAIL if value is None else TrialState.COMPLETE)
            if value is None and not done and trial.number - before >= MOST_FAILED:
                raise TrialsightError(f"none of {MOST_FAILED + 1} trials could be fitted", trial.user_attrs["fault"])

    def _try(self, trial: optuna.Trial, run: Run) -> float | None:
        """The objective; None where this recipe can't be fitted on this set."""
        recipe = suggest(trial, self.recipe, self.labelled)
        trial.set_user_attr(RECIPE, recipe.to_json())
        started = time.perf_counter()
        tags = {"mlflow.runName": f"trial {trial.number}"}
        try:
            found = objective(self._fit(recipe), recipe)
        except TrialsightError as error:
            trial.set_user_attr("fault", str(error))
            run.log(trial.params, {}, tags | {"fault": str(error)})
            run.end("FAILED")
            return None
        seconds = round(time.perf_counter() - started, 2)
        run.log(trial.params, found | {"seconds": seconds}, tags)
        run.end("FINISHED")
        told = ", ".join(f"{key} {value}" for key, value in trial.params.items())
        self.progress.note(f"trial {trial.number}: {found['objective']:.4f} in {seconds:.0f} s ({told})")
        return found["objective"]

    def _fit(self, recipe: Recipe) -> FittedDetector:
        train = self.image_set.train
        good = [sample for sample in train if sample.is_good]
        defective = [sample for sample in train if not sample.is_good] if self.labelled else []
        preparer = preparer_for(recipe, self._sizes, good, reference_picture(recipe, good))
        return fit([*good, *defective], recipe, preparer, Progress(silent=True), pasted=not self.labelled)

    @cached_property
    def _sizes(self) -> Sequence[tuple[int, int]]:
        return [upright_size(sample.path) for sample in self.image_set.train]


def objective(fitted: FittedDetector, recipe: Recipe) -> dict[str, float]:
    """Of parts that the scoring models didn't learn. `auroc`: how well defects and good parts are told apart.
    `caught`: the share of the defects above the T2 that keeps the promise; tight thresholds let it rise. `objective`:
    the mean of both."""
    thresholds, _ = calibrate(fitted.scores, recipe.calibration, fitted.folds)
    scores = [*fitted.scores, *fitted.defect_scores]
    auroc = image_metrics([index >= len(fitted.scores) for index in range(len(scores))], scores)["image_auroc"] or 0.0
    caught = float(np.mean(np.asarray(fitted.defect_scores) > thresholds.t2))
    return {"objective": (auroc + caught) / 2, "auroc": auroc, "caught": caught}
