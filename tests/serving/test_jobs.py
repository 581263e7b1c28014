"""Jobs through the API and the worker: queued once, followed, cancelled, resumed after a kill, failed with a reason."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.package import RECIPE
from trialsight.recipe import Recipe
from trialsight_serving.jobs.open import open_worker
from trialsight_serving.jobs.process import CancelledError, run_command
from trialsight_serving.store.jobs import update_job

FRAMES, PNG = "/v1/lines/L1/frames", {"Content-Type": "image/png"}
TRIALSIGHT = str(Path(sys.executable).with_name("trialsight"))


def decided(client: httpx.Client, data: bytes, part: str, decision: str, defect_class: str | None = None) -> str:
    part_id = client.post(FRAMES, content=data, headers=PNG, params={"part": part}).json()["part_id"]
    body = {"decision": decision} | ({"defect_class": defect_class} if defect_class else {})
    assert client.post(f"/v1/parts/{part_id}/decisions", json=body).status_code == 201
    return part_id


def test_a_retraining_is_asked_for_once_and_can_be_cancelled(promoted: Home, serve) -> None:
    with serve(promoted) as client:
        first = client.post("/v1/models/blob/retrain")
        assert first.status_code == 202
        job = first.json()
        assert first.headers["location"] == f"/v1/jobs/{job['id']}"
        assert (job["state"], job["kind"], job["recipe"]) == ("queued", "retrain", "blob")
        assert client.post("/v1/models/blob/retrain").json()["id"] == job["id"]
        assert [one["id"] for one in client.get("/v1/jobs", params={"recipe": "blob"}).json()] == [job["id"]]
        assert client.get(f"/v1/jobs/{job['id']}/report").json()["type"].endswith("not-yet")
        ended = client.post(f"/v1/jobs/{job['id']}/cancel").json()
        assert ended["state"] == "cancelled"
        assert client.post(f"/v1/jobs/{job['id']}/cancel").status_code == 409
        assert client.post("/v1/models/nothing/retrain").status_code == 404
        assert client.get(f"/v1/jobs/{'0' * 32}").status_code == 404


def test_without_decisions_there_is_nothing_to_learn(promoted: Home, serve, good: bytes) -> None:
    with serve(promoted) as client:
        client.post(FRAMES, content=good, headers=PNG)
        job_id = client.post("/v1/models/blob/retrain").json()["id"]
        with open_worker(promoted.root) as opened:
            assert opened.worker.run_next(threading.Event())
            assert not opened.worker.run_next(threading.Event())
        job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "failed"
    assert job["problem"].startswith("nobody decided about a frame of blob yet")


def test_labels_are_what_people_decided(promoted: Home, serve, frame) -> None:
    """The champion's set is unknown here, so the job ends behind the labels: they are what this is about."""
    with serve(promoted) as client:
        decided(client, frame(blob=0, seed=1), "fine", "confirm")
        decided(client, frame(blob=100, seed=2), "flagged", "confirm", "dent")
        decided(client, frame(blob=100, seed=3), "overkill", "overrule_good")
        escaped = decided(client, frame(blob=0, seed=4), "escape", "missed_defect")
        decided(client, frame(blob=30, seed=5), "unsure", "unsure")
        client.post(FRAMES, content=frame(blob=100, seed=6), headers=PNG, params={"part": "undecided"})
        frame_id = client.get(f"/v1/parts/{escaped}").json()["frames"][0]["id"]
        assert frame_id
        job_id = client.post("/v1/models/blob/retrain").json()["id"]
        with open_worker(promoted.root) as opened:
            opened.worker.run_next(threading.Event())
        job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["results"]["labels"]["frames"] == {"good": 2, "dent": 1, "defect": 1}
    assert job["results"]["labels"]["champion"] == "1"
    lines = Path(job["results"]["labels"]["path"]).read_text().splitlines()
    assert [(row["part"], row["label"]) for row in map(json.loads, lines)] == [
        ("fine", "good"),
        ("flagged", "dent"),
        ("overkill", "good"),
        ("escape", "defect"),
    ]
    assert all(
        (Path(job["results"]["labels"]["path"]).parent / row["image"]).is_file() for row in map(json.loads, lines)
    )
    assert job["state"] == "failed"
    assert "trialsight data import" in job["problem"]


def test_a_job_that_its_worker_left_is_taken_up_again(promoted: Home, serve, bad: bytes) -> None:
    with serve(promoted) as client:
        decided(client, bad, "flagged", "confirm", "dent")
        job_id = client.post("/v1/models/blob/retrain").json()["id"]
        stop = threading.Event()
        stop.set()  # as after the first step: the worker ends before the second
        with open_worker(promoted.root) as opened:
            opened.worker.run_next(stop)
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert (job["state"], list(job["results"]), job["attempts"]) == ("running", ["labels"], 1)
        with open_worker(promoted.root) as opened:
            opened.worker.run_next(threading.Event())
        job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["attempts"]) == ("failed", 2)
    entries = [entry["what"] for entry in _audit(promoted)]
    assert [what for what in entries if what.startswith("job.")] == ["job.queued", "job.ended"]


@pytest.mark.parametrize("says", ["manual", "automatic"])
def test_a_worker_promotes_only_where_the_recipe_says_so(
    promoted: Home, serve, register, write_package, record_compared, eventually, tmp_path: Path, says: str
) -> None:
    """The job was left behind its challenger; the rest of it goes through the same gate as anybody's promotion."""
    folder = write_package(tmp_path / "package")
    (folder / RECIPE).write_text(Recipe("blob", promotion=says).to_yaml())
    version = register(promoted, folder)
    earlier = ("labels", "set", "train", "compare", "escapes")
    with serve(promoted) as client:
        for refused in (True, False):
            job_id = client.post("/v1/models/blob/retrain").json()["id"]
            results = {step: {} for step in earlier} | {"challenger": {"version": version}}
            with open_worker(promoted.root) as opened:
                with opened.database.write() as connection:
                    update_job(connection, job_id, results=results)
                opened.worker.run_next(threading.Event())
            job = client.get(f"/v1/jobs/{job_id}").json()
            assert job["state"] == "done", job["problem"]
            outcome = job["results"]["promote"]
            if says == "manual":
                assert outcome == {"version": None}
            elif refused:
                assert "was not compared with champion 1" in outcome["why"]
            record_compared(promoted, "1", version)
        assert outcome["version"] == (version if says == "automatic" else None)
        expected = version if says == "automatic" else "1"
        eventually(lambda: client.get("/v1/models/blob").json()["model"]["version"] == expected)
        if says == "automatic":
            past = client.get("/v1/models/blob").json()["promotion"]
            assert past["approver"] == "recipe blob, asked by local"


def _audit(home: Home) -> list[dict[str, str]]:
    from trialsight_serving.settings import Settings
    from trialsight_serving.store.audit import entries
    from trialsight_serving.store.database import open_database

    database = open_database(Settings(home=home.root))
    try:
        with database.read() as connection:
            return [entry.to_json() for entry in entries(connection)]
    finally:
        database.close()


def test_a_home_has_one_worker_and_a_command_lets_it_do_the_work(promoted: Home) -> None:
    process = subprocess.Popen([TRIALSIGHT, "worker", "--home", str(promoted.root)], stderr=subprocess.DEVNULL)
    try:
        with open_worker(promoted.root) as opened:
            end = time.monotonic() + 60
            while opened.lock.lead():
                opened.lock.close()
                assert time.monotonic() < end, "the worker never took the lock"
                time.sleep(0.1)
        done = subprocess.run(
            [TRIALSIGHT, "retrain", "blob", "--home", str(promoted.root)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        assert "nobody decided about a frame of blob yet" in done.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_command_tells_its_progress_and_its_fault(tmp_path: Path) -> None:
    told: list[tuple[str, float | None]] = []
    log = tmp_path / "log.txt"
    words = [
        "data",
        "simulate",
        str(tmp_path / "set"),
        "--good",
        "2",
        "--test-good",
        "1",
        "--defects",
        "1",
        "--size",
        "128",
    ]
    made = run_command(words, log, 1, lambda step, share: told.append((step, share)), lambda: False)
    assert made["counts"]["train"] == {"good": 2}
    assert told[-1] == ("simulating", 1.0)
    assert "simulating: 8/8" in log.read_text()
    with pytest.raises(TrialsightError, match=r"`trialsight data` failed: .*is not a model package|.*exist"):
        run_command(["data", "check", str(tmp_path / "nothing")], log, 1, lambda *_: None, lambda: False)


def test_a_cancelled_command_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    words = ["data", "simulate", str(tmp_path / "set"), "--good", "5000"]
    with pytest.raises(CancelledError):  # once the first part is there
        run_command(words, tmp_path / "log.txt", 1, lambda *_: None, lambda: any(tmp_path.rglob("*.jpg")))
    assert (
        not (tmp_path / "set" / "train").exists() or len(list((tmp_path / "set" / "train" / "good").iterdir())) < 5000
    )
