"""Usage counted by several processes at once, over days and months, and what retention takes away again."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from trialsight_serving.access.organisations import add_organisation
from trialsight_serving.store import audit, usage
from trialsight_serving.store.database import Database
from trialsight_serving.store.frames import FrameRecord, insert_frame
from trialsight_serving.store.tables import ORGANISATION
from trialsight_serving.store.upkeep.retention import Policy, remove_old
from trialsight_serving.store.usage import Quota, QuotaError, all_usage, count_frame, set_quota, usage_by_day, usage_of

Make = Callable[..., FrameRecord]


def test_days_months_and_processes_add_up(
    database: Database, make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as connection:
        add_organisation(connection, "acme", "Acme", who="test")
    counted = [  # when, by which process, of how many bytes
        (date(2026, 10, 31), "one", 10),
        (date(2026, 11, 1), "one", 20),
        (date(2026, 11, 1), "two", 30),
        (date(2026, 11, 2), "two", 40),
    ]
    for number, (day, process, size) in enumerate(counted):
        monkeypatch.setattr(usage, "today", lambda day=day: day)
        with database.write() as connection:
            count_frame(connection, process, make_record(number, stored_bytes=size), limited=True)
    monkeypatch.setattr(usage, "today", lambda: date(2026, 11, 1))
    with database.read() as connection:
        mine, theirs = usage_of(connection, ORGANISATION), usage_of(connection, "acme")
        assert (mine.frames_today, mine.frames_this_month, mine.stored_bytes) == (2, 2, 100)
        assert (theirs.frames_today, theirs.frames_this_month, theirs.stored_bytes) == (0, 0, 0)
        assert usage_of(connection, ORGANISATION, date(2026, 11, 30)).frames_this_month == 3
        assert [one.organisation for one in all_usage(connection)] == ["acme", "default"]
        days = [(one.day.day, one.frames, one.bytes) for one in usage_by_day(connection, ORGANISATION, 2)]
        assert days == [(2, 1, 40), (1, 2, 50), (31, 1, 10)]


def test_a_frame_beyond_the_quota_leaves_nothing(database: Database, make_record: Make) -> None:
    with database.write() as connection:
        set_quota(connection, ORGANISATION, Quota(frames_per_day=1, stored_bytes=100), who="root")
        set_quota(connection, ORGANISATION, Quota(frames_per_day=1, stored_bytes=100), who="root")
    for number, expected in ((1, []), (2, ["frames_per_day"])):
        try:
            with database.write() as connection:
                record = insert_frame(connection, make_record(number, part=f"P-{number}", stored_bytes=60), None)
                count_frame(connection, "one", record, limited=True)
        except QuotaError as error:
            assert error.usage.over() == [*expected, "stored_bytes"]
        else:
            assert expected == []
    with database.read() as connection:
        assert usage_of(connection, ORGANISATION).frames_today == 1
        assert connection.execute(sa.text("SELECT count(*) FROM frames")).scalar() == 1
        told = [entry for entry in audit.entries(connection) if entry.what == "quota.set"]
        assert [(one.who, one.old["frames_per_day"], one.new["frames_per_day"]) for one in told] == [("root", None, 1)]


def test_what_retention_deletes_is_room_again(database: Database, make_record: Make) -> None:
    old = datetime.now(UTC) - timedelta(days=40)
    for number, received_at in ((1, old), (2, datetime.now(UTC))):
        with database.write() as connection:
            made = make_record(number, part=f"P-{number}", received_at=received_at, stored_bytes=50)
            count_frame(connection, "one", insert_frame(connection, made, None), limited=False)
    remove_old(database.transact, Policy({"pass": timedelta(days=30)}))
    with database.read() as connection:
        left = usage_of(connection, ORGANISATION)
        assert (left.frames_today, left.stored_bytes) == (2, 50)
        assert [(one.bytes, one.removed_bytes) for one in usage_by_day(connection, ORGANISATION, 1)] == [(100, 50)]
