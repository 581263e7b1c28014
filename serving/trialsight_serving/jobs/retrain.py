"""Retraining: the champion's set and what people decided since make a set version, it a model, that a challenger.

Every step leaves its result in the job, so that a job that was interrupted goes on behind the last one it finished.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialsight.errors import TrialsightError
from trialsight.home import Home, model_name
from trialsight.inspector import Inspector
from trialsight.package import RECIPE
from trialsight_serving.jobs.labels import Labelled, labelled_frames, write_labels
from trialsight_serving.models.changes import Change, load_version, move_challenger, move_champion, pass_gate
from trialsight_serving.models.gate import Gate, Gatekeeper, recipe_of
from trialsight_serving.models.registry import CHAMPION, Registry
from trialsight_serving.store.database import Database
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.jobs import JobRecord

KIND = "retrain"
Run = Callable[[list[str]], dict[str, Any]]


@dataclass(frozen=True)
class Retraining:
    """`run` executes a command and gives its JSON object; `done` keeps what a step gave."""

    job: JobRecord
    home: Home
    database: Database
    images: ImageStore
    folder: Path
    run: Run
    done: Callable[[str, dict[str, Any]], None]

    def __call__(self) -> None:
        """Raises TrialsightError where a step can't be done; whatever raises, the champion stays."""
        results = dict(self.job.results)
        for name, step in (
            ("labels", self._labels),
            ("set", self._set),
            ("train", self._train),
            ("compare", self._compare),
            ("escapes", self._escapes),
            ("challenger", self._challenge),
            ("promote", self._promote),
        ):
            if name not in results:
                results[name] = step(results)
                self.done(name, results[name])

    def _labels(self, results: dict[str, Any]) -> dict[str, Any]:
        del results
        found = self._labelled()
        if not found:
            raise TrialsightError(
                f"nobody decided about a frame of {self.job.recipe} yet, so there is nothing to learn",
                "review parts in the viewer, then retrain",
            )
        path = write_labels(found, self.images, self.folder)
        counts: dict[str, int] = {}
        for one in found:
            counts[one.label] = counts.get(one.label, 0) + 1
        return {"path": str(path), "champion": self._champion(), "frames": counts}

    def _set(self, results: dict[str, Any]) -> dict[str, Any]:
        card = Inspector.load(self._package(results["labels"]["champion"])).card
        version = card.provenance.dataset_sha256
        base = next(self.home.sets.glob(f"*/{version}.json"), None)
        if base is None:
            raise TrialsightError(
                f"the set that {self.job.recipe} version {results['labels']['champion']} was trained on is not in "
                f"{self.home.sets}",
                f"keep it there: trialsight data import FOLDER --home {self.home.root}",
            )
        words = ["data", "label", str(base), results["labels"]["path"], "--name", base.parent.name]
        made = self.run([*words, "--home", str(self.home.root)])
        return {name: made[name] for name in ("name", "version", "path", "parent", "counts")} | {
            "added": len(made["added"]),
            "changed": len(made["changed"]),
        }

    def _train(self, results: dict[str, Any]) -> dict[str, Any]:
        recipe = self._package(results["labels"]["champion"]) / RECIPE
        words = ["train", "--data", results["set"]["path"], "--home", str(self.home.root)]
        return self.run([*words, "--recipe", str(recipe), "--organisation", self.job.organisation_id])

    def _compare(self, results: dict[str, Any]) -> dict[str, Any]:
        """Both on the new set's test parts; the champion saw none of those that came since."""
        champion, version = results["labels"]["champion"], results["train"]["version"]
        report = self.folder / "comparison.html"
        model = model_name(self.job.recipe, self.job.organisation_id)
        names = [f"{model}/{one}" for one in (champion, version)]
        words = ["compare", *names, "--data", results["set"]["path"], "--report", str(report), "--record"]
        found = self.run([*words, "--home", str(self.home.root)])
        kept = ("differences", "transitions", "false_rejects", "escapes")
        return {name: found[name] for name in kept} | {"report": str(report)}

    def _escapes(self, results: dict[str, Any]) -> dict[str, Any]:
        """Defects that a model let pass before: none may pass again."""
        _, gate = self._gate(results["train"]["version"])
        figures = next(one.figures for one in gate.conditions if one.name == "escapes")
        return {"known": figures["known"], "again": figures["again"], "parts": figures["parts"]}

    def _challenge(self, results: dict[str, Any]) -> dict[str, Any]:
        version = str(results["train"]["version"])
        if again := results["escapes"]["again"]:
            parts = results["escapes"]["parts"]
            return {"version": None, "why": f"{again} known escapes would pass again: {parts}"}
        registry = self._registry()
        pass_gate(registry.package(self.job.recipe, version), self.job.recipe, version)
        change = Change(self.job.asked_by, f"retrained by job {self.job.id}", self.job.organisation_id)
        move_challenger(registry, self.database, self.job.recipe, version, change)
        return {"version": version}

    def _promote(self, results: dict[str, Any]) -> dict[str, Any]:
        """Only where the recipe says so, and through the same gate as anybody's wish; the service follows the alias."""
        version = results["challenger"]["version"]
        if version is None or recipe_of(self._package(version)).promotion != "automatic":
            return {"version": None}
        inspector, gate = self._gate(version)
        change = Change("worker", f"retrained by job {self.job.id}", self.job.organisation_id)
        if not gate.holds:
            return {"version": None, "why": self._keeper().refuse(gate, change.by).problem}
        move_champion(self._registry(), self.database, inspector.card, gate, None, change)
        return {"version": version}

    def _gate(self, version: str) -> tuple[Inspector, Gate]:
        """A recipe that says `promotion: automatic` answers for it, as does whoever asked for the retraining."""
        inspector, report = load_version(self._registry().package(self.job.recipe, version), self.job.recipe, version)
        approver = f"recipe {self.job.recipe}, asked by {self.job.asked_by}"
        return inspector, self._keeper().judge(inspector, version, report, approver)

    def _keeper(self) -> Gatekeeper:
        return Gatekeeper(self._registry(), self.database, self.images, self.job.organisation_id)

    def _labelled(self) -> list[Labelled]:
        with self.database.read() as connection:
            return labelled_frames(connection, self.job.organisation_id, self.job.recipe)

    def _champion(self) -> str:
        version = self._registry().aliases().get(self.job.recipe, {}).get(CHAMPION)
        if version is None:
            raise TrialsightError(
                f"{self.job.recipe} has no champion to go on from",
                f"promote one: trialsight promote {self.job.recipe} 1",
            )
        return version

    def _registry(self) -> Registry:
        return Registry(self.home, self.job.organisation_id)

    def _package(self, version: str) -> Path:
        return self._registry().package(self.job.recipe, version).folder
