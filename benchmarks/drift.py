"""Drift on the simulated line: each cause injected, how soon it is told and as what; and alarms where there is none."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure.machine import describe_machine
from benchmarks.measure.progress import say
from benchmarks.measure.report import Report, Table, Target, write_report
from benchmarks.measure.training import train
from trialsight.inspector import Inspector
from trialsight_datasets.simulate import KINDS, Line, Simulator, Wear
from trialsight_datasets.simulate.dataset import Plan, write_simulated
from trialsight_datasets.simulate.product import Material
from trialsight_serving.drift.cause import Cause, cause_of
from trialsight_serving.drift.look import Overruled, look
from trialsight_serving.drift.sample import Sample, pack
from trialsight_serving.drift.watch import LONGER, alarm_after
from trialsight_serving.settings import DriftSettings
from trialsight_serving.store.drift import ReferenceRecord, Seen, Watched

SEED, FIRST = 5, 2_000_000
DEFECTIVE = 0.05  # of the parts, always
MOST_FRAMES = 600  # that an alarm is waited for
Render = Callable[[int, np.random.Generator], bytes]


@dataclass(frozen=True)
class Case:
    """`cause` None: nothing drifts. `overruled`: share of verdicts that people overrule meanwhile."""

    name: str
    cause: Cause | None
    render: Render
    overruled: float = 0.02


def cases() -> list[Case]:
    usual, coarse = Simulator(SEED), Simulator(SEED, line=Line(material=Material(texture=0.16)))

    def worn(wear: Wear, simulator: Simulator = usual, defective: float = DEFECTIVE, other: float = 0.0) -> Render:
        def render(index: int, rng: np.random.Generator) -> bytes:
            if rng.random() < other:
                return simulator.defective(index, "missing_hole", 1.0, wear).jpeg
            if rng.random() < defective:
                return simulator.defective(index, str(rng.choice(KINDS)), 0.7, wear).jpeg
            return simulator.good(index, wear).jpeg

        return render

    still = worn(Wear())
    return [
        Case("nothing", None, still),
        Case("lamp, 5 % less light", Cause.LAMP, worn(Wear(lamp=0.05))),
        Case("lamp, 15 % less light", Cause.LAMP, worn(Wear(lamp=0.15))),
        Case("lens, blur of 0.5 px", Cause.LENS, worn(Wear(lens=0.001))),
        Case("lens, blur of 2 px", Cause.LENS, worn(Wear(lens=0.004))),
        Case("fixture, slipped by 1 %", Cause.FIXTURE, worn(Wear(shift_x=0.01))),
        Case("fixture, turned by 2°", Cause.FIXTURE, worn(Wear(turn_deg=2))),
        Case("mix, 30 % of another variant", Cause.MIX, worn(Wear(), other=0.3)),
        Case("mix, another variant alone", Cause.MIX, worn(Wear(), other=1.0)),
        Case("mix, 40 % defective parts", Cause.MIX, worn(Wear(), defective=0.4)),
        Case("mix, coarser brushing", Cause.MIX, worn(Wear(), coarse)),
        Case("model, 45 % overruled", Cause.MODEL, still, overruled=0.45),
    ]


@dataclass(frozen=True)
class Told:
    """`frames`: from the cause to the alarm; None: no alarm in MOST_FRAMES. `first`: what it was told as, `last`: what
    it was called in the end."""

    frames: int | None
    first: Cause | None
    last: Cause | None


def run(place: Path, docs: Path, still_frames: int, case_frames: int, plays: int) -> str:
    knobs = DriftSettings()
    inspector = Inspector.load(_package(place))
    rng = np.random.default_rng(SEED)
    indices = count(FIRST)
    pools: dict[str, list[Seen]] = {}
    for case in cases():
        wanted = still_frames if case.cause is None else case_frames
        say(f"{case.name}: {wanted} frames")
        pools[case.name] = [_seen(inspector, next(indices), case.render, rng) for _ in range(wanted)]
    usual = pools["nothing"]
    told = {case: [_play(usual, pools[case.name], case, knobs, rng) for _ in range(plays)] for case in cases()}
    looks, alarms = _false_alarms(usual, knobs, rng, 40 * plays)
    wrong = sum(one.last is not case.cause for case, found in told.items() for one in found if case.cause)
    total = sum(len(found) for case, found in told.items() if case.cause)
    report = Report(
        name="drift",
        title="Drift",
        introduction=(
            "Each cause injected into the simulated line, the frames rendered and inspected by a model trained on 20 "
            f"good parts; sequences drawn from those frames. A reference of {knobs.reference} frames, windows of "
            f"{knobs.window}, a look every {knobs.step} frames, {knobs.alpha:.1e} a look: the settings' own values, by "
            f"which a month without drift has an alarm with a chance of at most {knobs.false_alarms_a_month:.0%}."
        ),
        machine=describe_machine(),
        repeat="make bench ARGS=drift",
        tables=(_delays(told), _confusion(told)),
        targets=(
            Target("alarms where nothing drifts", f"{alarms} in {looks:,} looks", alarms == 0),
            Target("causes told right", f"{total - wrong} of {total}", wrong <= 0.05 * total),
        ),
    )
    return f"written: {write_report(report, docs)}"


def _package(place: Path) -> Path:
    data, folder = place / "set", place / "trained"
    found = next(folder.glob("home/packages/*/*"), None) if folder.exists() else None
    if found is not None:
        return found
    if not data.exists():
        write_simulated(data, Plan(good=20, seed=SEED))
    return train(data, folder, "shipped", "shipped", 256).package


def _seen(inspector: Inspector, index: int, render: Render, rng: np.random.Generator) -> Seen:
    found = inspector(render(index, rng))
    assert found.signals is not None
    return Seen(index, str(index), found.signals.to_json(), found.score, pack(found.embedding))


def _drawn(pool: Sequence[Seen], rng: np.random.Generator, number: int) -> list[Seen]:
    return [pool[index] for index in rng.integers(len(pool), size=number)]


def _looks(frames: list[Seen], knobs: DriftSettings) -> Iterator[tuple[int, Sample]]:
    for end in range(knobs.window, len(frames) + 1, knobs.step):
        yield end, Sample.of(frames[max(0, end - LONGER * knobs.window) : end])


def _play(usual: list[Seen], pool: list[Seen], case: Case, knobs: DriftSettings, rng: np.random.Generator) -> Told:
    """A reference, what is usual for as long as a look reaches back, then the cause until a window after its alarm."""
    reference = Sample.of([usual[index] for index in rng.permutation(len(usual))[: knobs.reference]])
    now, before = datetime.now(UTC), LONGER * knobs.window
    record = ReferenceRecord(1, Watched("default", "L1", "default", "bracket", "1"), 1, 1, b"", "bench", now)
    frames = _drawn(usual, rng, before) + _drawn(pool, rng, MOST_FRAMES)
    alarm, seen_before, first, told_at = None, False, None, None
    half = knobs.window // 2
    for end, window in _looks(frames, knobs):
        drifting = max(0, end - before)
        share = DEFECTIVE if not drifting else case.overruled
        people = Overruled((round(0.02 * half), half), (int(rng.binomial(half, share)), half))
        found = look(reference, window, knobs.window, knobs.alpha, people)
        alarm = alarm_after(alarm, record, found, end, now, knobs.alpha, seen_before)
        seen_before = any(one.drifted for one in found)
        if alarm is not None and told_at is None:
            first, told_at = Cause(alarm.cause), drifting
        if told_at is not None and drifting >= told_at + knobs.window:
            break
    return Told(told_at, first, None if alarm is None else Cause(alarm.cause))


def _false_alarms(
    usual: list[Seen], knobs: DriftSettings, rng: np.random.Generator, references: int
) -> tuple[int, int]:
    """Looks at what doesn't drift, and how many found drift; references and windows drawn anew."""
    looks = alarms = 0
    for _ in range(references):
        order = rng.permutation(len(usual))
        reference = Sample.of([usual[index] for index in order[: knobs.reference]])
        rest = [usual[index] for index in order[knobs.reference :]]
        for _ in range(10):
            window = Sample.of([rest[index] for index in rng.permutation(len(rest))[: LONGER * knobs.window]])
            looks += 1
            alarms += cause_of(look(reference, window, knobs.window, knobs.alpha)) is not None
    return looks, alarms


def _delays(told: dict[Case, list[Told]]) -> Table:
    rows = []
    for case, found in told.items():
        seen = [one.frames for one in found if one.frames is not None]
        delays = (f"{median(seen):.0f}", f"{max(seen)}") if seen else ("–", "–")
        rows.append((case.name, f"{len(seen)}/{len(found)}", *delays))
    return Table("Frames until the alarm", ("what is injected", "told", "median", "longest"), tuple(rows))


def _confusion(told: dict[Case, list[Told]]) -> Table:
    columns = [*Cause, None]
    rows = []
    for case, found in told.items():
        counts = Counter(one.last for one in found)
        rows.append((case.name, *(str(counts[cause] or "·") for cause in columns)))
    names = [cause.value if cause else "no alarm" for cause in columns]
    return Table("Told as", ("what is injected", *names), tuple(rows), "The cause that the alarm names a window later.")
