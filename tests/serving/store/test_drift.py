"""Drift told from stored rows alone, look by look, on both databases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from trialsight_serving.drift.sample import pack
from trialsight_serving.drift.watch import Watch
from trialsight_serving.settings import DriftSettings, Settings
from trialsight_serving.store.database import Database
from trialsight_serving.store.drift import Watched, find_reference, list_alarms, list_looks, open_alarms
from trialsight_serving.store.frames import FrameRecord, insert_frame
from trialsight_serving.store.review.decisions import Decision, insert_decision

MakeRecord = Callable[..., FrameRecord]
KNOBS = DriftSettings(reference=40, window=40)
OF = Watched("default", "L1", "top", "blob", "1")


class Line:
    """Frames stored and looked at, as a service and its watch do."""

    def __init__(self, settings: Settings, database: Database, make_record: MakeRecord) -> None:
        self.database, self._make = database, make_record
        self._watch = Watch(settings.model_copy(update={"drift": KNOBS}), database, database.transact)
        self._rng = np.random.default_rng(0)
        self._number = 0

    def send(self, count: int, light: float = 1.0, verdict: str = "pass", **changes: str) -> list[FrameRecord]:
        sent = []
        with self.database.write() as connection:
            for _ in range(count):
                self._number += 1
                noise = self._rng.normal(0, 0.01, 7)
                names = ("brightness", "contrast", "black", "white", "sharpness", "warmth", "shift_x")
                usual = (0.5 * light, 0.2 * light, 0.0, 0.0, 0.1, 0.0, 0.0)
                signals = {name: value * (1 + e) for name, value, e in zip(names, usual, noise, strict=True)}
                signals |= {"shift_y": float(noise[0]) / 10, "turn_deg": float(noise[1])}
                look = pack(self._rng.normal(1, 0.1, 16).astype(np.float32))
                record = self._make(
                    self._number, part=f"P{self._number}", verdict=verdict, score=1 + noise[0], **changes
                )
                sent.append(insert_frame(connection, replace(record, signals=signals, embedding=look), None))
        self._watch.once()
        return sent


@pytest.fixture
def line(settings: Settings, database: Database, make_record: MakeRecord) -> Line:
    return Line(settings, database, make_record)


def test_a_lamp_fades_and_is_mended(line: Line, database: Database) -> None:
    line.send(30)
    with database.read() as connection:
        assert find_reference(connection, OF).sample is None
    for count in (10, 30, 10):
        line.send(count)
    for _ in range(4):
        line.send(10, light=0.9)
    with database.read() as connection:
        (alarm,) = open_alarms(connection, "default")
        assert (alarm.line, alarm.view, alarm.version, alarm.cause) == ("L1", "top", "1", "lamp")
        assert open_alarms(connection, "acme") == []
    for _ in range(10):
        line.send(10)
    with database.read() as connection:
        (alarm,) = list_alarms(connection, "default", "L1")
        assert alarm.ended_at is not None
        reference = find_reference(connection, OF)
        looks = list_looks(connection, reference.id)
    assert [look.seq for look in looks] == sorted({look.seq for look in looks})
    assert not any(one["drifted"] for one in looks[-1].findings)


def test_another_version_begins_anew_and_another_view_is_not_mixed_in(line: Line, database: Database) -> None:
    line.send(80)
    line.send(80, light=0.7, view="side")
    line.send(80, light=0.7, model_version="2")
    with database.read() as connection:
        assert open_alarms(connection, "default") == []
        found = [find_reference(connection, replace(OF, **one)) for one in ({}, {"view": "side"}, {"version": "2"})]
    assert all(one is not None for one in found)
    assert len({one.first_seq for one in found}) == 3


def test_verdicts_that_people_overrule_are_the_models_drift(line: Line, database: Database) -> None:
    line.send(40)
    right, wrong = line.send(20, verdict="reject"), line.send(40, verdict="reject")
    with database.write() as connection:
        for decision, frames in (("confirm", right), ("overrule_good", wrong)):
            for frame in frames:
                wanted = Decision(f"key-{frame.seq}", frame.part_id, decision)
                insert_decision(connection, "default", wanted, "mei", datetime.now(UTC))
    for _ in range(4):
        line.send(10)
    with database.read() as connection:
        (alarm,) = open_alarms(connection, "default")
    assert alarm.cause == "model"
    assert [one["measure"] for one in alarm.findings if one["drifted"]] == ["overruled"]
