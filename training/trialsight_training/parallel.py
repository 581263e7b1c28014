"""Independent pieces of work on all cores, with one torch thread each.

Threads that share one operation wait for each other many times a frame. Where anything else runs on the machine (a line
that is being inspected, another training) that costs up to twenty times what it saves; pieces of their own don't wait.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from trialsight.engines import cores

T = TypeVar("T")
R = TypeVar("R")


def each(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results in the items' order, whatever the number of cores; at most one a core is ahead of the consumer.

    As many threads as torch may use: OMP_NUM_THREADS, by which a worker is kept small, counts here too. `function` runs
    in other threads, without gradients, which torch keeps by thread. The first error ends it.
    """
    workers = min(cores(), torch.get_num_threads())

    def call(item: T) -> R:
        with torch.no_grad():
            return function(item)

    with one_thread(), ThreadPoolExecutor(workers, "each") as pool:
        ahead: deque[Future[R]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(call, item))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread an operation, also in threads that are started meanwhile."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
