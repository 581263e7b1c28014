"""A line's drift as it stands, for the API, the command line and the page."""

from sqlalchemy.engine import Connection

from trialsight_serving.drift.tell import proposal
from trialsight_serving.schemas.drift import AlarmOut, DriftOut, FindingOut, LookOut, WatchedOut
from trialsight_serving.settings import DriftSettings
from trialsight_serving.store.drift import (
    AlarmRecord,
    LookRecord,
    ReferenceRecord,
    list_alarms,
    list_looks,
    list_references,
    signals_of,
)


def drift_of(connection: Connection, organisation: str, line: str, knobs: DriftSettings) -> DriftOut:
    return DriftOut(
        line=line,
        window=knobs.window,
        false_alarms_a_month=knobs.false_alarms_a_month,
        watched=[_watched(connection, one, knobs) for one in list_references(connection, organisation, line)],
        alarms=[alarm_out(one) for one in list_alarms(connection, organisation, line)],
    )


def alarm_out(alarm: AlarmRecord) -> AlarmOut:
    moved = [one for one in alarm.findings if one["drifted"]]
    return AlarmOut.model_validate({**vars(alarm), "moved": moved, "proposal": proposal(alarm)})


def _watched(connection: Connection, reference: ReferenceRecord, knobs: DriftSettings) -> WatchedOut:
    looks = list_looks(connection, reference.id)
    frames = knobs.reference
    if reference.sample is None:
        frames = len(signals_of(connection, reference.of, reference.first_seq - 1, knobs.reference, newest=False))
    first = signals_of(connection, reference.of, reference.first_seq - 1, 1, newest=False)
    newest = signals_of(connection, reference.of, reference.first_seq - 1, 1, newest=True)
    return WatchedOut(
        view=reference.of.view,
        recipe=reference.of.recipe,
        version=reference.of.version,
        since=reference.made_at,
        made_by=reference.made_by,
        frames=frames,
        needed=knobs.reference,
        reference_frame=first[0].frame_id if first else None,
        newest_frame=newest[0].frame_id if newest else None,
        findings=[FindingOut.model_validate(one) for one in looks[-1].findings] if looks else [],
        looks=[_look(one) for one in looks],
    )


def _look(one: LookRecord) -> LookOut:
    values, effects = ({found["measure"]: found[name] for found in one.findings} for name in ("now", "effect"))
    return LookOut(seq=one.seq, at=one.at, values=values, effects=effects)
