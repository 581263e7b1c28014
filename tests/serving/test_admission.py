"""Who may come in and who is next, with a clock of our own."""

import asyncio

import pytest

from trialsight_serving.admission import Admission, Ticket
from trialsight_serving.problems import Problem


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_full_line_answers_429_with_the_time_it_needs(clock: Clock) -> None:
    admission = Admission(workers=2, queue_limit=4, clock=clock)
    admission.inspecting.mean_s = 1.0
    for _ in range(4):
        admission.admit("L1", deadline_s=60)
    with pytest.raises(Problem) as refused:
        admission.admit("L1", deadline_s=60)
    assert (refused.value.status, refused.value.slug) == (429, "queue-full")
    assert refused.value.headers == {"Retry-After": "2"}  # 4 frames, 2 workers, 1 s each
    assert refused.value.more == {"retry_after_ms": 2000}
    admission.admit("L2", deadline_s=60)  # another line has places of its own


def test_a_place_comes_free_when_the_frame_is_answered(clock: Clock) -> None:
    admission = Admission(workers=1, queue_limit=1, clock=clock)
    with admission.admit("L1", 60):
        assert admission.depth("L1") == 1
    assert admission.depth("L1") == 0
    with pytest.raises(ZeroDivisionError), admission.admit("L1", 60):
        raise ZeroDivisionError
    assert admission.depth("L1") == 0


def test_a_deadline_that_cannot_be_met_is_refused_before_any_work(clock: Clock) -> None:
    admission = Admission(workers=1, queue_limit=10, clock=clock)
    admission.inspecting.mean_s = 0.5
    admission.admit("L1", deadline_s=0.75)
    with pytest.raises(Problem) as refused:
        admission.admit("L1", deadline_s=0.75)  # the one before takes 0.5 s, this one another 0.5 s
    assert (refused.value.status, refused.value.slug) == (429, "deadline")
    assert refused.value.more == {"retry_after_ms": 250}


def test_a_ticket_is_late_once_its_deadline_has_passed(clock: Clock) -> None:
    ticket = Admission(workers=1, queue_limit=1, clock=clock).admit("L1", deadline_s=0.5)
    assert not ticket.late
    clock.now += 0.6
    assert ticket.late


def test_the_prediction_learns_from_what_frames_took(clock: Clock) -> None:
    async def run() -> float:
        admission = Admission(workers=1, queue_limit=1, clock=clock)
        for _ in range(50):
            with admission.admit("L1", 60) as ticket:
                clock.now += 0.1
                async with ticket.worker() as turn:
                    clock.now += 0.4
                    turn.ran = True
                clock.now += 0.2
        return admission.predicted_wait_s("L1")

    assert asyncio.run(run()) == pytest.approx(0.7, rel=0.01)


def test_a_frame_that_never_ran_teaches_nothing(clock: Clock) -> None:
    """Else a burst of late frames would make the line look fast, and let in the next burst."""

    async def run() -> float:
        admission = Admission(workers=1, queue_limit=1, clock=clock)
        before = admission.predicted_wait_s("L1")
        for _ in range(50):
            with admission.admit("L1", 60) as ticket:
                async with ticket.worker():
                    clock.now += 0.001
        return admission.predicted_wait_s("L1") - before

    assert asyncio.run(run()) == 0


def test_uneven_frames_are_predicted_with_care(clock: Clock) -> None:
    async def run() -> float:
        admission = Admission(workers=1, queue_limit=1, clock=clock)
        for number in range(200):
            with admission.admit("L1", 60) as ticket:
                async with ticket.worker() as turn:
                    clock.now += 0.1 if number % 2 else 0.3
                    turn.ran = True
        return admission.predicted_wait_s("L1")

    assert asyncio.run(run()) > 0.3


def test_after_a_stall_a_line_finds_its_pace_again(clock: Clock) -> None:
    async def run() -> int:
        admission = Admission(workers=1, queue_limit=1, clock=clock)
        for spent_s in (0.02, 0.02, 8.0):  # say the disk hung
            with admission.admit("L1", 60) as ticket:
                async with ticket.worker() as turn:
                    clock.now += spent_s
                    turn.ran = True
        for tries in range(100):
            try:
                admission.admit("L1", deadline_s=1.0)
            except Problem:
                with pytest.raises(Problem):
                    admission.admit("L1", deadline_s=0.01)  # less than it ever took: never let in
            else:
                return tries
        return -1

    assert 0 < asyncio.run(run()) < 20


def test_a_flooded_line_does_not_make_another_look_slow(clock: Clock) -> None:
    admission = Admission(workers=1, queue_limit=100, clock=clock)
    admission.inspecting.mean_s = 0.1
    for _ in range(50):
        admission.admit("flood", deadline_s=60)
    admission.admit("quiet", deadline_s=0.25)  # one of the other line's goes before it, then it is its turn
    with pytest.raises(Problem):
        admission.admit("flood", deadline_s=5.0)


def test_lines_take_turns_so_that_a_burst_starves_nobody() -> None:
    order: list[str] = []

    async def frame(ticket: Ticket, line: str) -> None:
        with ticket:
            async with ticket.worker():
                order.append(line)
                await asyncio.sleep(0)

    async def run() -> None:
        admission = Admission(workers=1, queue_limit=10)
        lines = ["L1"] * 5 + ["L2"] * 2
        await asyncio.gather(*(frame(admission.admit(line, 60), line) for line in lines))
        assert admission.depth("L1") == 0
        await frame(admission.admit("L3", 60), "L3")

    asyncio.run(run())
    assert order == ["L1", "L1", "L2", "L1", "L2", "L1", "L1", "L3"]


def test_a_client_that_goes_gives_its_slot_on() -> None:
    async def run() -> bool:
        admission = Admission(workers=1, queue_limit=10)
        await admission.acquire("L1")
        waiting = asyncio.create_task(admission.acquire("L1"))
        gone = asyncio.create_task(admission.acquire("L2"))
        await asyncio.sleep(0)
        admission.release(None)  # hands the slot to `waiting` …
        waiting.cancel()  # … which goes at that very moment
        await asyncio.wait_for(gone, 60)
        admission.release(None)
        await asyncio.wait_for(admission.acquire("L3"), 60)
        return True

    assert asyncio.run(run())


def test_a_frame_runs_while_the_one_before_it_is_stored(clock: Clock) -> None:
    """Whether it has come before the model had run, and waits, or comes after."""

    async def run() -> tuple[list[str], float]:
        admission = Admission(workers=1, queue_limit=10, clock=clock)
        order: list[str] = []

        async def frame(name: str, comes: asyncio.Event, leaves: asyncio.Event) -> None:
            with admission.admit("L1", 60) as ticket:
                async with ticket.worker() as turn:
                    order.append(f"{name} runs")
                    turn.ran = True
                    await comes.wait()
                    clock.now += 0.5
                    await asyncio.to_thread(turn.model_has_run)
                    await leaves.wait()
                    clock.now += 0.1
                    order.append(f"{name} is stored")

        ran, stored = asyncio.Event(), asyncio.Event()
        frames = [asyncio.create_task(frame(name, ran, stored)) for name in ("first", "second")]
        await asyncio.sleep(0)
        assert order == ["first runs"]
        ran.set()
        while order != ["first runs", "second runs"]:
            await asyncio.sleep(0)
        frames.append(asyncio.create_task(frame("third", ran, stored)))
        while "third runs" not in order:
            await asyncio.sleep(0)
        stored.set()
        await asyncio.gather(*frames)
        assert admission.has_spare
        return order, admission.inspecting.mean_s

    order, mean_s = asyncio.run(run())
    assert order[:3] == ["first runs", "second runs", "third runs"]
    assert 0.05 < mean_s < 0.5  # of running alone


def test_a_frame_that_is_stored_slowly_gives_its_place_on() -> None:
    """One place more than workers: the third frame waits for whichever of the others is stored, or has had its time."""

    async def run() -> list[str]:
        admission = Admission(workers=1, queue_limit=10, more=1)
        order: list[str] = []
        stored = {name: asyncio.Event() for name in ("first", "second", "third", "fourth")}

        async def frame(name: str, model_has_run: bool) -> None:
            with admission.admit("L1", 60) as ticket:
                async with ticket.worker() as turn:
                    order.append(name)
                    if model_has_run:
                        await asyncio.to_thread(turn.model_has_run)
                    await stored[name].wait()

        async def until(started: int) -> None:
            while len(order) < started:
                await asyncio.sleep(0)

        frames = [asyncio.create_task(frame(name, name == "first")) for name in ("first", "second")]
        await until(2)
        assert not admission.has_spare
        frames += [asyncio.create_task(frame(name, False)) for name in ("third", "fourth")]
        await until(3)  # in the place of the first, which is never stored
        stored["second"].set()
        await until(4)
        for event in stored.values():
            event.set()
        await asyncio.gather(*frames)
        assert admission.has_spare
        return order

    assert asyncio.run(run()) == ["first", "second", "third", "fourth"]
