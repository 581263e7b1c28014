"""A command of ours as a child of the worker: after the line in everything, and gone with the worker."""

import contextlib
import ctypes
import os
import signal

NICE = 15
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """`trialsight WORDS`, nice to everybody else; on Linux it dies with its parent, however that ends."""
    os.nice(NICE)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    from trialsight.cli import main as run

    run()


if __name__ == "__main__":
    main()
