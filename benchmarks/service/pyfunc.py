"""The same model as MLflow serves models: a pyfunc (as code, not as a pickle) that takes a table of base64 images."""

import base64
from pathlib import Path

import mlflow
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from benchmarks.measure.bare import Bare
from trialsight.package import load_package


class Scores(PythonModel):
    def load_context(self, context: PythonModelContext) -> None:
        self._bare = Bare(load_package(Path(context.artifacts["package"])))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002 - MLflow makes a schema of hints
        return [self._bare(base64.b64decode(image)) for image in model_input["image"]]


def save(package: Path, folder: Path) -> None:
    mlflow.pyfunc.save_model(
        folder, python_model=__file__, artifacts={"package": str(package)}, pip_requirements=["onnxruntime"]
    )


set_model(Scores())
