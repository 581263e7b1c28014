"""One folder holds all that the commands and the service write: to back up, copy it; to start afresh, name another."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trialsight.errors import TrialsightError

DEFAULT = "trialsight-home"
ORGANISATION = "default"  # the home's own
ORGANISATION_ID = r"[a-z0-9][a-z0-9-]{0,30}"


@dataclass(frozen=True)
class Home:
    """Paths below the home folder. Nothing is created until something is written."""

    root: Path

    @classmethod
    def at(cls, root: Path | None = None) -> "Home":
        """`--home`, else TRIALSIGHT_HOME, else ./trialsight-home; always absolute."""
        return cls((root or Path(os.environ.get("TRIALSIGHT_HOME", DEFAULT))).expanduser().resolve())

    @property
    def database(self) -> Path:
        return self.root / "trialsight.db"

    @property
    def images(self) -> Path:
        """Frames and maps, content-addressed."""
        return self.root / "images"

    @property
    def sets(self) -> Path:
        """Versions of image sets, and the images and masks that they name."""
        return self.root / "sets"

    @property
    def searches(self) -> Path:
        """For each recipe the trials of its searches, and the best recipe that they found."""
        return self.root / "searches"

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    def package(self, model: str, version: str) -> Path:
        """Where the verified local copy of one model version lies; `model` as `model_name` gives it."""
        return self.packages / model / str(version)

    @property
    def runtimes(self) -> Path:
        """Which way of running each package was found the fastest on which machine; may be deleted at any time."""
        return self.root / "runtimes"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.root / "mlflow" / "artifacts"

    @property
    def tracking_uri(self) -> str:
        """MLFLOW_TRACKING_URI, else a SQLite store in the home."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.root / 'mlflow' / 'mlflow.db'}"

    def camera(self, line: str, view: str) -> Path:
        """Where an agent's frames wait for their answers. Names are spelled so that any of them is one folder."""
        return self.root / "camera" / quote(f"{line}-{view}", safe="")

    @property
    def audit_anchors(self) -> Path:
        """Where the audit record ended, noted outside of the database."""
        return self.root / "audit-anchors.jsonl"

    @property
    def jobs(self) -> Path:
        """A folder for each job: what it learned from, its log, its report."""
        return self.root / "jobs"

    @property
    def logs(self) -> Path:
        return self.root / "logs"


def model_name(recipe: str, organisation: str = ORGANISATION) -> str:
    """What a recipe's model is called in the registry and among the packages. No recipe has a dot in its name.

    Raises TrialsightError for what can't be an organisation's id.
    """
    if re.fullmatch(ORGANISATION_ID, organisation) is None:
        raise TrialsightError(
            f"{organisation!r} can't be an organisation's id", "use up to 31 small letters, digits and hyphens"
        )
    return recipe if organisation == ORGANISATION else f"{organisation}.{recipe}"
