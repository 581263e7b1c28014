"""Exporters print their progress and warn of their own internals; people who train need neither."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(*loggers: str | None) -> Iterator[None]:
    """Nothing on stdout, no warnings, and of `loggers` (None: the root) errors only."""
    levels = {name: logging.getLogger(name).level for name in loggers or (None,)}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
