"""What reviewers decide becomes a set version, a model and a challenger: by command line and HTTP, all real.

For an organisation that is not the home's own: the path of the home's own is the same with a shorter name."""

import json
from pathlib import Path

import httpx

RECIPE = """
name: plate
input: {size_px: 192}
detector: {bank_size: 600}
variants: []
"""


def test_decisions_become_the_next_model(run, serve, tmp_path: Path) -> None:
    home, first, later = tmp_path / "home", tmp_path / "plate", tmp_path / "later"
    words = ["--size", 192, "--good"]
    assert run("data", "simulate", first, *words, 10, "--test-good", 4, "--defects", 1).returncode == 0
    assert run("data", "simulate", later, *words, 1, "--test-good", 4, "--defects", 1, "--seed", 5).returncode == 0
    acme = ["--organisation", "acme", "--home", home]
    made = run("organisation", "add", "acme", "--home", home, "--json")
    headers = {"X-API-Key": json.loads(made.stdout)["administrator"]}
    (tmp_path / "plate.yaml").write_text(RECIPE)
    trained = run("train", "--data", first, "--recipe", tmp_path / "plate.yaml", *acme, "--json")
    assert trained.returncode == 0, trained.stderr
    assert run("line", "add", "L1", *acme).returncode == 0
    assert run("promote", "plate", 1, *acme, "--line", "L1").returncode == 0
    with serve(home) as url, httpx.Client(base_url=url, timeout=60, headers=headers) as client:
        decided = {}
        for path in sorted((later / "test").rglob("*.jpg")):
            truth, part = path.parent.name, f"{path.parent.name}-{path.stem}"
            answer = client.post(
                "/v1/lines/L1/frames",
                content=path.read_bytes(),
                headers={"Content-Type": "image/jpeg"},
                params={"part": part},
            ).json()
            said = answer["verdict"]
            if truth == "good":
                body = {"decision": "confirm" if said == "pass" else "overrule_good"}
            else:
                decision = "missed_defect" if said == "pass" else "confirm"
                body = {"decision": decision, "defect_class": truth}
            stored = client.post(f"/v1/parts/{answer['part_id']}/decisions", json=body)
            assert stored.status_code == 201, stored.text
            decided[part] = truth
        done = run("retrain", "plate", *acme, "--json")
        assert done.returncode == 0, done.stderr
        job = json.loads(done.stdout)
        results = job["results"]
        assert job["state"] == "done"
        assert sum(results["labels"]["frames"].values()) == len(decided)
        assert (results["set"]["added"], results["set"]["changed"]) == (len(decided), 0)
        assert (
            results["set"]["parent"]
            == json.loads((home / "packages" / "acme.plate" / "1" / "card.json").read_text())["provenance"][
                "dataset_sha256"
            ]
        )
        assert results["train"]["version"] == "2"
        compared = {one["name"] for one in results["compare"]["differences"]}
        assert {"image_auroc", "escape_rate"} <= compared
        again = results["escapes"]["again"]
        assert results["challenger"]["version"] == (None if again else "2")
        report = client.get(f"/v1/jobs/{job['id']}/report")
        assert report.status_code == 200
        assert "acme.plate/2" in report.text
        versions = client.get("/v1/models/plate").json()["versions"]
        assert {one["version"] for one in versions} == {"1", "2"}
        promoted = client.post("/v1/models/plate/promote", json={"version": "2", "reason": "retrained"})
        assert promoted.status_code == 200, promoted.text
        lines = {one["name"]: one["case"] for one in promoted.json()["gate"]["conditions"]}
        assert (lines["golden"], lines["comparison"]) == ("right", "kept")
        live = client.get("/v1/models/plate").json()["model"]
        assert (live["version"], live["previous"]) == ("2", "1")
    # Nobody has compared the old version with the new champion yet, so that is done first.
    back = run("promote", "plate", 1, *acme)
    assert "than champion 2 by more than 0.02" in back.stdout + back.stderr
