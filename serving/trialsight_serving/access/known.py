"""Keys that were good a moment ago: a camera's frame needn't ask the database what it has just asked."""

import time
from collections.abc import Callable

from trialsight_serving.access.keys import digest
from trialsight_serving.access.principal import Principal

FRESH_S = 1.0
_MOST = 10_000


class KnownKeys:
    """A key that another process revokes is good for `FRESH_S` at most from then on, one that this process revokes not
    for a moment. What is wrong is not remembered. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._known: dict[str, tuple[float, Principal]] = {}
        self._forgotten_at = -1.0

    def find(self, key: str) -> Principal | None:
        asked, who = self._known.get(digest(key), (-FRESH_S, None))
        return who if self.now() - asked < FRESH_S else None

    def remember(self, key: str, who: Principal, asked: float) -> None:
        """`asked`: when the database was, by `now()`. An answer from before the last `forget` is none."""
        if asked > self._forgotten_at:
            if len(self._known) >= _MOST:
                self._known = {}
            self._known[digest(key)] = asked, who

    def forget(self) -> None:
        """Once a change of keys is stored."""
        self._forgotten_at = self.now()
        self._known = {}
