"""A model manager for each organisation, so that none can even name another's models or lines."""

import threading
from collections.abc import Callable, Iterable

import structlog

from trialsight_serving.models.follow import Follower
from trialsight_serving.models.manager import ModelManager
from trialsight_serving.store.tables import ORGANISATION

log = structlog.get_logger(__name__)


class Tenants:
    """`make`: the manager of an organisation, and what keeps it up to date."""

    def __init__(self, make: Callable[[str], tuple[ModelManager, Follower]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._managers: dict[str, ModelManager] = {}
        self._followers: list[Follower] = []

    def start(self, organisations: Iterable[str]) -> None:
        """Loads what was active in each (blocking)."""
        for organisation in organisations:
            with self._lock:
                follower = self._open(organisation)
            follower.start()

    def close(self) -> None:
        with self._lock:
            for follower in self._followers:
                follower.close()

    def of(self, organisation: str) -> ModelManager:
        """Never waits: one that is new has no models yet, and gets them in a thread of its own."""
        if organisation not in self._managers:
            with self._lock:
                if organisation not in self._managers:
                    follower = self._open(organisation)
                    starting = threading.Thread(target=_start, args=(follower, organisation), daemon=True)
                    starting.start()
        return self._managers[organisation]

    def all(self) -> list[ModelManager]:
        """The home's own organisation's first."""
        return sorted(self._managers.values(), key=lambda one: (one.organisation != ORGANISATION, one.organisation))

    def _open(self, organisation: str) -> Follower:
        self._managers[organisation], follower = self._make(organisation)
        self._followers.append(follower)
        return follower


def _start(follower: Follower, organisation: str) -> None:
    try:
        follower.start()
    except Exception:  # its thread goes on where this stopped
        log.exception("models not loaded", organisation=organisation)
