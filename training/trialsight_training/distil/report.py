"""Where a distillation tells how it goes: stderr for the person, MLflow for the record."""

import logging
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import Progress as Bars

from trialsight.home import Home
from trialsight_training.distil.run import Progress, Settings

EXPERIMENT = "distil"


class Report:
    """Opens an MLflow run named `name`, or goes on with the last of that name; ends it FINISHED or FAILED."""

    def __init__(self, home: Home, name: str, settings: Settings, resume: bool) -> None:
        from mlflow import MlflowClient

        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self.console = Console(stderr=True, soft_wrap=True)
        self.minutes = settings.minutes
        self.bars = Bars(console=self.console, transient=True, disable=not self.console.is_terminal)
        self.bar = self.bars.add_task("distilling", total=settings.minutes)
        uri = home.tracking_uri
        local = uri.startswith("sqlite:///")
        if local:
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self.client: Any = MlflowClient(tracking_uri=uri)
        found = self.client.get_experiment_by_name(EXPERIMENT)
        place = (home.mlflow_artifacts / EXPERIMENT).as_uri() if local else None
        experiment = found.experiment_id if found else self.client.create_experiment(EXPERIMENT, place)
        earlier = (
            self.client.search_runs([experiment], f"attributes.run_name = '{name}'", max_results=1) if resume else []
        )
        if earlier:
            self.run_id = earlier[0].info.run_id
        else:
            self.run_id = self.client.create_run(experiment, run_name=name).info.run_id
            for key, value in asdict(settings).items():
                self.client.log_param(self.run_id, key, value)

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()
        self.client.set_terminated(self.run_id, "FAILED" if kind else "FINISHED")

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False)

    def tell(self, at: Progress) -> None:
        for key, value in at.metrics().items():
            if value == value:  # no loss was measured since the last report
                self.client.log_metric(self.run_id, key, value, step=at.step)
        self.bars.update(self.bar, completed=at.seconds / 60)
        self.note(
            f"{at.seconds / 60:6.1f} of {self.minutes:g} min, {at.images:8,} crops, loss {at.loss:.4f}, "
            f"unexplained {at.unexplained8:.4f} at stride 8, {at.unexplained16:.4f} at stride 16"
        )

    def keep(self, *files: Path) -> None:
        for file in files:
            self.client.log_artifact(self.run_id, str(file))
