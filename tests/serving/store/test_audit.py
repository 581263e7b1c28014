"""The audit record: what is changed is recorded with who and when, and any tampering with the record shows."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest
import sqlalchemy as sa

from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.models.promotion import promote, rollback
from trialsight_serving.settings import Settings
from trialsight_serving.store import audit
from trialsight_serving.store.audit.check import check_audit
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.tables import ORGANISATION

NOW = datetime(2026, 5, 1, 4, 0, 0, 250, tzinfo=UTC)
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., httpx.Client]


def fill(database: Database, count: int = 5, organisation: str = ORGANISATION) -> None:
    with database.write() as connection:
        for number in range(count):
            audit.record(connection, organisation, "mei", "thing.done", f"thing/{number}", None, {"划痕": number}, NOW)


def read(home: Home) -> list[audit.AuditEntry]:
    with closing(open_database(Settings(home=home.root))) as database, database.read() as connection:
        return list(audit.entries(connection))


def test_an_entry_reads_back_as_it_was_written_and_the_chain_holds(database: Database) -> None:
    fill(database, 3)
    fill(database, 2, "other")
    with database.read() as connection:
        found = list(audit.entries(connection, ORGANISATION))
        report = check_audit(connection)
    assert [entry.seq for entry in found] == [1, 2, 3]
    assert (found[1].new, found[1].at, found[1].previous) == ({"划痕": 1}, NOW, found[0].hash)
    assert (report.checked, report.problems) == (5, ())


def test_a_change_that_is_rolled_back_leaves_no_entry(database: Database) -> None:
    fill(database, 1)
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        audit.record(connection, ORGANISATION, "mei", "thing.done", "thing/9")
        _ = 1 / 0
    fill(database, 1)
    with database.read() as connection:
        assert check_audit(connection).problems == ()
        assert [entry.seq for entry in audit.entries(connection)] == [1, 2]


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_the_record(database: Database, statement: str) -> None:
    fill(database)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(sa.text(statement))


TAMPERED = {
    "who was changed": ("UPDATE audit SET who = 'nobody' WHERE seq = 2", "entry 2 .* was changed"),
    "what it became was changed": ("UPDATE audit SET new = '{}' WHERE seq = 3", "entry 3 .* was changed"),
    "when was changed": ("UPDATE audit SET at = '2020-01-01 00:00:00' WHERE seq = 3", "entry 3 .* was changed"),
    "one was taken out": ("DELETE FROM audit WHERE seq = 3", "entries 3 to 3 are gone"),
    "the first was taken out": ("DELETE FROM audit WHERE seq = 1", "entries 1 to 1 are gone"),
    "two changed places": (
        "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; "
        "UPDATE audit SET seq = 3 WHERE seq = 99",
        "entry 2 .* was changed",
    ),
    "the tail was cut off": ("DELETE FROM audit WHERE seq > 3", "entries 4 to 5 are cut off"),
    "all was cut off": ("DELETE FROM audit", "entries 1 to 5 are cut off"),
    "the head was moved back": ("UPDATE audit_heads SET seq = 4", "ends at entry 5, its head says 4"),
    "the head was taken out": ("DELETE FROM audit_heads", "lost its head row"),
    "it went to another organisation": (
        "UPDATE audit SET organisation_id = 'other' WHERE seq = 5",
        "entries 1 to 4 are gone",
    ),
}


def tamper(database: Database, statements: str) -> None:
    """As somebody who owns the database and takes the triggers away."""
    off = (
        "DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete"
        if database.is_sqlite
        else "ALTER TABLE audit DISABLE TRIGGER ALL"
    )
    with database.write() as connection:
        for statement in f"{off};{statements}".split(";"):
            connection.execute(sa.text(statement))


@pytest.mark.parametrize(("statements", "problem"), TAMPERED.values(), ids=TAMPERED.keys())
def test_tampering_shows(database: Database, statements: str, problem: str) -> None:
    fill(database)
    tamper(database, statements)
    with database.read() as connection:
        report = check_audit(connection)
    assert any(re.search(problem, found) for found in report.problems), report.problems


def test_a_history_that_was_written_anew_is_found_by_what_was_kept_outside(database: Database) -> None:
    fill(database)
    with database.read() as connection:
        kept = audit.heads(connection)
    tamper(database, "DELETE FROM audit; DELETE FROM audit_heads")
    fill(database, 3)  # as before, but shorter
    with database.read() as connection:
        assert check_audit(connection).problems == ()  # in itself it holds
        assert any("is gone" in problem for problem in check_audit(connection, kept).problems)
        assert any("expected hash" in problem for problem in check_audit(connection, (), kept[0].hash).problems)
    tamper(database, "DELETE FROM audit; DELETE FROM audit_heads")
    with database.write() as connection:
        for number in range(5):
            audit.record(connection, ORGANISATION, "mallory", "thing.done", f"thing/{number}")
    with database.read() as connection:
        assert any("history was rewritten" in problem for problem in check_audit(connection, kept).problems)


def test_each_change_is_recorded_with_who_what_and_from_what_to_what(home: Home, serve: Serve, bad: bytes) -> None:
    bootstrap(Settings(home=home.root))
    promote(home, "blob", "1")
    promote(home, "blob", "2")
    rollback(home, "blob")
    with serve(home, open=True) as client:
        part = client.post("/v1/lines/L1/frames", content=bad, headers=PNG, params={"part": "P-1"}).json()["part_id"]
        for decision in ("confirm", "unsure"):
            made = client.post(f"/v1/parts/{part}/decisions", json={"decision": decision, "note": "光斑"})
            assert made.status_code == 201
        assert client.put("/v1/recipes/plate", json={"name": "plate"}).status_code == 200
    found = read(home)
    assert [(entry.what, entry.subject) for entry in found[2:]] == [
        ("model.promoted", "model/blob"),
        ("line.bound", "line/L1"),
        ("model.promoted", "model/blob"),
        ("model.rolled_back", "model/blob"),
        ("part.decided", f"part/{part}"),
        ("part.decided", f"part/{part}"),
        ("recipe.saved", "recipe/plate"),
    ]
    assert [entry.what for entry in found[:2]] == ["key.made", "key.made"]
    rolled_back, changed_mind = found[5], found[7]
    assert (rolled_back.old, rolled_back.new["version"]) == ({"version": "2"}, "1")
    assert (changed_mind.who, changed_mind.old) == ("local", {"decision": "confirm"})
    assert changed_mind.new["decision"] == "unsure"
    assert "ts_" not in json.dumps([entry.to_json() for entry in found])
