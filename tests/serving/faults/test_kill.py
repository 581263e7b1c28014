"""kill -9 at any moment: what was answered is there, once and whole. TRIALSIGHT_KILLS says how often (100 in full)."""

import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import Any

import httpx

from trialsight.home import Home

ORPHANS = {
    "a frame without its part": "SELECT id FROM frames WHERE part_id NOT IN (SELECT id FROM parts)",
    "a part without its frame": "SELECT id FROM parts WHERE last_frame_id NOT IN (SELECT id FROM frames)",
    "a key without its frame": "SELECT key FROM idempotency_keys WHERE frame_id NOT IN (SELECT id FROM frames)",
    "a frame without its key": "SELECT id FROM frames WHERE id NOT IN (SELECT frame_id FROM idempotency_keys)",
    "frames counted that aren't there, or the other way round": (
        "SELECT frames, bytes FROM (SELECT sum(frames) AS frames, sum(bytes) AS bytes FROM usage_by_day "
        "WHERE counted_by <> 'models') "
        "EXCEPT SELECT count(*), sum(stored_bytes) FROM frames"
    ),
    "a part seen twice": "SELECT part FROM frames GROUP BY part HAVING count(*) > 1",
}


def test_killed_under_load_it_has_everything_it_answered(
    promoted: Home,
    run_service: Callable[..., AbstractContextManager[Any]],
    pressing: Callable[..., AbstractContextManager[Any]],
    frame: Callable[..., bytes],
    counted: Callable[[str, int], int],
    record_property: Callable[[str, object], None],
) -> None:
    dice = random.Random(0)
    answered: list[dict[str, Any]] = []
    frames = [frame(blob=100 if number % 3 == 0 else 0, seed=number) for number in range(12)]
    ready_s = []
    for kill in range(counted("TRIALSIGHT_KILLS", 2)):
        with run_service(promoted) as running:
            ready_s.append(round(running.ready_s, 2))
            with pressing(running.url, frames, f"{kill}-") as seen:
                while len(seen.answers) < 5 or dice.random() < 0.8:
                    threading.Event().wait(0.05)
                running.process.kill()
            answered += seen.answers
            assert not seen.refused
    record_property("ready_s", ready_s)
    assert len({result["id"] for result in answered}) == len(answered)
    with run_service(promoted) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        for result in dice.sample(answered, min(len(answered), 300)):
            stored = client.get(f"/v1/frames/{result['id']}").json()
            assert all(stored[name] == result[name] for name in ("part", "verdict", "score", "regions"))
            assert client.get(result["image_url"]).status_code == 200
            assert client.get(result["map_url"]).status_code == 200
    with closing(sqlite3.connect(promoted.database)) as database:
        rows = database.execute("SELECT id, image_sha256, map_sha256 FROM frames").fetchall()
        found = {what: database.execute(query).fetchall() for what, query in ORPHANS.items()}
    assert {what: orphans for what, orphans in found.items() if orphans} == {}
    assert {result["id"] for result in answered} <= {row[0] for row in rows}
    files = {path.name for path in promoted.images.rglob("*") if path.is_file()}
    assert {name for row in rows for name in row[1:]} <= files, "a row without its files"
