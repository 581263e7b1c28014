"""Follows the registry's aliases in a thread of its own. A failure changes nothing and is visible."""

import threading
import time
from datetime import UTC, datetime

import structlog

from trialsight_serving.models.manager import Fault, ModelManager
from trialsight_serving.models.registry import CHALLENGER, CHAMPION, PREVIOUS, RegistryError
from trialsight_serving.store.database import Database
from trialsight_serving.store.lines import list_active

log = structlog.get_logger(__name__)
RETRY_S = 30.0  # a version that failed is tried again this much later: its files may have been mended


class Follower:
    def __init__(self, manager: ModelManager, database: Database, poll_s: float) -> None:
        self._manager, self._database, self._poll_s = manager, database, poll_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-follower", daemon=True)

    def start(self) -> None:
        """Load what was active before from local copies (blocking, MLflow not asked), then follow the registry."""
        try:
            self._load()
        finally:
            self._thread.start()

    def _load(self) -> None:
        manager = self._manager
        manager.refresh_lines()
        with self._database.read() as connection:
            active = {model.recipe: model for model in list_active(connection, manager.organisation)}
        for recipe in manager.bound_first(active):
            model = active[recipe]
            if model.behind is not None:
                manager.behind[recipe] = (model.version, model.behind)
            self._follow(recipe, CHAMPION, model.version, 0, model.graph_sha256)

    def close(self) -> None:
        """The thread may be waiting for a registry that is away; being a daemon it keeps nobody."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._poll_s + 2)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll()
            except Exception:  # the thread must live on, whatever a library throws
                log.exception("model poll failed")
            self._stop.wait(self._poll_s)

    def poll(self) -> None:
        """One look at the lines and the registry."""
        manager = self._manager
        manager.refresh_lines()
        for recipe in list(manager.behind):
            manager.catch_up(recipe)
        changes = manager.changes.copy()
        try:
            found = manager.registry.watch()
        except RegistryError as error:
            if manager.registry_problem is None:
                log.warning("model registry away", problem=str(error))
            manager.registry_problem = str(error)
            return
        if manager.registry_problem is not None:
            log.info("model registry back")
        manager.registry_problem = None
        for recipe in manager.bound_first(found):
            if recipe in manager.behind:
                continue  # its aliases say what was before the rollback
            for alias in (CHAMPION, PREVIOUS, CHALLENGER):
                if (version := found[recipe].get(alias)) is not None:
                    self._follow(recipe, alias, version, changes[recipe])
            if CHALLENGER not in found[recipe]:
                manager.follow_challenger(recipe, None, changes[recipe])

    def _follow(self, recipe: str, alias: str, version: str, seen: int, expected_sha256: str | None = None) -> None:
        """Load what an alias names, if it isn't, and put it to its use; a failure is kept as a fault."""
        manager, key = self._manager, (recipe, alias)
        if self._is_followed(recipe, alias, version):
            manager.faults.pop(key, None)
            return
        fault = manager.faults.get(key)
        if fault is not None and fault.version == version and time.monotonic() < fault.retry_at:
            return
        if alias == PREVIOUS:
            manager.follow_previous(recipe, version, seen)
        try:
            model = manager.take(recipe, version, expected_sha256, must_fit=not self._is_needed(recipe, alias))
        except Exception as error:  # nothing of a bad package may reach the line, so nothing of it is trusted
            problem = str(error) or type(error).__name__
            log.error("model not taken", recipe=recipe, alias=alias, version=version, problem=problem)
            seen_at, retry_at = datetime.now(UTC), time.monotonic() + RETRY_S
            manager.faults[key] = Fault(recipe, alias, version, problem, seen_at, retry_at)
            return
        manager.faults.pop(key, None)
        if alias == CHAMPION:
            manager.follow_champion(model, seen)
        elif alias == CHALLENGER:
            manager.follow_challenger(recipe, model, seen)

    def _is_followed(self, recipe: str, alias: str, version: str) -> bool:
        manager = self._manager
        live = manager.live(recipe)
        if alias == CHAMPION:
            return live is not None and live.version == version
        if live is None or live.version == version:
            return True  # nothing to shadow, nothing to go back from
        if alias == PREVIOUS:
            return manager.before(recipe) == version and manager.is_loaded(recipe, version)
        challenger = manager.challenger(recipe)
        return challenger is not None and challenger.version == version

    def _is_needed(self, recipe: str, alias: str) -> bool:
        """Whether a line depends on it, so that it is loaded whatever the budget."""
        live = {model.recipe for model in self._manager.models()}
        return alias == CHAMPION and (not live or recipe in live | self._manager.bound())
