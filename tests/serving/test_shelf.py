"""Models within a memory budget."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trialsight.gate import run_gate
from trialsight.inspector import Inspector
from trialsight_serving.models.chosen import PeoplesThresholds
from trialsight_serving.models.shelf import LiveModel, Shelf


@pytest.fixture
def model(write_package: Callable[..., Path], tmp_path: Path) -> Callable[[str, str], LiveModel]:
    """A loaded model that claims 10 bytes, under any recipe and version."""
    inspector = Inspector.load(write_package(tmp_path / "package"))
    gate = run_gate(inspector)
    return lambda recipe, version: LiveModel(
        recipe, version, inspector, gate, datetime.now(UTC), 10, PeoplesThresholds("default")
    )


A1, A2, B1, C1 = ("a", "1"), ("a", "2"), ("b", "1"), ("c", "1")
CASES = {
    "all within the budget": (40, {A1, A2, B1, C1}, {A1}, set()),
    "what nobody wants goes at once": (40, {A1, B1, C1}, {A1}, {A2}),
    "the least recently used goes first": (30, {A1, A2, B1, C1}, {A1}, {B1}),
    "what is live stays, whatever it takes": (0, {A1, A2, B1, C1}, {A1, B1}, {A2, C1}),
}


@pytest.mark.parametrize(("budget", "wanted", "pinned", "gone"), CASES.values(), ids=CASES.keys())
def test_what_is_put_away(
    model: Callable[[str, str], LiveModel],
    budget: int,
    wanted: set[tuple[str, str]],
    pinned: set[tuple[str, str]],
    gone: set[tuple[str, str]],
) -> None:
    shelf = Shelf(budget)
    for key in (A1, A2, B1, C1):
        shelf.put(model(*key))
    shelf.find(A2)
    assert set(shelf.tidy(wanted, pinned)) == gone
    assert shelf.used_bytes() == 10 * (4 - len(gone))
    assert [shelf.holds(key) for key in (A1, A2, B1, C1)] == [key not in gone for key in (A1, A2, B1, C1)]
