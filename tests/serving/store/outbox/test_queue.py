"""The table of what waits, and its leader, on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from trialsight_serving.outbox.drainer import Drainer
from trialsight_serving.outbox.queue import drop_older, enqueue, oldest, waiting
from trialsight_serving.outbox.targets import WebhookTarget
from trialsight_serving.store import audit
from trialsight_serving.store.database import Database
from trialsight_serving.store.frames import FrameRecord, insert_frame
from trialsight_serving.store.upkeep.leader import Leader
from trialsight_serving.store.writer import Writer

Eventually = Callable[..., None]
Webhook = Callable[..., dict[str, Any]]
Targets = Callable[..., list[WebhookTarget]]


@pytest.fixture
def targets(webhook: Webhook) -> Targets:
    return lambda *names, **more: [WebhookTarget(**webhook("http://127.0.0.1:9/", name, **more)) for name in names]


def test_a_message_is_stored_with_its_result_or_not_at_all(
    database: Database, make_record: Callable[..., FrameRecord], targets: Targets
) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        enqueue(connection, insert_frame(connection, make_record(1), None), None, targets("a"))
        _ = 1 / 0
    with database.write() as connection:
        assert waiting(connection) == []
        stored = insert_frame(connection, make_record(2), None)
        enqueue(connection, stored, None, targets("a", "b") + targets("c", verdicts=["reject"]))
        assert [(one.target, one.count) for one in waiting(connection)] == [("a", 1), ("b", 1)]
        assert [message.result_id for message in oldest(connection, "a", "L1", 10)] == [stored.id]


def test_what_nobody_took_for_long_is_given_up_and_recorded(
    database: Database, make_record: Callable[..., FrameRecord], targets: Targets
) -> None:
    with database.write() as connection:
        stored = insert_frame(connection, make_record(1), None)
        enqueue(connection, stored, None, targets("a"))
        now = datetime.now(UTC)
        assert drop_older(connection, now - timedelta(hours=1)) == 0
        assert drop_older(connection, now + timedelta(hours=1)) == 1
        assert waiting(connection) == []
        (entry,) = audit.entries(connection)
    assert (entry.what, entry.subject, entry.old["results"]) == ("outbox.dropped", "target/a", [stored.id])


def test_one_process_leads_and_another_takes_over(database: Database, tmp_path: Path, eventually: Eventually) -> None:
    first, second = Leader(database, tmp_path / "lock", 7), Leader(database, tmp_path / "lock", 7)
    assert [first.lead(), second.lead(), first.lead()] == [True, False, True]
    first.close()
    eventually(second.lead)  # PostgreSQL gives a lock back when it notices that its connection has gone
    assert not first.lead()
    second.close()


def test_two_services_on_one_database_hand_on_in_order_and_once(
    database: Database,
    tmp_path: Path,
    make_record: Callable[..., FrameRecord],
    receiver: Any,
    eventually: Eventually,
    webhook: Webhook,
) -> None:
    target = WebhookTarget(**webhook(receiver.url))
    writers = [Writer(database), Writer(database)]
    drainers = [Drainer([target], database, writer, tmp_path / "lock") for writer in writers]
    for drainer in drainers:
        drainer.start()
    for number in range(30):

        def work(connection: sa.Connection, number: int = number) -> None:
            stored = insert_frame(connection, make_record(number, part=f"P-{number}"), None)
            enqueue(connection, stored, None, [target])

        writers[number % 2].submit(work).result()
        drainers[number % 2].wake()
    eventually(lambda: len(receiver.taken) >= 30)
    assert receiver.parts() == [f"P-{number}" for number in range(30)]
    assert [drainer.leading for drainer in drainers].count(True) == 1
    for drainer, writer in zip(drainers, writers, strict=True):
        drainer.close()
        writer.close()
