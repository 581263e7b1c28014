"""Errors a person can act on. Each says what is wrong, where, and what to do; the command line prints one line."""

from enum import StrEnum


class TrialsightError(Exception):
    """Any fault that we foresaw. `str()` is one line: what and where, then the remedy."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} ({self.remedy})" if self.remedy else self.problem


class RecipeError(TrialsightError):
    """A recipe that can't be read or doesn't hold together."""


class PackageError(TrialsightError):
    """A model package that is missing, altered, or not one that this version can run."""


class FrameFault(StrEnum):
    """Why a frame got no inspection. The service maps each to one HTTP status."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not-an-image"
    TOO_LARGE = "too-large"
    UNDECODABLE = "undecodable"
    WRONG_GEOMETRY = "wrong-geometry"


class FrameError(TrialsightError):
    """A frame that can't be inspected. Never a verdict: what can't be seen is not good."""

    def __init__(self, fault: FrameFault, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.fault = fault
