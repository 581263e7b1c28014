"""The live models. A new champion is fetched, verified, warmed and gated aside, then swapped in at once."""

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import structlog
from sqlalchemy.engine import Connection

from trialsight.card import Card
from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.image import Limits
from trialsight.inspector import Inspector
from trialsight_serving.models.gate import run_gate
from trialsight_serving.models.registry import Registry, RegistryError
from trialsight_serving.store import audit
from trialsight_serving.store.database import Database
from trialsight_serving.store.lines import ActiveModel, LineRecord, list_active, list_lines, set_active
from trialsight_serving.store.tables import ORGANISATION
from trialsight_serving.store.writer import Writer

log = structlog.get_logger(__name__)
RETRY_S = 30.0  # a version that failed is tried again this much later: its files may have been mended


@dataclass(frozen=True)
class LiveModel:
    """A version that gives verdicts. In-flight frames hold their own reference, so a swap takes nothing from them."""

    recipe: str
    version: str
    inspector: Inspector
    activated_at: datetime

    @property
    def card(self) -> Card:
        return self.inspector.card


@dataclass(frozen=True)
class Fault:
    """Why the newest champion of a recipe is not live."""

    recipe: str
    version: str
    problem: str
    seen_at: datetime
    retry_at: float


class ModelManager:
    """Follows the alias `champion` of each recipe in its own thread. A failure changes nothing and is visible."""

    def __init__(self, home: Home, database: Database, writer: Writer, limits: Limits, poll_s: float) -> None:
        self._home, self._database, self._writer, self._limits, self._poll_s = home, database, writer, limits, poll_s
        self._registry = Registry(home)
        self._live: dict[str, LiveModel] = {}
        self._before: dict[str, LiveModel] = {}  # stays loaded, so that a rollback is a swap
        self._faults: dict[str, Fault] = {}
        self._lines: dict[str, LineRecord] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-manager", daemon=True)
        self.registry_problem: str | None = None

    def start(self) -> None:
        """Load what was active before from local copies (blocking, MLflow not asked), then follow the registry."""
        self.refresh_lines()
        with self._database.read() as connection:
            active = list_active(connection)
        for model in active:
            self._adopt(model.recipe, model.version, expected_sha256=model.graph_sha256)
        self._thread.start()

    def close(self) -> None:
        """The thread may be waiting for a registry that is away; being a daemon it keeps nobody."""
        self._stop.set()
        self._thread.join(timeout=self._poll_s + 2)

    def live(self, recipe: str) -> LiveModel | None:
        return self._live.get(recipe)

    def models(self) -> list[LiveModel]:
        return sorted(self._live.values(), key=lambda model: model.recipe)

    def before(self, recipe: str) -> LiveModel | None:
        return self._before.get(recipe)

    def faults(self) -> list[Fault]:
        return sorted(self._faults.values(), key=lambda fault: fault.recipe)

    def lines(self) -> dict[str, LineRecord]:
        """Lines by name, as of the last look (at most one poll old)."""
        return self._lines

    def refresh_lines(self) -> None:
        with self._database.read() as connection:
            self._lines = {line.name: line for line in list_lines(connection)}

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll()
            except Exception:  # the thread must live on, whatever a library throws
                log.exception("model poll failed")
            self._stop.wait(self._poll_s)

    def poll(self) -> None:
        """One look at the lines and the registry."""
        self.refresh_lines()
        try:
            champions = self._registry.champions()
        except RegistryError as error:
            if self.registry_problem is None:
                log.warning("model registry away", problem=str(error))
            self.registry_problem = str(error)
            return
        if self.registry_problem is not None:
            log.info("model registry back")
        self.registry_problem = None
        for recipe, version in champions.items():
            live = self._live.get(recipe)
            if live is not None and live.version == version:
                self._faults.pop(recipe, None)
            else:
                self._adopt(recipe, version)

    def _adopt(self, recipe: str, version: str, expected_sha256: str | None = None) -> None:
        fault = self._faults.get(recipe)
        if fault is not None and fault.version == version and time.monotonic() < fault.retry_at:
            return
        try:
            self._swap(self._prepare(recipe, version, expected_sha256))
        except Exception as error:  # nothing of a bad package may reach the line, so nothing of it is trusted
            problem = str(error) or type(error).__name__
            log.error("model not taken", recipe=recipe, version=version, problem=problem)
            self._faults[recipe] = Fault(recipe, version, problem, datetime.now(UTC), time.monotonic() + RETRY_S)
        else:
            self._faults.pop(recipe, None)

    def _prepare(self, recipe: str, version: str, expected_sha256: str | None) -> LiveModel:
        """Fetched, verified, loaded, warmed (by its golden frames) and gated. Raises TrialsightError."""
        before = self._before.get(recipe)
        if before is not None and before.version == version:
            return replace(before, activated_at=datetime.now(UTC))
        package = self._registry.package(recipe, version)
        if package.card.recipe != recipe or expected_sha256 not in (None, package.card.graph_sha256):
            raise TrialsightError(f"the local copy of {recipe} version {version} is not what was activated")
        inspector = Inspector(package, limits=self._limits)
        report = run_gate(inspector)
        if not report.ok:
            raise TrialsightError(f"the gate refused {recipe} version {version}: {'; '.join(report.problems)}")
        return LiveModel(recipe, version, inspector, datetime.now(UTC))

    def _swap(self, model: LiveModel) -> None:
        """The pointer in the database first: after a restart the same model gives verdicts."""
        pointer = ActiveModel(model.recipe, model.version, model.card.graph_sha256, model.activated_at)
        self._writer.submit(partial(_activate, model=pointer)).result()
        old = self._live.get(model.recipe)
        if old is not None and old.version != model.version:
            self._before[model.recipe] = old
        self._live[model.recipe] = model
        log.info("model live", recipe=model.recipe, version=model.version, before=old.version if old else None)


def _activate(connection: Connection, model: ActiveModel) -> None:
    before = set_active(connection, model)
    if before != model.version:  # the alias was moved elsewhere; `promote` and `rollback` leave a record of their own
        change = {"version": before}, {"version": model.version, "graph_sha256": model.graph_sha256}
        audit.record(connection, ORGANISATION, "service", "model.activated", f"model/{model.recipe}", *change)
