"""A bar a task on a terminal, a line a task elsewhere, always on stderr: stdout is for results."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars


class Progress:
    """Tells a person what runs, unless `silent`, and keeps how long each task took in `seconds`."""

    def __init__(self, silent: bool = False) -> None:
        self.console = Console(stderr=True, soft_wrap=True, quiet=silent)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Callable[[], None]]:
        """Gives the function to call once a step; `total` None where steps can't be counted."""
        started = time.perf_counter()
        columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bars:
            task = bars.add_task(name, total=total)
            yield lambda: bars.advance(task)
        self.seconds[name] = round(time.perf_counter() - started, 2)
        self.console.print(f"{name:<12} {self.seconds[name]:6.1f} s", highlight=False)

    def note(self, text: str) -> None:
        self.console.print(f"note: {text}", highlight=False)
