"""Usage counted by several processes at once, over days and months, and what retention takes away again."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from trialsight_serving.access.organisations import add_organisation
from trialsight_serving.store import audit, usage
from trialsight_serving.store.database import Database
from trialsight_serving.store.frames import FrameRecord, insert_frame
from trialsight_serving.store.images import name_of
from trialsight_serving.store.images.local import LocalImages
from trialsight_serving.store.review.masks import insert_mask
from trialsight_serving.store.tables import ORGANISATION, uncounted
from trialsight_serving.store.upkeep.recount import recount
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


def test_what_was_stored_before_it_was_counted_is_counted_once(
    database: Database, make_record: Make, tmp_path: Path
) -> None:
    images = LocalImages(tmp_path)
    files = [name_of(data) for data in (b"picture", b"map", b"mask")]
    for name, data in zip(files, (b"picture", b"map", b"mask"), strict=True):
        images.put(data, name)
    day = date(2026, 3, 4)
    at = datetime(2026, 3, 4, 23, tzinfo=UTC)
    with database.write() as connection:
        for number in (1, 2, 3):
            made = make_record(number, part=f"P-{number}", received_at=at, image_sha256=files[0], map_sha256=files[1])
            stored = insert_frame(connection, made, None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(usage, "today", lambda: day)
            insert_mask(connection, ORGANISATION, stored.part_id, stored.id, files[2], 0, "li", at, 0)
        rows = [("frames", f"{number:032x}") for number in (1, 2, 3)] + [("frames", "gone"), ("masks", "1")]
        connection.execute(uncounted.insert(), [{"kind": kind, "row_id": row} for kind, row in rows])
    assert recount(database, database.transact, images, 5) == len(rows)
    assert recount(database, database.transact, images, 5) == 0
    with database.read() as connection:
        then = usage_of(connection, ORGANISATION, day)
        assert (then.frames_today, then.stored_bytes) == (3, 3 * len(b"picturemap") + len(b"mask"))
        sizes = connection.execute(sa.text("SELECT stored_bytes FROM frames")).scalars().all()
        assert set(sizes) == {len(b"picturemap")}, "so retention gives that much back"
