"""A command of ours as a child of the worker: after the line in everything, and gone with the worker."""

import contextlib
import ctypes
import os
import signal

NICE = "TRIALSIGHT_CHILD_NICE"  # 1: after the line in everything
_NICENESS = 15
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """`trialsight WORDS`, nice to everybody else if told so; on Linux it dies with its parent, however that ends."""
    if os.environ.get(NICE) == "1":
        os.nice(_NICENESS)
        with contextlib.suppress(
            OSError, AttributeError
        ):  # Linux: a frame takes the core at once, not at the next tick
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    from trialsight.cli import main as run

    run()


if __name__ == "__main__":
    main()
