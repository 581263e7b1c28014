"""Open on loopback to this machine alone; beyond it, a key for everything and each role its own doors."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.access.keys import make_key
from trialsight_serving.access.principal import Role
from trialsight_serving.run import serve as run_service
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., httpx.Client]


@pytest.fixture
def keys(promoted: Home) -> dict[str, str]:
    """A key of each role, and one that has expired."""
    settings = Settings(home=promoted.root)
    made = bootstrap(settings)
    database = open_database(settings)
    with database.write() as connection:
        made["reviewer"] = make_key(connection, Role.REVIEWER, "Mei", who="test")
        yesterday = datetime.now(UTC) - timedelta(days=1)
        made["expired"] = make_key(connection, Role.ADMINISTRATOR, "old", expires_at=yesterday, who="test")
    database.close()
    return made


@pytest.fixture
def client(promoted: Home, keys: dict[str, str], serve: Serve) -> Iterator[httpx.Client]:
    with serve(promoted, host="0.0.0.0") as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


CLOSED = ("/v1/parts", "/v1/lines", "/v1/models", "/v1/stream", "/v1/frames/" + "0" * 32, "/metrics", "/openapi.json")


KEYLESS = {
    "no key": {},
    "a key that nobody has": bearer("ts_wrong"),
    "an empty key": {"X-API-Key": ""},
    "a password": {"Authorization": "Basic YTpi"},
}


@pytest.mark.parametrize("headers", KEYLESS.values(), ids=KEYLESS.keys())
def test_nothing_is_told_without_a_key(client: httpx.Client, headers: dict[str, str]) -> None:
    for path in CLOSED:
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/livez", "/readyz", "/login", "/static/style.css"):
        assert client.get(path, headers=headers).status_code == 200, path


def test_an_expired_key_is_no_key(client: httpx.Client, keys: dict[str, str]) -> None:
    assert client.get("/v1/parts", headers=bearer(keys["expired"])).status_code == 401
    assert client.get("/v1/parts", headers={"X-API-Key": keys["administrator"]}).status_code == 200


ROLES = {"administrator": (200, 201), "camera": (200, 403), "reviewer": (403, 201)}


@pytest.mark.parametrize(("role", "expected"), ROLES.items())
def test_each_role_has_its_own_doors(
    client: httpx.Client, keys: dict[str, str], bad: bytes, role: str, expected: tuple[int, int]
) -> None:
    first = client.post(FRAMES, content=bad, headers=PNG | bearer(keys["administrator"])).json()
    posted = client.post(FRAMES, content=bad, headers=PNG | bearer(keys[role]))
    url = f"/v1/parts/{first['part_id']}/decisions"
    decided = client.post(url, json={"decision": "confirm"}, headers=bearer(keys[role]))
    assert (posted.status_code, decided.status_code) == expected


def test_a_decision_names_who_made_it(client: httpx.Client, keys: dict[str, str], bad: bytes) -> None:
    part_id = client.post(FRAMES, content=bad, headers=PNG | bearer(keys["camera"])).json()["part_id"]
    made = client.post(
        f"/v1/parts/{part_id}/decisions", json={"decision": "unsure"}, headers=bearer(keys["reviewer"])
    ).json()
    assert made["decided_by"] == "Mei"


def test_a_browser_logs_in_with_a_key_and_out_again(client: httpx.Client, keys: dict[str, str]) -> None:
    page = {"Accept": "text/html"}
    sent = client.get("/", headers=page)
    assert sent.status_code == 303
    assert sent.headers["location"].endswith("/login?next=%2F")
    assert client.post("/login", data={"key": "ts_wrong", "next": "/"}).status_code == 401
    login = client.get("/login").text
    assert "<code>trialsight user add</code>" in login
    assert 'href="/models"' not in login, "it would lead back here"
    entered = client.post("/login", data={"key": keys["reviewer"], "next": "//evil.example/"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert keys["reviewer"] not in cookie
    assert "Mei" in client.get("/", headers=page).text
    assert client.get("/v1/parts").status_code == 200
    assert client.post("/logout").status_code == 403, "a cookie alone is not enough to change anything"
    assert client.post("/logout", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
    assert client.get("/v1/parts").status_code == 401


def test_a_camera_key_does_not_open_the_viewer(client: httpx.Client, keys: dict[str, str]) -> None:
    assert client.get("/", headers=bearer(keys["camera"])).status_code == 403


FOREIGN = {
    "another origin": {"Origin": "https://evil.example"},
    "no origin that it would name": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a neighbour": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_page_of_another_site_can_change_nothing(shared: httpx.Client, bad: bytes, headers: dict[str, str]) -> None:
    answer = shared.post(FRAMES, content=bad, headers=PNG | headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:trialsight:problem:cross-site")
    own = {"Origin": str(shared.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert shared.post(FRAMES, content=bad, headers=PNG | own).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_a_foreign_name_for_this_machine_is_refused(shared: httpx.Client, host: str) -> None:
    assert shared.get("/v1/parts", headers={"Host": host}).status_code == 421
    assert shared.get("/v1/parts", headers={"Host": "localhost:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1/parts", "/v1/nothing", "/static/part.js"])
def test_every_answer_carries_safe_headers(shared: httpx.Client, path: str) -> None:
    headers = shared.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_bootstrap_shows_the_first_keys_once(promoted: Home) -> None:
    runner = CliRunner()
    command = ["bootstrap", "--home", str(promoted.root), "--json"]
    first = runner.invoke(cli, command)
    made = json.loads(first.stdout)
    assert set(made) == {"administrator", "camera"}
    with pytest.raises(TrialsightError, match="first keys already"):
        bootstrap(Settings(home=promoted.root))
    raw = promoted.database.read_bytes()
    assert all(key.encode() not in raw for key in made.values()), "only hashes are stored"


def test_beyond_loopback_a_home_without_keys_does_not_start(promoted: Home) -> None:
    with pytest.raises(TrialsightError, match="trialsight bootstrap"):
        run_service(Settings(home=promoted.root, host="0.0.0.0", port=0))
