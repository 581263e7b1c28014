"""`/v1/models`: promotion, rollback and challenge over HTTP, and what the audit record keeps of them."""

from collections.abc import Callable

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.models.registry import Registry
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import entries
from trialsight_serving.store.database import open_database

RECIPE = "blob"
MODEL = f"/v1/models/{RECIPE}"
FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., httpx.Client]
Eventually = Callable[[Callable[[], bool]], None]


def verdict(client: httpx.Client, data: bytes) -> tuple[str, str]:
    answer = client.post(FRAMES, content=data, headers=PNG).json()
    return answer["verdict"], answer["model"]["version"]


def test_promoted_over_http_it_is_live_at_once_and_so_is_the_way_back(
    promoted: Home, serve: Serve, frame: Callable[..., bytes]
) -> None:
    doubtful = frame(blob=30)  # for review by version 1, a reject by version 2
    with serve(promoted, poll_s=60) as client:
        done = client.post(f"{MODEL}/promote", json={"version": "2", "reason": "stricter"})
        assert done.status_code == 200, done.text
        assert (done.json()["version"], done.json()["previous"]) == ("2", "1")
        assert [golden["problem"] for golden in done.json()["golden"]] == [None, None]
        assert verdict(client, doubtful) == ("reject", "2")
        states = {one["version"]: one["state"] for one in client.get(MODEL).json()["versions"]}
        assert states == {"1": "previous", "2": "live", "3": None}
        back = client.post(f"{MODEL}/rollback", json={"reason": "too strict"})
        assert (back.json()["version"], back.json()["previous"]) == ("1", "2")
        assert verdict(client, doubtful) == ("review", "1")
    assert Registry(promoted).aliases()[RECIPE] == {"champion": "1", "previous": "2"}
    database = open_database(Settings(home=promoted.root))
    with database.read() as connection:
        promoted_, back_ = list(entries(connection))[-2:]
    database.close()
    gate = promoted_.new.pop("gate")
    assert (promoted_.what, promoted_.who, promoted_.old) == ("model.promoted", "local", {"version": "1"})
    assert promoted_.new == {"version": "2", "reason": "stricter"}
    assert [(one["name"], one["case"], one["holds"]) for one in gate] == [
        ("golden", "right", True),
        ("escapes", "none", True),
        ("promise", "stated", True),
        ("comparison", "kept", True),
        ("approver", "named", True),
    ]
    assert (back_.what, back_.who) == ("model.rolled_back", "local")
    assert (back_.old, back_.new) == ({"version": "2"}, {"version": "1", "reason": "too strict"})


REFUSED = {
    "a failing golden frame": ("POST", "promote", {"version": "3", "reason": "x"}, 409, "gate-refused"),
    "no such version": ("POST", "promote", {"version": "9", "reason": "x"}, 404, "version-not-found"),
    "no such line": ("POST", "promote", {"version": "2", "reason": "x", "line": "L9"}, 409, "not-possible"),
    "no reason": ("POST", "promote", {"version": "2"}, 422, "request-invalid"),
    "nothing to go back to": ("POST", "rollback", {"reason": "x"}, 409, "not-possible"),
    "a challenger that fails": ("PUT", "challenger", {"version": "3", "reason": "x"}, 409, "gate-refused"),
    "the champion against itself": ("PUT", "challenger", {"version": "1", "reason": "x"}, 409, "not-possible"),
    "evidence of nobody": ("GET", "evidence", None, 404, "challenger-not-found"),
}


@pytest.mark.parametrize(("method", "action", "body", "status", "kind"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_changes_nothing(
    shared: httpx.Client, method: str, action: str, body: dict[str, str] | None, status: int, kind: str
) -> None:
    refused = shared.request(method, f"{MODEL}/{action}", json=body)
    assert (refused.status_code, refused.json()["type"]) == (status, f"urn:trialsight:problem:{kind}"), refused.text
    model = shared.get(MODEL).json()["model"]
    assert (model["version"], model["previous"], model["challenger"]) == ("1", None, None)


def test_an_unknown_recipe_is_not_found(shared: httpx.Client) -> None:
    assert shared.get("/v1/models/nothing").status_code == 404


def test_a_rollback_while_mlflow_is_away_holds_and_is_told_later(
    promoted: Home, serve: Serve, eventually: Eventually, frame: Callable[..., bytes]
) -> None:
    doubtful, store = frame(blob=30), promoted.root / "mlflow"
    with serve(promoted) as client:
        client.post(f"{MODEL}/promote", json={"version": "2", "reason": "stricter"})
        store.rename(store.with_name("away"))
        (promoted.root / "mlflow").write_text("the disk of the registry is gone")
        assert client.post(f"{MODEL}/rollback", json={"reason": "too strict"}).status_code == 200
        assert verdict(client, doubtful) == ("review", "1")
    with serve(promoted) as client:  # a restart, MLflow still away
        assert verdict(client, doubtful) == ("review", "1")
        (promoted.root / "mlflow").unlink()
        store.with_name("away").rename(store)
        eventually(lambda: Registry(promoted).champions()[RECIPE] == "1")
        assert client.get(MODEL).json()["model"]["previous"] == "2"
        assert verdict(client, doubtful) == ("review", "1")
