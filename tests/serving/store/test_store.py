"""Files and rows: whole or not there, grouped, and the same schema from the migrations as from the tables."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from trialsight.errors import TrialsightError
from trialsight_serving import store
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import Database, newest_schema, open_database
from trialsight_serving.store.frames import FrameRecord, KeyTakenError, frame_by_id, frames_of_part, insert_frame
from trialsight_serving.store.images.maps import encode_map, to_8_bit
from trialsight_serving.store.lines import add_line, bind_line, list_lines
from trialsight_serving.store.parts import PartFilter, list_parts, part_by_id
from trialsight_serving.store.review.decisions import Decision, decisions_of, insert_decision
from trialsight_serving.store.tables import ORGANISATION, metadata
from trialsight_serving.store.writer import Writer

NOW = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    writer = Writer(database)
    yield writer
    writer.close()


def test_migrations_make_the_schema_of_the_tables(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        scripts = ScriptDirectory(str(Path(store.__file__).parent / "migrations"))
        assert newest_schema() == (scripts.get_current_head(), {one.revision for one in scripts.walk_revisions()})
        assert context.get_current_revision() == newest_schema()[0]


def test_the_store_survives_a_power_cut_by_its_settings(database: Database) -> None:
    if not database.is_sqlite:
        with database.read() as connection:
            assert connection.execute(sa.text("SHOW synchronous_commit")).scalar() == "on"
        return
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with database.read() as connection:
        assert {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted} == wanted


def test_a_second_start_keeps_what_is_there(settings: Settings) -> None:
    first = open_database(settings)
    with first.write() as connection:
        add_line(connection, "L2", "blob", who="test")
    first.close()
    second = open_database(settings.model_copy(update={"default_lines": ("L9",)}))
    with second.read() as connection:
        assert [(line.name, line.recipe) for line in list_lines(connection)] == [("L1", None), ("L2", "blob")]
    second.close()


def test_processes_that_start_at_once_migrate_once(settings: Settings) -> None:
    made: list[Database] = []
    threads = [threading.Thread(target=lambda: made.append(open_database(settings))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    with made[0].read() as connection:
        assert [line.name for line in list_lines(connection)] == ["L1"]
    for database in made:
        database.close()


def test_a_home_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "trialsight.db").write_bytes(b"this is no database, and never was one " * 100)
    with pytest.raises(TrialsightError, match=r"trialsight\.db can't be opened"):
        open_database(Settings(home=tmp_path))


def test_times_come_back_in_utc_whatever_zone_they_came_in(
    make_record: Callable[..., FrameRecord], writer: Writer, database: Database
) -> None:
    beijing = NOW.astimezone(timezone(timedelta(hours=8)))
    writer.submit(lambda c: insert_frame(c, make_record(1, captured_at=beijing), None)).result()
    with database.read() as connection:
        stored = frame_by_id(connection, ORGANISATION, f"{1:032x}")
    assert stored is not None
    assert stored.captured_at == NOW
    assert stored.captured_at.utcoffset() == timedelta(0)


def test_records_that_wait_share_a_commit(
    make_record: Callable[..., FrameRecord], database: Database, writer: Writer
) -> None:
    commits: list[float] = []
    sa.event.listen(database.engine, "commit", lambda _: commits.append(time.monotonic()))
    gate = threading.Event()
    first = writer.submit(lambda _: gate.wait(60))  # holds the writer while the others come
    others = [writer.submit(lambda c, n=n: insert_frame(c, make_record(n, part=f"P-{n}"), None)) for n in range(1, 21)]
    gate.set()
    wait([first, *others], 60)
    assert sorted(future.result().seq for future in others) == list(range(1, 21))
    assert len(commits) <= 2  # one where the others came before the writer had woken


def test_threads_that_wait_for_their_records_share_a_commit(
    make_record: Callable[..., FrameRecord], database: Database, writer: Writer
) -> None:
    commits: list[float] = []
    sa.event.listen(database.engine, "commit", lambda _: commits.append(time.monotonic()))
    gate = threading.Event()
    first = writer.submit(lambda _: gate.wait(5))

    def bring(n: int) -> FrameRecord:
        return writer.transact(lambda c: insert_frame(c, make_record(n, part=f"P-{n}"), None))

    with ThreadPoolExecutor(10) as pool:
        others = [pool.submit(bring, n) for n in range(1, 11)]
        time.sleep(0.2)
        gate.set()
        assert sorted(other.result(5).seq for other in others) == list(range(1, 11))
    assert first.result(5)
    assert len(commits) < 10


def test_one_failure_takes_nothing_of_its_group_with_it(
    make_record: Callable[..., FrameRecord], database: Database, writer: Writer
) -> None:
    gate = threading.Event()
    writer.submit(lambda _: gate.wait(60))
    good = writer.submit(lambda c: insert_frame(c, make_record(1), "k"))
    twice = writer.submit(lambda c: insert_frame(c, make_record(2, part="P-2"), "k"))
    broken = writer.submit(lambda c: insert_frame(c, make_record(1, part="P-3"), None))  # an id that exists
    last = writer.submit(lambda c: insert_frame(c, make_record(4, part="P-4"), "other"))
    gate.set()
    assert good.result(60).id == f"{1:032x}"
    with pytest.raises(KeyTakenError) as taken:
        twice.result(60)
    assert taken.value.frame.id == f"{1:032x}"
    with pytest.raises(sa.exc.IntegrityError):
        broken.result(60)
    assert last.result(60).id == f"{4:032x}"
    with database.read() as connection:
        parts = list_parts(connection, ORGANISATION, PartFilter(), None, 10)
    assert [part.serial for part in parts] == ["P-4", "P-1"]


def test_a_closing_writer_commits_what_it_was_given(
    make_record: Callable[..., FrameRecord], database: Database
) -> None:
    writer = Writer(database)
    futures = [writer.submit(lambda c, n=n: insert_frame(c, make_record(n), None)) for n in range(30)]
    writer.close()
    assert all(future.done() for future in futures)
    with pytest.raises(RuntimeError, match="closed"):
        writer.submit(lambda c: insert_frame(c, make_record(31), None))
    with database.read() as connection:
        assert len(frames_of_part(connection, ORGANISATION, futures[0].result().part_id)) == 30


PART_VERDICTS = {
    "one view": ([("top", "review", 3.0)], ("review", 3.0)),
    "the worse of two views": ([("top", "reject", 9.0), ("side", "pass", 1.0)], ("reject", 9.0)),
    "a view that was not seen is worse than a doubtful one": (
        [("top", "no_verdict", None), ("side", "review", 3.0)],
        ("no_verdict", 3.0),
    ),
    "the newest frame of a view counts": ([("top", "reject", 9.0), ("top", "pass", 1.0)], ("pass", 1.0)),
    "a retaken view leaves the other as it was": (
        [("top", "reject", 9.0), ("side", "review", 3.0), ("top", "pass", 1.0)],
        ("review", 3.0),
    ),
}


@pytest.mark.parametrize(("seen", "expected"), PART_VERDICTS.values(), ids=PART_VERDICTS.keys())
def test_a_part_is_as_bad_as_its_worst_view(
    make_record: Callable[..., FrameRecord],
    database: Database,
    seen: list[tuple[str, str, float | None]],
    expected: tuple[str, float | None],
) -> None:
    with database.write() as connection:
        for number, (view, verdict, score) in enumerate(seen):
            stored = insert_frame(connection, make_record(number, view=view, verdict=verdict, score=score), None)
        part = part_by_id(connection, ORGANISATION, stored.part_id)
    assert part is not None
    assert (part.verdict, part.score) == expected


def test_the_same_serial_in_another_trial_is_another_part(
    make_record: Callable[..., FrameRecord], database: Database
) -> None:
    with database.write() as connection:
        one = insert_frame(connection, make_record(1, trial="T1"), None)
        two = insert_frame(connection, make_record(2, trial="T2"), None)
        again = insert_frame(connection, make_record(3, trial="T1"), None)
    assert one.part_id == again.part_id != two.part_id


def test_decisions_are_appended_and_a_new_frame_asks_for_a_new_one(
    make_record: Callable[..., FrameRecord], database: Database
) -> None:
    with database.write() as connection:
        part_id = insert_frame(connection, make_record(1), None).part_id
        for decision in ("confirm", "missed_defect"):
            insert_decision(connection, ORGANISATION, Decision(f"key-{decision}", part_id, decision), "mei", NOW)
        part = part_by_id(connection, ORGANISATION, part_id)
        assert part is not None
        assert part.decision == "missed_defect"
        insert_frame(connection, make_record(2), None)
        part = part_by_id(connection, ORGANISATION, part_id)
        assert part is not None
        assert part.decision is None
        made = decisions_of(connection, ORGANISATION, part_id)
    assert [(one.decision, one.frame_id) for one in made] == [("confirm", f"{1:032x}"), ("missed_defect", f"{1:032x}")]


def test_another_organisation_sees_nothing(make_record: Callable[..., FrameRecord], database: Database) -> None:
    with database.write() as connection:
        part_id = insert_frame(connection, make_record(1), None).part_id
        assert list_parts(connection, "other", PartFilter(), None, 10) == []
        assert part_by_id(connection, "other", part_id) is None
        assert frame_by_id(connection, "other", f"{1:032x}") is None


def test_a_line_is_bound_or_named_as_unknown(database: Database) -> None:
    with database.write() as connection:
        bind_line(connection, "L1", "blob", who="test")
        assert list_lines(connection)[0].recipe == "blob"
        with pytest.raises(TrialsightError, match="there is no line L7"):
            bind_line(connection, "L7", "blob", who="test")


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (0.0, 1e-6), (0.0, 4e4), (-3.0, 2.0), (-3.0, -1.0), (0.0, 0.0)],
    ids=["unit", "tiny", "large", "some below 0", "all below 0", "all 0"],
)
def test_a_map_comes_back_within_half_a_code(low: float, high: float) -> None:
    scores = np.random.default_rng(0).uniform(low, high, (9, 13)).astype(np.float32)
    png, scale = encode_map(scores)
    codes = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert codes.dtype == np.uint16
    np.testing.assert_allclose(codes / 65535 * scale, np.clip(scores, 0, None), atol=scale / 65535 * 0.51)
    shallow = cv2.imdecode(np.frombuffer(to_8_bit(png), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(shallow / 255 * scale, np.clip(scores, 0, None), atol=scale / 255 * 0.51)
