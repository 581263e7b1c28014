"""What is made to stay is out of the collector's way, and the collector goes on for the rest."""

import gc
import threading
import weakref

import pytest

from trialsight_serving.lasting import lasting


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_made_within_is_not_looked_at_again() -> None:
    with lasting():
        kept: list[list[int]] = [[] for _ in range(1000)]
    known = {id(one) for one in gc.get_objects()}
    assert not any(id(one) in known for one in kept)


def test_later_garbage_is_still_found() -> None:
    with lasting():
        pass
    ring = weakref.ref(Ring())
    gc.collect()
    assert ring() is None


def test_the_collector_runs_again_once_every_thread_is_done() -> None:
    inside, done = threading.Event(), threading.Event()

    def importing() -> None:
        with lasting():
            inside.set()
            done.wait(60)

    thread = threading.Thread(target=importing)
    thread.start()
    inside.wait(60)
    with lasting():
        pass
    assert not gc.isenabled()
    done.set()
    thread.join()
    assert gc.isenabled()


def test_a_failed_import_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), lasting():
        raise ImportError
    assert gc.isenabled()
