"""Every door, as everybody: a route that is added without saying here who may use it fails the walk."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.access.keys import make_key
from trialsight_serving.access.oidc_settings import Oidc
from trialsight_serving.access.organisations import add_organisation
from trialsight_serving.access.principal import Role
from trialsight_serving.access.users import add_user
from trialsight_serving.app import create_app
from trialsight_serving.models.promotion import promote
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database
from trialsight_serving.store.drift import AlarmRecord, save_alarm
from trialsight_serving.store.lines import add_line

Serve = Callable[..., Any]
PNG = {"Content-Type": "image/png"}

PUBLIC = "public"  # nobody needs a key
ALL = frozenset({"camera", "bound", "reviewer", "engineer", "administrator"})
POSTING = frozenset({"camera", "bound", "engineer", "administrator"})
GRAPHS = frozenset({"camera", "engineer", "administrator"})
READING = frozenset({"reviewer", "engineer", "administrator"})
CHANGING = frozenset({"engineer", "administrator"})
RULING = frozenset({"administrator"})

# Route to: who of the home's own organisation may come in, and whether it concerns all organisations at once.
DOORS: dict[tuple[str, str], tuple[Any, bool]] = {
    ("GET", "/livez"): (PUBLIC, False),
    ("GET", "/readyz"): (PUBLIC, False),
    ("GET", "/login"): (PUBLIC, False),
    ("POST", "/login"): (PUBLIC, False),
    ("GET", "/login/oidc"): (PUBLIC, False),
    ("GET", "/login/oidc/back"): (PUBLIC, False),
    ("GET", "/static/{path}"): (PUBLIC, False),
    ("GET", "/openapi.json"): (ALL, False),
    ("POST", "/logout"): (ALL, False),
    ("GET", "/account"): (ALL, False),
    ("POST", "/account"): (ALL, False),
    ("GET", "/"): (READING, False),
    ("GET", "/triage"): (READING, False),
    ("GET", "/thresholds"): (READING, False),
    ("GET", "/wall"): (READING, False),
    ("GET", "/book"): (READING, False),
    ("PUT", "/v1/defect-classes/{name}"): (CHANGING, False),
    ("DELETE", "/v1/defect-classes/{name}"): (CHANGING, False),
    ("POST", "/v1/defect-classes/{name}/images"): (CHANGING, False),
    ("POST", "/v1/defect-classes/{name}/uploads"): (CHANGING, False),
    ("GET", "/v1/defect-classes/images/{image_id}"): (READING, False),
    ("DELETE", "/v1/defect-classes/images/{image_id}"): (CHANGING, False),
    ("GET", "/v1/selection/audit"): (READING, False),
    ("GET", "/v1/selection/informative"): (READING, False),
    ("GET", "/v1/wall"): (READING, False),
    ("GET", "/parts/{part_id}"): (READING, False),
    ("GET", "/metrics"): (READING, True),
    ("GET", "/v1/me"): (ALL, False),
    ("GET", "/v1/users"): (RULING, False),
    ("POST", "/v1/users"): (RULING, False),
    ("PATCH", "/v1/users/{user_id}"): (RULING, False),
    ("GET", "/v1/keys"): (RULING, False),
    ("POST", "/v1/keys"): (RULING, False),
    ("DELETE", "/v1/keys/{key_id}"): (RULING, False),
    ("GET", "/v1/organisations"): (RULING, True),
    ("POST", "/v1/organisations"): (RULING, True),
    ("GET", "/v1/usage"): (READING, False),
    ("PUT", "/v1/organisations/{organisation}/quota"): (RULING, True),
    ("GET", "/v1/lines"): (ALL, False),
    ("POST", "/v1/lines/{line}/frames"): (POSTING, False),
    ("GET", "/v1/lines/{line}/stream"): (ALL, False),
    ("GET", "/v1/stream"): (READING, False),
    ("GET", "/v1/frames/{frame_id}"): (ALL, False),
    ("GET", "/v1/frames/{frame_id}/image"): (ALL, False),
    ("GET", "/v1/frames/{frame_id}/thumbnail"): (ALL, False),
    ("GET", "/v1/frames/{frame_id}/map"): (ALL, False),
    ("GET", "/v1/frames/{frame_id}/reference"): (ALL, False),
    ("GET", "/v1/frames/{frame_id}/mask"): (READING, False),
    ("PUT", "/v1/frames/{frame_id}/mask"): (READING, False),
    ("GET", "/v1/defect-classes"): (READING, False),
    ("GET", "/v1/parts"): (READING, False),
    ("GET", "/v1/parts/{part_id}"): (READING, False),
    ("GET", "/v1/parts/{part_id}/labels"): (READING, False),
    ("POST", "/v1/parts/decisions"): (READING, False),
    ("POST", "/v1/parts/{part_id}/decisions"): (READING, False),
    ("PUT", "/v1/parts/{part_id}/hold"): (READING, False),
    ("DELETE", "/v1/parts/{part_id}/hold"): (READING, False),
    ("GET", "/v1/recipes"): (READING, False),
    ("GET", "/v1/recipes/{name}"): (READING, False),
    ("PUT", "/v1/recipes/{name}"): (CHANGING, False),
    ("GET", "/v1/recipes/{name}/thresholds"): (READING, False),
    ("PUT", "/v1/recipes/{name}/thresholds"): (CHANGING, False),
    ("GET", "/v1/recipes/{name}/scores"): (READING, False),
    ("PUT", "/v1/lines/{line}/cameras/{view}"): (POSTING, False),
    ("GET", "/v1/cameras"): (ALL, False),
    ("GET", "/v1/drift"): (READING, False),
    ("GET", "/v1/lines/{line}/drift"): (READING, False),
    ("POST", "/v1/lines/{line}/drift/alarms/{alarm_id}/acknowledge"): (READING, False),
    ("POST", "/v1/lines/{line}/drift/reference"): (CHANGING, False),
    ("GET", "/v1/models"): (READING, False),
    ("GET", "/v1/models/{recipe}"): (READING, False),
    ("GET", "/v1/models/{recipe}/gate"): (CHANGING, False),
    ("POST", "/v1/models/{recipe}/promote"): (CHANGING, False),
    ("POST", "/v1/models/{recipe}/rollback"): (CHANGING, False),
    ("PUT", "/v1/models/{recipe}/challenger"): (CHANGING, False),
    ("GET", "/v1/models/{recipe}/evidence"): (READING, False),
    ("GET", "/v1/models/{recipe}/disagreements"): (READING, False),
    ("POST", "/v1/models/{recipe}/retrain"): (CHANGING, False),
    ("GET", "/v1/jobs"): (READING, False),
    ("GET", "/v1/jobs/{job_id}"): (READING, False),
    ("POST", "/v1/jobs/{job_id}/cancel"): (CHANGING, False),
    ("GET", "/v1/jobs/{job_id}/log"): (CHANGING, False),
    ("GET", "/v1/jobs/{job_id}/report"): (READING, False),
    ("GET", "/models"): (READING, False),
    ("GET", "/drift"): (READING, False),
    ("GET", "/v1/outbox"): (RULING, True),
    ("GET", "/v2"): (GRAPHS, False),
    ("GET", "/v2/health/live"): (GRAPHS, False),
    ("GET", "/v2/health/ready"): (GRAPHS, False),
    ("GET", "/v2/models/{name}"): (GRAPHS, False),
    ("GET", "/v2/models/{name}/versions/{version}"): (GRAPHS, False),
    ("GET", "/v2/models/{name}/ready"): (GRAPHS, False),
    ("GET", "/v2/models/{name}/versions/{version}/ready"): (GRAPHS, False),
    ("POST", "/v2/models/{name}/infer"): (GRAPHS, False),
    ("POST", "/v2/models/{name}/versions/{version}/infer"): (GRAPHS, False),
}


def routes(router: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path of the app, those of included routers and of pages that OpenAPI doesn't show among them."""
    for route in router.routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from routes(included, prefix)
            continue
        path = prefix + route.path
        methods = getattr(route, "methods", None)
        if methods is None:  # a mount
            yield "GET", f"{path}/{{path}}"
        else:
            yield from ((method, path) for method in methods - {"HEAD", "OPTIONS"})


def test_every_route_says_who_may_use_it(home: Home) -> None:
    app = create_app(Settings(home=home.root, oidc=Oidc(issuer="https://login.example.com", client_id="trialsight")))
    found = set(routes(app))
    described = {
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert described <= found, "the walk misses none that the document tells of"
    assert found == set(DOORS)


@pytest.fixture(scope="module")
def world(promoted_template: Any, tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[Any]:
    """Two organisations, each with a champion of the same recipe, the same line, a part, a recipe and a user."""
    import shutil

    root = tmp_path_factory.mktemp("tenants") / "home"
    shutil.copytree(promoted_template, root)
    home, settings = Home.at(root), Settings(home=root)
    keys = {"default": bootstrap(settings)}
    with closing(open_database(settings)) as database, database.write() as connection:
        add_organisation(connection, "acme", "Acme", who="test")
        add_line(connection, "L1", organisation="acme", who="test")
        for organisation in ("default", "acme"):
            made = keys.setdefault(organisation, {})
            for role in Role:
                made[role.value] = make_key(connection, role, role, organisation=organisation, who="test")
            made["bound"] = make_key(connection, Role.CAMERA, "bound", None, organisation, ["L1"], who="test")
            made["elsewhere"] = make_key(connection, Role.CAMERA, "elsewhere", None, organisation, ["L9"], who="test")
            add_user(connection, organisation, "mei", Role.REVIEWER, "a long password", who="test")
    register_as_acme(home, home.package("blob", "1"))
    promote(home, "blob", "1", organisation="acme")
    with serve(home) as client:
        yield client, keys, home


def register_as_acme(home: Home, package: Any) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(home.tracking_uri, home.tracking_uri)
    number = client.create_experiment("acme.blob", (home.mlflow_artifacts / "acme.blob").as_uri())
    run_id = client.create_run(number).info.run_id
    client.log_artifacts(run_id, str(package), "package")
    client.create_registered_model("acme.blob")
    client.create_model_version("acme.blob", f"runs:/{run_id}/package", run_id)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def theirs(world: Any) -> dict[str, str]:
    """What belongs to the home's own organisation, by the name of the path parameter."""
    client, keys, home = world
    golden = home.package("blob", "1") / "golden"
    admin = bearer(keys["default"]["administrator"])
    for organisation in ("default", "acme"):
        wait_for_model(client, bearer(keys[organisation]["administrator"]))
    frame = client.post(
        "/v1/lines/L1/frames",
        content=(golden / "bad.png").read_bytes(),
        headers=PNG | admin,
        params={"part": "secret-part"},
    ).json()
    upload = client.post(
        "/v1/defect-classes/scratch/uploads?kind=example&note=secret",
        content=(golden / "bad.png").read_bytes(),
        headers=PNG | admin,
    )
    client.put("/v1/recipes/secret-recipe", json={"name": "secret-recipe"}, headers=admin)
    report = {"waiting_frames": 0, "waiting_bytes": 0, "lost": 0, "source": "secret camera"}
    assert client.put("/v1/lines/L1/cameras/default", json=report, headers=admin).status_code == 200
    job = client.post("/v1/models/blob/retrain", headers=admin).json()
    kept = home.jobs / job["id"]
    kept.mkdir(parents=True)
    for name in ("log.txt", "comparison.html"):
        (kept / name).write_text("secret")
    alarm = AlarmRecord(
        *("a" * 32, "default", "L1", "default", "secret-recipe", "1", 1, "lamp", []), now(), 1, now(), note="secret"
    )
    with closing(open_database(Settings(home=home.root))) as database, database.write() as connection:
        save_alarm(connection, alarm)
    return {
        "job_id": job["id"],
        "alarm_id": alarm.id,
        "frame_id": frame["id"],
        "part_id": frame["part_id"],
        "image_id": upload.json()["id"],
        "user_id": client.get("/v1/users", headers=admin).json()[0]["id"],
        "key_id": client.get("/v1/keys", headers=admin).json()[0]["id"],
        "line": "L1",
        "organisation": "default",
        "view": "default",
        "recipe": "secret-recipe",
        "name": "secret-recipe",
        "version": "1",
        "path": "style.css",
    }


def now() -> datetime:
    return datetime.now(UTC)


def wait_for_model(client: httpx.Client, headers: dict[str, str]) -> None:
    import time

    for _ in range(200):
        if client.get("/v1/models", headers=headers).json()["models"]:
            return
        time.sleep(0.05)
    pytest.fail("no model got live")


BODIES: dict[str, Any] = {  # what a changing route takes, so that it gets past its checks; deliberately harmless
    "POST /v1/users": {"name": "x", "role": "reviewer", "password": "short"},
    "POST /v1/keys": {"name": "x", "role": "nobody"},
    "POST /v1/organisations": {"id": "X"},
    "POST /v1/parts/{part_id}/decisions": {"decision": "unsure"},
    "PUT /v1/parts/{part_id}/hold": {"reason": "complaint"},
}


def ask(client: httpx.Client, method: str, path: str, ids: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    body = BODIES.get(f"{method} {path}", {})
    content = None if method == "GET" else json.dumps(body).encode()
    more = {} if content is None else {"Content-Type": "application/json"}
    with client.stream(method, path.format(**ids), content=content, headers=headers | more) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        return answer


@pytest.mark.parametrize("door", DOORS.keys(), ids=" ".join)
def test_who_may_come_in(world: Any, theirs: dict[str, str], door: tuple[str, str]) -> None:
    client, keys, _ = world
    method, path = door
    allowed, for_all = DOORS[door]
    nobody = ask(client, method, path, theirs, {})
    if allowed == PUBLIC:
        assert nobody.status_code not in (401, 403) or path == "/login"
        return
    assert nobody.status_code == 401
    assert nobody.headers["content-type"] == "application/problem+json"
    for role in sorted(ALL):
        if path == "/v1/keys/{key_id}" and role in allowed:
            continue  # it would revoke the key that the others need
        status = ask(client, method, path, theirs, bearer(keys["default"][role])).status_code
        assert (status == 403) is (role not in allowed), (role, status)
        foreign = ask(client, method, path, theirs, bearer(keys["acme"][role]))
        if role not in allowed or for_all:
            assert foreign.status_code == 403, (role, foreign.status_code)
        if foreign.status_code < 300 and not foreign.headers["content-type"].startswith("text/event-stream"):
            told = foreign.text
            assert all(theirs[one] not in told for one in ("frame_id", "part_id", "job_id")), "another tenant's ids"
            assert "secret" not in told, "another tenant's names"
        if "_id" in path and role in allowed:
            assert foreign.status_code in (404, 422), "another tenant's things are not there"
    elsewhere = ask(client, method, path, theirs, bearer(keys["default"]["elsewhere"]))
    if "{line}" in path or "frame_id" in path:
        assert elsewhere.status_code in (403, 404), "another line's camera"


def test_the_same_line_and_recipe_names_mean_each_organisation_s_own(world: Any, theirs: dict[str, str]) -> None:
    client, keys, home = world
    golden = home.package("blob", "1") / "golden"
    acme = bearer(keys["acme"]["administrator"])
    posted = client.post("/v1/lines/L1/frames", content=(golden / "good.png").read_bytes(), headers=PNG | acme)
    assert posted.status_code == 200, posted.text
    assert [one["part"] for one in client.get("/v1/parts", headers=acme).json()["parts"]] == [posted.json()["part"]]
    client.put("/v1/recipes/theirs", json={"name": "theirs"}, headers=acme)
    names = [one["name"] for one in client.get("/v1/recipes", headers=bearer(keys["default"]["reviewer"])).json()]
    assert names == ["secret-recipe"]
    assert (
        client.post("/v1/models/blob/promote", json={"version": "2", "reason": "better"}, headers=acme).status_code
        == 404
    )
    assert client.get("/v1/models", headers=acme).json()["models"][0]["version"] == "1"
    metrics = client.get("/metrics", headers=bearer(keys["default"]["administrator"])).text
    assert 'line="acme/L1"' in metrics


def test_an_organisation_made_while_the_service_runs_begins_empty(world: Any) -> None:
    client, keys, _ = world
    made = client.post(
        "/v1/organisations", json={"id": "young", "name": "Young"}, headers=bearer(keys["default"]["administrator"])
    )
    assert made.status_code == 201
    young = bearer(made.json()["administrator"])
    assert client.get("/v1/lines", headers=young).json() == []
    assert client.get("/v1/models", headers=young).json()["models"] == []
    assert client.get("/v1/parts", headers=young).json()["parts"] == []
    assert client.get("/v1/me", headers=young).json()["organisation"] == "young"
