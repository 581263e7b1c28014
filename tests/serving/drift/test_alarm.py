"""How an alarm goes on from look to look, and whether it asks for a retraining."""

from contextlib import closing
from datetime import UTC, datetime

import pytest

from trialsight.home import Home
from trialsight.package import RECIPE
from trialsight.recipe import Recipe
from trialsight_serving.drift.ask import ask_retraining
from trialsight_serving.drift.look import Finding
from trialsight_serving.drift.measures import Group
from trialsight_serving.drift.watch import alarm_after
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database
from trialsight_serving.store.drift import AlarmRecord, ReferenceRecord, Watched
from trialsight_serving.store.jobs import list_jobs

NOW = datetime(2026, 11, 25, tzinfo=UTC)
OF = Watched("default", "L1", "default", "blob", "1")
REFERENCE = ReferenceRecord(1, OF, 1, 200, b"", "service", NOW)
LIGHT = ("brightness", Group.LIGHT)
LOOK = ("look", Group.LOOK)


def finding(measure: tuple[str, Group], effect: float, p: float = 1e-12) -> Finding:
    sure = p < 1e-6
    return Finding(*measure, 0.0, 1.0, effect, p, 1.0, sure=sure, drifted=sure and abs(effect) >= 1)


def after(before: AlarmRecord | None, found: Finding, seen_before: bool = False) -> AlarmRecord | None:
    return alarm_after(before, REFERENCE, [found], 300, NOW, 1e-6, seen_before)


def test_what_is_seen_itself_alarms_at_once_what_is_left_over_at_the_second_look() -> None:
    assert after(None, finding(LIGHT, 2)).cause == "lamp"
    assert after(None, finding(LOOK, 2)) is None
    assert after(None, finding(LOOK, 2), seen_before=True).cause == "mix"
    assert after(None, finding(LIGHT, 0.9)) is None


def test_an_alarm_goes_on_until_two_looks_have_seen_nothing_of_it() -> None:
    alarm = after(None, finding(LIGHT, 2))
    assert after(alarm, finding(LIGHT, 3)).id == alarm.id
    lingering = after(alarm, finding(LIGHT, 0.8))  # no alarm of its own, but not back yet either
    assert (lingering.clear_looks, lingering.ended_at) == (0, None)
    once = after(lingering, finding(LIGHT, 0.1, p=0.5))
    assert (once.clear_looks, once.ended_at) == (1, None)
    assert after(once, finding(LIGHT, 2)).clear_looks == 0
    assert after(once, finding(LIGHT, 0.1, p=0.5)).ended_at == NOW


@pytest.mark.parametrize(
    ("retraining", "cause", "asked"),
    [("manual", "mix", False), ("on_drift", "mix", True), ("on_drift", "model", True), ("on_drift", "lamp", False)],
)
def test_a_retraining_is_asked_for_only_where_the_recipe_says_so(
    promoted: Home, retraining: str, cause: str, asked: bool
) -> None:
    (promoted.package("blob", "1") / RECIPE).write_text(Recipe("blob", retraining=retraining).to_yaml())
    alarm = AlarmRecord("a" * 32, "default", "L1", "default", "blob", "1", 1, cause, [], NOW, 1, NOW)
    with closing(open_database(Settings(home=promoted.root))) as database, database.write() as connection:
        ask_retraining(connection, promoted, alarm)
        jobs = list_jobs(connection, "default")
    assert [job.asked_by for job in jobs] == ([f"recipe blob, drift alarm {alarm.id}"] if asked else [])
