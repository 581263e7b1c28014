"""Promotion through the gate, and a running service that follows: without a restart, without MLflow, without harm."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from trialsight.card import Card
from trialsight.cli import app as cli
from trialsight.errors import TrialsightError
from trialsight.gate import run_gate
from trialsight.home import Home
from trialsight.inspector import Inspector
from trialsight.verdict import Verdict
from trialsight_serving.models.changes import GateError
from trialsight_serving.models.promotion import promote, rollback
from trialsight_serving.models.registry import Registry, RegistryError

RECIPE = "blob"
FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., httpx.Client]
Eventually = Callable[[Callable[[], bool]], None]


def champion(home: Home) -> str | None:
    return Registry(home).champions().get(RECIPE)


def live(client: httpx.Client) -> str | None:
    models = client.get("/v1/models").json()["models"]
    return models[0]["version"] if models else None


def without(verdict: Verdict) -> Callable[[Card], Card]:
    return lambda card: replace(card, golden=tuple(one for one in card.golden if one.verdict is not verdict))


def off_score(card: Card) -> Card:
    return replace(card, golden=tuple(replace(one, score=one.score * 1.5) for one in card.golden))


GATE = {
    "as trained": (lambda card: card, ()),
    "no golden frame that passes": (without(Verdict.PASS), ("no golden frame with the verdict pass",)),
    "no golden frame that is rejected": (without(Verdict.REJECT), ("no golden frame with the verdict reject",)),
    "scores that drifted": (off_score, ("golden frame good.png: score", "golden frame bad.png: score")),
}


@pytest.mark.parametrize(("change", "problems"), GATE.values(), ids=GATE.keys())
def test_the_gate(
    write_package: Callable[..., Path], tmp_path: Path, change: Callable[[Card], Card], problems: tuple[str, ...]
) -> None:
    report = run_gate(Inspector.load(write_package(tmp_path / "package", change=change)))
    assert report.ok == (not problems)
    assert len(report.problems) == len(problems)
    for found, expected in zip(report.problems, problems, strict=True):
        assert found.startswith(expected)


def test_promote_moves_the_alias_binds_the_line_and_keeps_a_local_copy(home: Home) -> None:
    first = promote(home, RECIPE, "1")
    assert (champion(home), first.previous, first.lines) == ("1", None, ("L1",))
    assert (home.package(RECIPE, "1") / "model.onnx").is_file()
    second = promote(home, RECIPE, "2")
    assert (champion(home), second.previous, second.lines) == ("2", "1", ())
    back = rollback(home, RECIPE)
    assert (champion(home), back.version, back.previous) == ("1", "1", "2")


def test_a_failing_golden_frame_leaves_the_champion(promoted: Home) -> None:
    with pytest.raises(GateError, match=r"bad\.png: expected pass, got reject"):
        promote(promoted, RECIPE, "3")
    assert champion(promoted) == "1"


REFUSED = {
    "no such version": ((RECIPE, "9", None), RegistryError, "has no version 9"),
    "no such recipe": (("nothing", "1", None), RegistryError, "recipe nothing has no version 1"),
    "no such line": ((RECIPE, "2", "L9"), TrialsightError, "there is no line L9"),
}


@pytest.mark.parametrize(("given", "error", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_promote_says_what_is_wrong_and_changes_nothing(
    promoted: Home, given: tuple[str, str, str | None], error: type[TrialsightError], said: str
) -> None:
    with pytest.raises(error, match=said):
        promote(promoted, *given)
    assert champion(promoted) == "1"


def test_rollback_needs_an_earlier_champion(promoted: Home) -> None:
    with pytest.raises(TrialsightError, match="no earlier champion"):
        rollback(promoted, RECIPE)


def test_promote_in_a_home_without_models_says_to_train(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="trialsight train"):
        promote(Home.at(tmp_path), RECIPE, "1")
    assert not (tmp_path / "mlflow").exists(), "looking must not make a store"


def test_the_command_prints_one_json_object(home: Home) -> None:
    result = CliRunner().invoke(cli, ["promote", RECIPE, "1", "--home", str(home.root), "--line", "L1", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["recipe"], said["version"], said["lines"]) == (RECIPE, "1", ["L1"])
    assert [frame["problem"] for frame in said["gate"]["results"]] == [None, None]


def test_a_service_takes_the_fastest_form_of_a_model_and_remembers_it(
    promoted: Home, serve: Serve, frame: Callable[..., bytes]
) -> None:
    with serve(promoted, fastest_runtime=True) as client:
        assert client.post(FRAMES, content=frame(), headers=PNG).json()["verdict"] == "pass"
    (choice,) = promoted.runtimes.iterdir()
    ways = [one["way"] for one in json.loads(choice.read_text())["tried"]]
    assert {"variant": "fp32", "engine": "onnxruntime", "threads": 1} in ways
    with serve(promoted, fastest_runtime=True) as client:
        assert client.post(FRAMES, content=frame(blob=90), headers=PNG).json()["verdict"] == "reject"
    assert list(promoted.runtimes.iterdir()) == [choice]


def test_a_running_service_takes_up_a_new_champion_and_goes_back(
    promoted: Home, serve: Serve, eventually: Eventually, frame: Callable[..., bytes]
) -> None:
    doubtful = frame(blob=30)  # for review by version 1, a reject by version 2
    with serve(promoted) as client:
        assert client.post(FRAMES, content=doubtful, headers=PNG).json()["verdict"] == "review"
        promote(promoted, RECIPE, "2")
        eventually(lambda: live(client) == "2")
        answer = client.post(FRAMES, content=doubtful, headers=PNG).json()
        assert (answer["verdict"], answer["model"]["version"], answer["thresholds"]["t2"]) == ("reject", "2", 25.0)
        assert client.get("/v1/models").json()["models"][0]["previous"] == "1"
        rollback(promoted, RECIPE)
        eventually(lambda: live(client) == "1")
        assert client.post(FRAMES, content=doubtful, headers=PNG).json()["verdict"] == "review"


def test_a_first_champion_makes_a_waiting_service_ready(
    home: Home, serve: Serve, eventually: Eventually, bad: bytes
) -> None:
    with serve(home) as client:
        assert client.get("/readyz").status_code == 503
        promote(home, RECIPE, "1")
        eventually(lambda: client.get("/readyz").status_code == 200)
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"


def test_a_champion_that_fails_the_gate_changes_nothing_and_is_visible(
    promoted: Home, serve: Serve, eventually: Eventually, bad: bytes
) -> None:
    with serve(promoted) as client:
        Registry(promoted).set_alias(RECIPE, "champion", "3")  # past our gate, say by another program
        eventually(lambda: client.get("/v1/models").json()["models"][0]["fault"] is not None)
        (model,) = client.get("/v1/models").json()["models"]
        assert model["version"] == "1"
        assert "version 3" in model["fault"]
        assert "bad.png" in model["fault"]
        assert "trialsight_model_faults 1.0" in client.get("/metrics").text
        assert client.post(FRAMES, content=bad, headers=PNG).json()["model"]["version"] == "1"
        assert client.get("/readyz").status_code == 200


def test_with_mlflow_away_the_service_starts_with_what_it_had(
    promoted: Home, serve: Serve, eventually: Eventually, bad: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with serve(promoted) as client:
        assert client.get("/readyz").status_code == 200
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"
        eventually(lambda: client.get("/v1/models").json()["registry_problem"] is not None)
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"


def test_a_damaged_local_copy_is_fetched_again(promoted: Home, serve: Serve) -> None:
    graph = promoted.package(RECIPE, "1") / "model.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-10])
    with serve(promoted) as client:
        assert live(client) == "1"
    assert graph.read_bytes() == whole


def test_a_damaged_local_copy_without_mlflow_gives_no_verdicts(
    promoted: Home, serve: Serve, bad: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{promoted.root}/nowhere/mlflow.db")
    graph = promoted.package(RECIPE, "1") / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-10])
    with serve(promoted) as client:
        assert client.post(FRAMES, content=bad, headers=PNG).status_code == 503
        assert client.get("/readyz").status_code == 503


def test_a_line_without_a_recipe_takes_the_only_one_and_asks_where_there_are_more(
    promoted: Home,
    serve: Serve,
    eventually: Eventually,
    register: Callable[..., str],
    write_package: Callable[..., Path],
    bad: bytes,
    tmp_path: Path,
) -> None:
    runner = CliRunner()
    where = ["--home", str(promoted.root)]
    with serve(promoted) as client:
        assert runner.invoke(cli, ["line", "add", "L2", *where]).exit_code == 0
        posted = client.post("/v1/lines/L2/frames", content=bad, headers=PNG)  # known at once, not at the next poll
        assert (posted.status_code, posted.json()["recipe"]) == (200, RECIPE)
        register(promoted, write_package(tmp_path / "other", "other"), "other")
        promote(promoted, "other", "1", "L1")
        eventually(lambda: len(client.get("/v1/models").json()["models"]) == 2)
        posted = client.post("/v1/lines/L2/frames", content=bad, headers=PNG)
        assert (posted.status_code, posted.json()["type"]) == (409, "urn:trialsight:problem:line-unbound")
        assert "trialsight line bind L2" in posted.json()["remedy"]
        assert runner.invoke(cli, ["line", "bind", "L2", "other", *where]).exit_code == 0
        eventually(lambda: client.post("/v1/lines/L2/frames", content=bad, headers=PNG).status_code == 200)
        lines = {line["name"]: line["recipe"] for line in client.get("/v1/lines").json()}
        assert lines == {"L1": "other", "L2": "other"}
