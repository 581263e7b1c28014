"""What is made to stay is kept out of the garbage collector's way.

A full collection walks through all that it knows of with the interpreter held, and every frame waits: 100 ms once
MLflow is imported. It comes every few seconds under load.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_blocks = 0  # that are open, in whatever thread: the collector is the process's


@contextmanager
def lasting() -> Iterator[None]:
    """For imports and the like: what is there when it ends stays to the end of the process, so no collection need look
    at it, then or later. Garbage in cycles that is there then stays too: not for what is done again and again."""
    global _blocks
    with _lock:
        _blocks += 1
        gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        with _lock:
            _blocks -= 1
            if not _blocks:
                gc.enable()
