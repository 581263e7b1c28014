"""What is deleted to make room, and what never is."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from trialsight import cli
from trialsight.files import sha256_of
from trialsight.home import Home
from trialsight_serving.settings import Settings
from trialsight_serving.store import audit
from trialsight_serving.store.audit.check import check_audit
from trialsight_serving.store.database import Database
from trialsight_serving.store.frames import FrameRecord, frame_by_key, insert_frame
from trialsight_serving.store.images import name_of
from trialsight_serving.store.images.local import LocalImages
from trialsight_serving.store.parts import PartFilter, list_parts
from trialsight_serving.store.review.decisions import Decision, insert_decision
from trialsight_serving.store.review.holds import set_hold
from trialsight_serving.store.tables import ORGANISATION, frames
from trialsight_serving.store.upkeep.housekeeping import Housekeeping, policy_of
from trialsight_serving.store.upkeep.retention import Policy, remove_old, remove_oldest
from trialsight_serving.store.upkeep.space import Space

Make = Callable[..., FrameRecord]
Serve = Callable[..., httpx.Client]
NOW = datetime(2026, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def images(settings: Settings) -> LocalImages:
    return LocalImages(settings.paths.images)


def store(
    database: Database, images: LocalImages, record: FrameRecord, data: bytes | None = None, key: str | None = None
) -> FrameRecord:
    """A frame with its file, as old as the frame says."""
    data = data if data is not None else record.id.encode()
    name = name_of(data)
    images.put(data, name)
    os.utime(images.path(name), (record.received_at.timestamp(),) * 2)
    with database.write() as connection:
        return insert_frame(connection, replace(record, image_sha256=name), key)


def serials(database: Database) -> list[str]:
    with database.read() as connection:
        return [part.serial for part in list_parts(connection, ORGANISATION, PartFilter(), None, 1000)]


def fill(database: Database, images: LocalImages, make_record: Make) -> None:
    """Four verdicts, each 10, 40 and 400 days old, and a newest part that is a day old."""
    number = 0
    for days in (400, 40, 10):
        for verdict in ("pass", "review", "reject", "no_verdict"):
            number += 1
            part = f"{verdict}-{days}"
            store(database, images, make_record(number, part=part, verdict=verdict, received_at=NOW - days * DAY))
    store(database, images, make_record(99, part="newest", received_at=NOW - DAY))


def test_each_verdict_is_kept_for_its_own_time(database: Database, images: LocalImages, make_record: Make) -> None:
    fill(database, images, make_record)
    policy = Policy({"pass": 30 * DAY, "reject": 365 * DAY})
    told = remove_old(database.transact, policy, NOW, dry=True)
    assert (told.parts, told.frames, len(told.files)) == ({"pass": 2, "reject": 1}, 3, 3)
    assert len(serials(database)) == 13
    removed = remove_old(database.transact, policy, NOW)
    assert (removed.parts, removed.frames, removed.files) == (told.parts, told.frames, told.files)
    assert serials(database) == [
        "newest",
        *("no_verdict-10", "reject-10", "review-10", "pass-10"),
        *("no_verdict-40", "reject-40", "review-40"),
        *("no_verdict-400", "review-400"),
    ]
    with database.read() as connection:
        found = list(audit.entries(connection))
        assert check_audit(connection).problems == ()
    assert [(entry.what, entry.old["verdict"], len(entry.old["parts"])) for entry in found] == [
        ("retention.deleted", "pass", 2),
        ("retention.deleted", "reject", 1),
    ]


def test_what_somebody_said_something_of_stays(database: Database, images: LocalImages, make_record: Make) -> None:
    golden = b"a golden frame"
    old = NOW - 400 * DAY
    decided = store(database, images, make_record(1, part="decided", received_at=old))
    decided_before = store(database, images, make_record(2, part="decided of an earlier frame", received_at=old))
    held = store(database, images, make_record(3, part="held", received_at=old))
    released = store(database, images, make_record(4, part="released", received_at=old))
    store(database, images, make_record(5, part="golden", received_at=old), golden)
    store(database, images, make_record(6, part="forgotten", received_at=old), key="k")
    with database.write() as connection:
        for part in (decided, decided_before):
            insert_decision(connection, ORGANISATION, Decision(part.id, part.part_id, "confirm"), "mei", NOW)
        for part, reasons in ((held, ["why"]), (released, ["why", None])):
            for reason in reasons:
                assert set_hold(connection, ORGANISATION, part.part_id, reason, "mei")
        assert not set_hold(connection, "other", held.part_id, "why", "mei")
    store(database, images, make_record(7, part="decided of an earlier frame", received_at=old))
    store(database, images, make_record(8, part="newest", received_at=old))
    policy = Policy({"pass": DAY}, [name_of(golden)])
    assert remove_old(database.transact, policy, NOW).parts == {"pass": 2}
    assert serials(database) == ["newest", "decided of an earlier frame", "golden", "held", "decided"]
    with database.read() as connection:
        assert frame_by_key(connection, ORGANISATION, "L1", "k") is None
    store(database, images, make_record(9, part="again"), key="k")  # the key is free again


def test_a_file_goes_with_its_last_row(
    settings: Settings, database: Database, images: LocalImages, make_record: Make
) -> None:
    old = NOW - 400 * DAY
    store(database, images, make_record(1, part="one", received_at=old), b"shared")
    store(database, images, make_record(2, part="two", received_at=NOW - DAY), b"shared")
    store(database, images, make_record(3, part="three", received_at=old), b"alone")
    orphan = name_of(b"orphan")
    images.put(b"orphan", orphan)
    os.utime(images.path(orphan), (old.timestamp(),) * 2)
    store(database, images, make_record(4, part="newest", received_at=NOW), b"newest")
    keeper = housekeeping(settings.model_copy(update={"keep_days": {"pass": 30.0}}), database, images)
    assert keeper.once(NOW).parts == {"pass": 2}
    assert {file.sha256 for file in images.files()} == {name_of(b"shared"), name_of(b"newest")}
    keeper.once(NOW + 60 * DAY)
    assert {file.sha256 for file in images.files()} == {name_of(b"newest")}


def housekeeping(settings: Settings, database: Database, images: LocalImages) -> Housekeeping:
    return Housekeeping(settings, database, images, Space(images, settings.paths.root, 0), database.transact)


def test_a_short_disk_takes_the_oldest_and_what_says_least(
    database: Database, images: LocalImages, make_record: Make
) -> None:
    fill(database, images, make_record)
    left = [2]

    def enough() -> bool:
        left[0] -= 1
        return left[0] < 0

    removed = remove_oldest(database.transact, Policy({}), enough)
    assert removed.parts == {"pass": 3, "no_verdict": 3}
    assert "newest" in serials(database)


def test_a_wrong_clock_holds_nothing_up(database: Database, images: LocalImages, make_record: Make) -> None:
    """A frame from the future lies among old ones: those behind it go too."""
    for number in range(5):
        at = NOW + 900 * DAY if number == 1 else NOW - 400 * DAY
        store(database, images, make_record(number, part=f"P-{number}", received_at=at))
    assert remove_old(database.transact, Policy({"pass": DAY}), NOW).parts == {"pass": 3}
    assert serials(database) == ["P-4", "P-1"]


def test_many_parts_go_batch_by_batch(database: Database, images: LocalImages, make_record: Make) -> None:
    with database.write() as connection:
        for number in range(251):
            insert_frame(connection, make_record(number, part=f"P-{number}", received_at=NOW - 9 * DAY), None)
    assert remove_old(database.transact, Policy({"pass": DAY}), NOW).parts == {"pass": 250}
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(frames)).scalar() == 1


def test_the_planner_is_told_what_the_tables_hold(
    settings: Settings, database: Database, images: LocalImages, make_record: Make
) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL does it by itself")
    store(database, images, make_record(1, received_at=NOW))
    housekeeping(settings, database, images).once(NOW)
    with database.read() as connection:
        seen = connection.exec_driver_sql("SELECT idx FROM sqlite_stat1 WHERE tbl = 'parts'").scalars()
        assert {"ix_parts_verdict", "ix_parts_serial"} <= set(seen)


def test_the_packages_golden_frames_are_kept(promoted: Home) -> None:
    golden = {sha256_of(path) for path in promoted.packages.glob("*/*/golden/*")}
    assert golden
    assert policy_of(Settings(home=promoted.root)).golden == golden


def test_the_service_makes_room_by_itself_and_a_held_part_stays(
    promoted: Home, serve: Serve, frame: Callable[..., bytes], eventually: Callable[..., None]
) -> None:
    """`disk_keep_free_mb` that no disk has: all goes that may, once it is old enough."""
    with serve(promoted) as client:
        posted = []
        for number in range(4):
            answer = client.post(
                "/v1/lines/L1/frames", content=frame(seed=50 + number), headers=PNG, params={"part": f"P-{number}"}
            )
            posted.append(answer.json())
        held = client.put(f"/v1/parts/{posted[1]['part_id']}/hold", json={"reason": "complaint 7"})
        assert held.json() == {"reason": "complaint 7"}
        assert client.get(f"/v1/parts/{posted[1]['part_id']}").json()["hold"] == "complaint 7"
        assert client.put(f"/v1/parts/{'0' * 32}/hold", json={"reason": "x"}).status_code == 404
        assert client.put(f"/v1/parts/{posted[1]['part_id']}/hold", json={"reason": ""}).status_code == 422
    age(promoted, hours=2)
    with serve(promoted, disk_keep_free_mb=2**40, housekeeping_s=0.1) as client:
        eventually(lambda: len(client.get("/v1/parts").json()["parts"]) == 2)
        assert [part["part"] for part in client.get("/v1/parts").json()["parts"]] == ["P-3", "P-1"]
        eventually(lambda: len(list(promoted.images.glob("??/*"))) == 4)  # two images, two maps
        assert client.get(posted[1]["image_url"]).status_code == 200
        assert client.get(posted[0]["image_url"]).status_code == 404
        assert client.delete(f"/v1/parts/{posted[1]['part_id']}/hold").status_code == 204
        eventually(lambda: len(client.get("/v1/parts").json()["parts"]) == 1)


def age(home: Home, hours: float) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours)
    with closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute("UPDATE parts SET last_at = ?", (at.strftime("%Y-%m-%d %H:%M:%S.%f"),))
    for path in home.images.glob("??/*"):
        os.utime(path, (at.timestamp(),) * 2)


def trialsight(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("trialsight")), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environment)


def test_the_command_tells_before_it_deletes(
    promoted: Home, serve: Serve, frame: Callable[..., bytes], tmp_path: Path
) -> None:
    with serve(promoted) as client:
        for number in range(3):
            client.post(
                "/v1/lines/L1/frames", content=frame(seed=50 + number), headers=PNG, params={"part": f"P-{number}"}
            )
    age(promoted, hours=48)
    (tmp_path / "service.yaml").write_text("keep_days: {pass: 1}\n")
    given = {"TRIALSIGHT_CONFIG": str(tmp_path / "service.yaml")}
    told = trialsight("retention", "--home", str(promoted.root), "--dry-run", "--json", **given)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["bytes"] > 100
    assert (found["parts"], found["frames"], found["files"]) == ({"pass": 2}, 2, 4)
    assert len(list(promoted.images.glob("??/*"))) == 6
    done = trialsight("retention", "--home", str(promoted.root), **given)
    assert done.stdout == "deleted: 2 pass; 2 frames, 4 files\n"
    assert len(list(promoted.images.glob("??/*"))) == 2
    verified = trialsight("audit", "verify", "--home", str(promoted.root))
    assert verified.returncode == 0, verified.stdout
    assert "entries are as they were written" in verified.stdout


def command(*words: str) -> Any:
    """In this process: starting one takes longer than all that it does."""
    return CliRunner().invoke(cli.app, list(words))


def test_audit_verify_and_export_by_command(promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted, housekeeping_s=0.05) as client:
        part = client.post("/v1/lines/L1/frames", content=bad, headers=PNG).json()["part_id"]
        client.post(f"/v1/parts/{part}/decisions", json={"decision": "confirm", "note": "=HYPERLINK(划痕)"})
        while not promoted.audit_anchors.exists() or promoted.audit_anchors.read_text().count("\n") < 2:
            pass
    exported = [
        json.loads(line) for line in command("audit", "export", "--home", str(promoted.root)).stdout.splitlines()
    ]
    assert exported[-1]["what"] == "part.decided"
    content = {name: value for name, value in exported[-1].items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert name_of(text.encode()) == exported[-1]["hash"]
    table = command("audit", "export", "--csv", "--home", str(promoted.root)).stdout.splitlines()
    assert table[0].startswith("organisation_id,seq,at,who,what,subject,old,new,previous,hash")
    assert len(table) == len(exported) + 1
    good = command("audit", "verify", "--home", str(promoted.root), "--expect", exported[-1]["hash"])
    assert good.exit_code == 0, good.stdout
    missing = command("audit", "verify", "--home", str(promoted.root), "--expect", "f" * 64)
    assert (missing.exit_code, "no entry has the expected hash" in missing.stdout) == (1, True)
    with closing(sqlite3.connect(promoted.database)) as raw, raw:
        raw.executescript("DROP TRIGGER audit_no_delete; DELETE FROM audit; DELETE FROM audit_heads")
    tampered = command("audit", "verify", "--home", str(promoted.root), "--json")
    assert tampered.exit_code == 1
    assert any("anchored outside of the database and is gone" in one for one in json.loads(tampered.stdout)["problems"])
