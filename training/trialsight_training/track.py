"""One MLflow run a training: parameters, metrics, the report and the package, and a version in the registry."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialsight.errors import TrialsightError
from trialsight.home import Home

PACKAGE = "package"


@dataclass(frozen=True)
class Run:
    """An open run of the recipe's experiment. Methods raise TrialsightError where MLflow can't be reached."""

    client: Any  # mlflow.MlflowClient, which is imported late: it takes seconds
    run_id: str
    recipe: str

    def log(self, params: Mapping[str, object], metrics: Mapping[str, float | None], tags: Mapping[str, str]) -> None:
        """Metrics that are None are left out: MLflow has no word for them."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        with explained(self.client.tracking_uri):
            self.client.log_batch(
                self.run_id,
                metrics=[Metric(key, value, now, 0) for key, value in metrics.items() if value is not None],
                params=[Param(key, str(value)) for key, value in params.items()],
                tags=[RunTag(key, value) for key, value in tags.items()],
            )

    def log_folder(self, folder: Path, under: str) -> None:
        with explained(self.client.tracking_uri):
            self.client.log_artifacts(self.run_id, str(folder), under)

    def log_file(self, file: Path) -> None:
        with explained(self.client.tracking_uri):
            self.client.log_artifact(self.run_id, str(file))

    def register(self) -> str:
        """A new version of the model named as the recipe, from this run's package."""
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

        with explained(self.client.tracking_uri):
            try:
                self.client.create_registered_model(self.recipe)
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                    raise
            source = f"runs:/{self.run_id}/{PACKAGE}"
            return str(self.client.create_model_version(self.recipe, source, self.run_id).version)

    def end(self, status: str) -> None:
        with explained(self.client.tracking_uri):
            self.client.set_terminated(self.run_id, status)


@contextmanager
def tracking(home: Home, recipe: str) -> Iterator[Callable[[], Run]]:
    """A run that ends FINISHED, or FAILED where the block raises. What is yielded gives the run, waiting for it.

    A fresh store takes seconds to open, so that goes on beside the training.
    """
    with ThreadPoolExecutor(1, "mlflow") as pool:
        opening = pool.submit(open_run, home, recipe)
        try:
            yield opening.result
        except BaseException:
            if opening.exception() is None:
                opening.result().end("FAILED")
            raise
        opening.result().end("FINISHED")


def open_client(home: Home) -> Any:
    """An mlflow.MlflowClient of the home's store."""
    from mlflow import MlflowClient

    for chatty in ("mlflow", "alembic"):  # they set their own level when they are imported
        logging.getLogger(chatty).setLevel(logging.WARNING)
    uri = home.tracking_uri
    if _is_local(uri):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    with explained(uri):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def open_run(home: Home, recipe: str, parent: str | None = None, again: str | None = None) -> Run:
    """A new run of the recipe's experiment, within the run `parent`; or the run `again`, which had ended."""
    client = open_client(home)
    with explained(home.tracking_uri):
        if again is not None:
            client.update_run(again, status="RUNNING")
            return Run(client, again, recipe)
        experiment = client.get_experiment_by_name(recipe)
        location = (home.mlflow_artifacts / recipe).as_uri() if _is_local(home.tracking_uri) else None
        number = experiment.experiment_id if experiment else client.create_experiment(recipe, location)
        tags = {} if parent is None else {"mlflow.parentRunId": parent}
        return Run(client, client.create_run(number, tags=tags).info.run_id, recipe)


def _is_local(uri: str) -> bool:
    return uri.startswith("sqlite:///")


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """MLflow's errors as TrialsightError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        problem = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrialsightError(
            f"MLflow at {uri}: {problem}", "see that it runs and is writable, or unset MLFLOW_TRACKING_URI"
        ) from error
