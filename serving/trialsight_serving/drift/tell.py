"""An alarm on its way to whoever listens: by the same outbox as results, in the transaction that stores it."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from trialsight_serving.drift.cause import RETRAIN
from trialsight_serving.outbox.queue import ALARM, enqueue_text
from trialsight_serving.outbox.targets import Target
from trialsight_serving.store.drift import AlarmRecord
from trialsight_serving.store.ids import new_id

_TOLD = ("measure", "before", "now", "effect", "p")


def alarm_message(alarm: AlarmRecord) -> dict[str, Any]:
    """What moved, and what to do about it; `proposal`: the command that a person may give, never given by itself."""
    return {
        "alarm": alarm.id,
        "state": "open" if alarm.ended_at is None else "ended",
        "line": alarm.line,
        "view": alarm.view,
        "recipe": alarm.recipe,
        "version": alarm.version,
        "cause": alarm.cause,
        "moved": [{name: one[name] for name in _TOLD} for one in alarm.findings if one["drifted"]],
        "opened_at": alarm.opened_at.isoformat(),
        "ended_at": None if alarm.ended_at is None else alarm.ended_at.isoformat(),
        "proposal": proposal(alarm),
        "url": f"/lines/{alarm.line}/drift",
    }


def proposal(alarm: AlarmRecord) -> str | None:
    """The retraining that would take in what has changed; None where the line itself wants mending, or it is over."""
    return f"trialsight retrain {alarm.recipe}" if alarm.cause in RETRAIN and alarm.ended_at is None else None


def tell(connection: Connection, alarm: AlarmRecord, targets: Sequence[Target]) -> None:
    text = json.dumps(alarm_message(alarm), ensure_ascii=False, separators=(",", ":"))
    wanted = [one for one in targets if one.wants_alarm(alarm.organisation_id, alarm.line)]
    enqueue_text(connection, ALARM, alarm.organisation_id, alarm.line, new_id(), text, wanted)
