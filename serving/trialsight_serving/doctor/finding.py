"""What a check found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from trialsight_serving.settings import Settings


class State(StrEnum):
    """warning: frames get verdicts, but not for ever, or something beside is lost. fault: they don't, or can't."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """`remedy` is empty where all is well."""

    check: str
    state: State
    what: str
    remedy: str = ""


Check = Callable[[Settings], Iterable[Finding]]


def ok(check: str, what: str) -> Finding:
    return Finding(check, State.OK, what)


def warning(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, State.WARNING, what, remedy)


def fault(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, State.FAULT, what, remedy)
