"""MLflow's model registry, as far as serving needs it: aliases per recipe, and a version's package folder."""

import contextlib
import json
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trialsight.compared import Compared, tag_of
from trialsight.errors import PackageError, TrialsightError
from trialsight.files import move_folder, remove_folder
from trialsight.home import ORGANISATION, Home, model_name
from trialsight.package import CARD, Package, load_package
from trialsight.structure import structure
from trialsight_serving.lasting import lasting
from trialsight_serving.models.remembered import Remembered

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
_MOST_VERSIONS = 200
_SQLITE = "sqlite:///"
_UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class RegistryError(TrialsightError):
    """The registry is away, or does not know the recipe or the version. Addresses in its words lose the user and the
    password that MLFLOW_TRACKING_URI may hold."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(re.sub(r"(?<=://)[^/@\s]+@", "", problem), remedy)


@dataclass(frozen=True)
class VersionInfo:
    """A version as the registry knows it; `metrics` are those that its training run logged."""

    version: str
    created_at: datetime
    run_id: str | None
    metrics: Mapping[str, float]


class UnknownVersionError(RegistryError):
    """The registry answers, and has no such version."""


class Registry:
    """One organisation's models in it. Imports MLflow on first use: it takes seconds, and a service with nothing to
    fetch needs none of it."""

    def __init__(self, home: Home, organisation: str = ORGANISATION) -> None:
        self._home = home
        self._organisation = organisation
        self._uri = home.tracking_uri
        self._client: MlflowClient | None = None
        self._run_metrics: dict[str, Mapping[str, float]] = {}
        store = Path(self._uri.removeprefix(_SQLITE)) if self._uri.startswith(_SQLITE) else None
        self._remembered = Remembered(store, home.root / "mlflow" / f"aliases-{organisation}.json")

    def champions(self) -> dict[str, str]:
        """Recipe to the version that its alias `champion` names. Raises RegistryError."""
        return {recipe: found[CHAMPION] for recipe, found in self.aliases().items() if CHAMPION in found}

    def aliases(self) -> dict[str, dict[str, str]]:
        """Recipe to its aliases and their versions."""
        if not self._exists():
            return {}
        try:
            models = self._open().search_registered_models(max_results=1000)
        except Exception as error:  # MLflow's, SQLAlchemy's and requests' errors share no base class
            raise self._away(error) from error
        mine = model_name("", self._organisation)
        return {
            recipe: {name: str(version) for name, version in (model.aliases or {}).items()}
            for model in models
            if model.name.startswith(mine) and "." not in (recipe := model.name.removeprefix(mine))
        }

    def watch(self) -> dict[str, dict[str, str]]:
        """`aliases`, from memory while the files of a store on this disk are as they were: asked every second, MLflow
        takes a twentieth of a core for it."""
        stamp = self._remembered.stamp()
        found = self._remembered.at(stamp)
        if found is None:
            found = self.aliases()
            self._remembered.keep(stamp, found)
        return found

    def set_alias(self, recipe: str, alias: str, version: str) -> None:
        try:
            self._open().set_registered_model_alias(self._name(recipe), alias, version)
        except Exception as error:
            raise self._away(error) from error

    def delete_alias(self, recipe: str, alias: str) -> None:
        try:
            self._open().delete_registered_model_alias(self._name(recipe), alias)
        except Exception as error:
            raise self._away(error) from error

    def versions(self, recipe: str) -> list[VersionInfo]:
        """Newest first, at most 200; empty where the recipe was never trained. Raises RegistryError."""
        if not self._exists():
            return []
        client = self._open()
        try:
            found = client.search_model_versions(f"name = '{self._name(recipe)}'", max_results=_MOST_VERSIONS)
            infos = [
                VersionInfo(
                    version=str(one.version),
                    created_at=datetime.fromtimestamp(one.creation_timestamp / 1000, UTC),
                    run_id=one.run_id or None,
                    metrics=self._metrics(client, one.run_id),
                )
                for one in found
            ]
        except Exception as error:
            raise self._away(error) from error
        return sorted(infos, key=lambda info: info.created_at, reverse=True)

    def _metrics(self, client: "MlflowClient", run_id: str | None) -> Mapping[str, float]:
        """Of a run that has ended, so they are asked for once."""
        if not run_id:
            return {}
        if run_id not in self._run_metrics:
            self._run_metrics[run_id] = dict(client.get_run(run_id).data.metrics)
        return self._run_metrics[run_id]

    def compared(self, recipe: str, champion: str, version: str) -> Compared | None:
        """What training recorded of the version beside that champion; None where it recorded nothing."""
        if not self._exists():
            return None
        try:
            tags = self._open().get_model_version(self._name(recipe), version).tags or {}
        except Exception as error:
            raise self._away(error) from error
        text = tags.get(tag_of(champion))
        if text is None:
            return None
        try:
            return structure(Compared, json.loads(text), "comparison")
        except ValueError:  # of a newer release, say: as good as none
            return None

    def folder(self, recipe: str, version: str) -> Path:
        """Where the local copy of a version lies, if it does."""
        return self._home.package(self._name(recipe), version)

    def package(self, recipe: str, version: str) -> Package:
        """The verified local copy of a version, fetched first where there is none, or where it was damaged."""
        target = self.folder(recipe, version)
        if target.is_dir():
            with contextlib.suppress(PackageError):
                return load_package(target)
        self._home.packages.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".fetch-", dir=self._home.packages))
        try:
            fetched = self._download(recipe, version, temporary)
            load_package(fetched)
            remove_folder(target)  # a damaged copy goes only once a whole one is at hand
            move_folder(fetched, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return load_package(target)

    def _download(self, recipe: str, version: str, target: Path) -> Path:
        if not self._exists():
            raise UnknownVersionError(f"no model was registered in {self._uri}", "run `trialsight train` first")
        client = self._open()
        try:
            uri = client.get_model_version_download_uri(self._name(recipe), version)
        except Exception as error:
            if getattr(error, "error_code", "") not in _UNKNOWN:
                raise self._away(error) from error
            raise UnknownVersionError(
                f"recipe {recipe} has no version {version} in {self._uri}: {_first_line(error)}",
                "see the recipes and versions that `trialsight train` printed",
            ) from error
        from mlflow.artifacts import download_artifacts

        try:
            folder = Path(download_artifacts(artifact_uri=uri, dst_path=str(target), tracking_uri=self._uri))
        except Exception as error:
            raise self._away(error) from error
        return next((path.parent for path in sorted(folder.rglob(CARD))), folder)

    def _name(self, recipe: str) -> str:
        return model_name(recipe, self._organisation)

    def _exists(self) -> bool:
        """Whether there is a store to ask: looking into a SQLite store that isn't there would create it."""
        return not self._uri.startswith(_SQLITE) or Path(self._uri.removeprefix(_SQLITE)).is_file()

    def _open(self) -> "MlflowClient":
        if self._client is None:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # factory networks are closed
            with lasting(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # MLflow's own, on import
                from mlflow import MlflowClient

                self._client = MlflowClient(self._uri, self._uri)
        return self._client

    def _away(self, error: Exception) -> RegistryError:
        return RegistryError(
            f"the model registry {self._uri} can't be used: {_first_line(error)}",
            "check MLFLOW_TRACKING_URI; the service goes on with the models it has",
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
