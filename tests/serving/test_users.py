"""People with accounts: made by administrators, let in by password, slowed down when they guess, thrown out at once."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.home import Home
from trialsight_serving.access import login
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.settings import Settings

Serve = Callable[..., httpx.Client]
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "correct horse battery"


@pytest.fixture
def keys(promoted: Home) -> dict[str, str]:
    return bootstrap(Settings(home=promoted.root))


@pytest.fixture
def client(promoted: Home, keys: dict[str, str], serve: Serve) -> Iterator[httpx.Client]:
    with serve(promoted) as client:
        yield client


@pytest.fixture
def administrator(keys: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys['administrator']}"}


def add(client: httpx.Client, headers: dict[str, str], name: str = "mei", role: str = "reviewer") -> str:
    made = client.post("/v1/users", json={"name": name, "role": role, "password": PASSWORD}, headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def log_in(client: httpx.Client, name: str = "mei", password: str = PASSWORD) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password}, headers=OWN_PAGE)


def test_the_first_key_ends_the_time_in_which_nobody_is_asked_for_one(promoted: Home, serve: Serve) -> None:
    with serve(promoted) as client:
        assert client.get("/v1/parts").status_code == 200
        key = bootstrap(Settings(home=promoted.root))["administrator"]
        assert client.get("/v1/parts").status_code == 401
        assert client.get("/v1/parts", headers={"X-API-Key": key}).status_code == 200
    with serve(promoted, open=True) as client:
        assert client.get("/v1/parts").status_code == 200, "but who says --open gets it"


def test_an_open_service_is_not_for_a_proxy_s_callers(shared: httpx.Client) -> None:
    answer = shared.get("/v1/parts", headers={"X-Forwarded-For": "203.0.113.9"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:trialsight:problem:not-local")


def test_a_user_logs_in_decides_under_their_name_and_is_gone_once_disabled(
    client: httpx.Client, administrator: dict[str, str], bad: bytes
) -> None:
    user_id = add(client, administrator)
    posted = client.post(
        "/v1/lines/L1/frames", content=bad, headers=administrator | {"Content-Type": "image/png"}
    ).json()
    assert log_in(client).status_code == 303
    assert client.get("/v1/me").json() == {
        "organisation": "default",
        "name": "mei",
        "role": "reviewer",
        "lines": None,
    }
    url = f"/v1/parts/{posted['part_id']}/decisions"
    assert client.post(url, json={"decision": "confirm"}).status_code == 403, "a page must say that it sent this"
    decided = client.post(url, json={"decision": "confirm"}, headers=OWN_PAGE)
    assert (decided.status_code, decided.json()["decided_by"]) == (201, "mei")
    assert client.get("/v1/users").status_code == 403
    changed = client.patch(f"/v1/users/{user_id}", json={"disabled": True}, headers=administrator)
    assert changed.json()["disabled_at"] is not None
    assert client.get("/v1/me").status_code == 401
    assert log_in(client).status_code == 401


def test_a_new_role_or_password_logs_out(client: httpx.Client, administrator: dict[str, str]) -> None:
    user_id = add(client, administrator)
    for change in ({"role": "engineer"}, {"password": "another long one"}):
        log_in(client, password=PASSWORD)
        assert client.get("/v1/me").status_code == 200
        client.patch(f"/v1/users/{user_id}", json=change, headers=administrator)
        assert client.get("/v1/me").status_code == 401
    assert log_in(client).status_code == 401
    assert log_in(client, password="another long one").status_code == 303
    assert client.get("/v1/me").json()["role"] == "engineer"


def test_logging_out_everywhere_ends_the_other_browser_too(client: httpx.Client, administrator: dict[str, str]) -> None:
    add(client, administrator)
    with httpx.Client(base_url=client.base_url) as other:
        log_in(client), log_in(other)
        assert other.get("/account").status_code == 200
        assert client.post("/logout", headers=OWN_PAGE).status_code == 303
        assert other.get("/v1/me").status_code == 200, "one browser's logout is its own"
        log_in(client)
        client.post("/logout?everywhere=true", headers=OWN_PAGE)
        assert other.get("/v1/me").status_code == 401


def test_people_change_their_own_password(client: httpx.Client, administrator: dict[str, str]) -> None:
    add(client, administrator)
    log_in(client)

    def change(old: str, new: str) -> int:
        return client.post("/account", data={"old": old, "new": new}, headers=OWN_PAGE).status_code

    assert change("a wrong one", "a new long one") == 401
    assert change(PASSWORD, "short") == 422
    assert change(PASSWORD, "a new long one") == 200
    assert client.get("/v1/me").status_code == 200, "this browser stays logged in"
    assert log_in(client).status_code == 401
    assert log_in(client, password="a new long one").status_code == 303


def test_whoever_guesses_waits_even_for_the_right_password(
    client: httpx.Client, administrator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "OF_AN_ACCOUNT", 3)
    monkeypatch.setattr(login, "OF_AN_ADDRESS", 5)
    add(client, administrator), add(client, administrator, "li")
    assert [log_in(client, password="guess").status_code for _ in range(4)] == [401, 401, 401, 429]
    blocked = log_in(client)
    assert blocked.status_code == 429
    assert 0 < int(blocked.headers["retry-after"]) <= 15 * 60
    assert log_in(client, "li").status_code == 303, "another account is not held up"
    assert [log_in(client, f"nobody{n}").status_code for n in range(3)] == [401, 401, 429], "but the address is"
    assert client.post("/login", data={"key": "ts_guess"}, headers=OWN_PAGE).status_code == 429


def test_an_unknown_name_costs_as_much_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch, promoted: Home) -> None:
    from trialsight_serving.access import passwords
    from trialsight_serving.store.database import open_database

    checked: list[str] = []
    real = passwords._HASHER.verify
    monkeypatch.setattr(
        passwords, "_HASHER", type("Hasher", (), {"hash": passwords._HASHER.hash, "verify": staticmethod(real)})()
    )
    monkeypatch.setattr(passwords._HASHER, "verify", lambda h, p: checked.append(h) or real(h, p))
    database = open_database(Settings(home=promoted.root))
    try:
        assert login.LoginDoor(database, 1).enter("default", "nobody", "a password", "127.0.0.1") is None
    finally:
        database.close()
    assert len(checked) == 1, "a hash of the same cost was checked all the same"


def test_only_hashes_of_passwords_sessions_and_keys_are_stored(
    client: httpx.Client, promoted: Home, administrator: dict[str, str]
) -> None:
    add(client, administrator)
    log_in(client)
    token = client.cookies["trialsight_session"]
    made = client.post("/v1/keys", json={"name": "a", "role": "camera"}, headers=administrator).json()["key"]
    with closing(sqlite3.connect(promoted.database)) as database:
        rows = "\n".join(database.iterdump())
    assert "argon2id" in rows
    assert all(secret not in rows for secret in (PASSWORD, token, made))


BAD_USERS = {
    "a short password": {"name": "li", "role": "reviewer", "password": "short"},
    "a camera": {"name": "li", "role": "camera", "password": PASSWORD},
    "no name": {"name": " ", "role": "reviewer", "password": PASSWORD},
    "a name with a control character": {"name": "l\u0000i", "role": "reviewer", "password": PASSWORD},
    "its own name as password": {"name": "chrysanthemum", "role": "reviewer", "password": "Chrysanthemum"},
    "a field that nobody knows": {"name": "li", "role": "reviewer", "password": PASSWORD, "organisation": "acme"},
}


@pytest.mark.parametrize("user", BAD_USERS.values(), ids=BAD_USERS.keys())
def test_users_that_cannot_be_are_refused(
    client: httpx.Client, administrator: dict[str, str], user: dict[str, str]
) -> None:
    answer = client.post("/v1/users", json=user, headers=administrator)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert client.get("/v1/users", headers=administrator).json() == []


def test_nobody_locks_themselves_out(client: httpx.Client, administrator: dict[str, str]) -> None:
    user_id = add(client, administrator, "boss", "administrator")
    assert add(client, administrator, "mei")
    assert (
        client.post(
            "/v1/users", json={"name": "mei", "role": "reviewer", "password": PASSWORD}, headers=administrator
        ).status_code
        == 409
    )
    log_in(client, "boss")
    for change in ({"disabled": True}, {"role": "reviewer"}):
        assert client.patch(f"/v1/users/{user_id}", json=change, headers=OWN_PAGE).status_code == 409


def test_keys_by_api_are_bound_to_lines_noted_when_used_and_revoked(
    client: httpx.Client,
    administrator: dict[str, str],
    bad: bytes,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    wanted = {"name": "camera of L1", "role": "camera", "lines": ["L1"], "expires_at": "2100-01-01T00:00:00Z"}
    key = client.post("/v1/keys", json=wanted, headers=administrator).json()["key"]
    other = client.post("/v1/keys", json=wanted | {"lines": ["L9"]}, headers=administrator).json()["key"]
    png = {"Content-Type": "image/png"}
    posted = client.post("/v1/lines/L1/frames", content=bad, headers=png | {"X-API-Key": key})
    assert posted.status_code == 200
    assert client.post("/v1/lines/L1/frames", content=bad, headers=png | {"X-API-Key": other}).status_code == 404
    for path in (posted.json()["image_url"], posted.json()["map_url"], f"/v1/frames/{posted.json()['id']}"):
        assert client.get(path, headers={"X-API-Key": key}).status_code == 200
        assert client.get(path, headers={"X-API-Key": other}).status_code == 404, "another line's camera"

    def listed() -> dict[str, object]:
        found = client.get("/v1/keys", headers=administrator).json()
        return next(one for one in found if one["lines"] == ["L1"])

    eventually(lambda: listed()["last_used_at"] is not None)
    revoked = client.delete(f"/v1/keys/{listed()['id']}", headers=administrator)
    assert revoked.json()["revoked_at"] is not None
    assert client.get("/v1/me", headers={"X-API-Key": key}).status_code == 401
    assert client.delete("/v1/keys/" + "0" * 32, headers=administrator).status_code == 404


def run(*words: object, **more: str) -> str:
    done = CliRunner().invoke(cli, [str(word) for word in words], **more)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_line_does_all_of_it(
    promoted: Home, serve: Serve, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    home = ("--home", promoted.root)
    made = json.loads(run("organisation", "add", "acme", "--name", "Acme", *home, "--json"))
    assert [one["id"] for one in json.loads(run("organisation", "list", *home, "--json"))] == ["acme", "default"]
    acme = (*home, "--organisation", "acme")
    run("user", "add", "mei", "--role", "engineer", "--password-stdin", *acme, input=f"{PASSWORD}\n")
    key = json.loads(run("key", "add", "camera of A1", "--line", "A1", "--days", "30", *acme, "--json"))["key"]
    listed = json.loads(run("key", "list", *acme, "--json"))
    assert [one["lines"] for one in listed] == [["A1"], None]
    with serve(promoted) as client:
        for secret, role in ((made["administrator"], "administrator"), (key, "camera")):
            me = client.get("/v1/me", headers={"X-API-Key": secret}).json()
            assert (me["organisation"], me["role"]) == ("acme", role)
        form = {"organisation": "acme", "name": "mei", "password": PASSWORD}
        assert "organisation" in client.get("/login").text
        assert client.post("/login", data=form).status_code == 303
        run("user", "set", "mei", "--disable", *acme)
        assert client.get("/v1/me").status_code == 401
        run("key", "revoke", listed[0]["id"], *acme)
        eventually(lambda: client.get("/v1/me", headers={"X-API-Key": key}).status_code == 401)
    assert "mei" in run("user", "list", *acme)
