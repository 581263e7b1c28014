"""Logging in through an OpenID provider that really runs: who comes in, as what, and who doesn't."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.access.oidc_settings import Oidc
from trialsight_serving.settings import Settings
from trialsight_serving.store import audit
from trialsight_serving.store.database import open_database

sys.path.insert(0, str(Path(__file__).parent))
import openid
from openid import CLIENT, SECRET, OpenId

Serve = Callable[..., Any]
ROLES = {"qa": "reviewer", "ml": "engineer", "it": "administrator"}
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def started() -> Iterator[OpenId]:
    with openid.running() as provider:
        yield provider


@pytest.fixture
def provider(started: OpenId) -> Iterator[OpenId]:
    claims = dict(started.claims)
    yield started
    started.claims, started.lie, started.signed_by = claims, {}, started.key


def settings(provider: OpenId, **more: Any) -> dict[str, Any]:
    return {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, "label": "Factory ID", **more}


@pytest.fixture(scope="module")
def world(promoted_template: Path, started: OpenId, serve: Serve, tmp_path_factory: Any) -> Iterator[Any]:
    """A service that registers whoever has a role, and its administrator's key."""
    import shutil

    root = tmp_path_factory.mktemp("oidc") / "home"
    shutil.copytree(promoted_template, root)
    key = bootstrap(Settings(home=root))["administrator"]
    oidc = settings(started, role_claim="realm_access.roles", roles=ROLES, register_users=True)
    with serve(Home.at(root), oidc=oidc) as client:
        yield client, {"X-API-Key": key}, Home.at(root)


@pytest.fixture
def client(world: Any) -> httpx.Client:
    found: httpx.Client = world[0]
    found.cookies.clear()
    return found


def log_in(client: httpx.Client, target: str = "/triage") -> httpx.Response:
    """To the provider and back, as a browser goes; gives the answer at the way's end."""
    started = client.get("/login/oidc", params={"next": target})
    assert started.status_code == 302, started.text
    sent = httpx.get(started.headers["location"], follow_redirects=False)
    assert sent.status_code == 302
    return client.get(sent.headers["location"], headers=PAGE)


def me(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/me").json()
    return found


def test_the_login_page_offers_it_in_both_languages(client: httpx.Client) -> None:
    page = client.get("/login?next=/triage").text
    assert ("Log in with Factory ID" in page, "/login/oidc?next=%2Ftriage" in page) == (True, True)
    assert "使用 Factory ID 登录" in client.get("/login?lang=zh").text


def test_whoever_has_a_role_comes_in_and_is_the_same_user_next_time(
    client: httpx.Client, world: Any, provider: OpenId
) -> None:
    provider.claims["realm_access"] = {"roles": ["staff", "qa", "ml"]}
    answer = log_in(client)
    assert answer.status_code == 200
    assert 'content="0;url=/triage"' in answer.text
    cookie = answer.headers["set-cookie"]
    assert ("HttpOnly" in cookie, "SameSite=strict" in cookie) == (True, True)
    assert me(client) == {"organisation": "default", "name": "mei", "role": "engineer", "lines": None}
    provider.claims |= {"realm_access": {"roles": ["qa"]}, "preferred_username": "mei-married"}
    assert log_in(client).status_code == 200
    assert (me(client)["name"], me(client)["role"]) == ("mei", "reviewer")
    users = client.get("/v1/users", headers=world[1]).json()
    assert [user["name"] for user in users] == ["mei"]
    client.patch(f"/v1/users/{users[0]['id']}", json={"disabled": True}, headers=world[1])
    assert client.get("/v1/me").status_code == 401
    assert log_in(client).status_code == 403
    client.patch(f"/v1/users/{users[0]['id']}", json={"disabled": False}, headers=world[1])
    with closing(open_database(Settings(home=world[2].root))) as database, database.read() as connection:
        told = [(entry.who, entry.what) for entry in audit.entries(connection) if entry.what.startswith("user.")]
    assert told[:2] == [("openid provider", "user.added"), ("openid provider", "user.changed")]


LIES: dict[str, dict[str, Any]] = {
    "another login's nonce": {"nonce": "of another login"},
    "no nonce": {"nonce": None},
    "expired": {"exp": int(time.time()) - 600},
    "never expires": {"exp": None},
    "for another client": {"aud": "another client"},
    "for another client, and says it was for us": {"aud": "another client", "azp": CLIENT},
    "for two, issued to the other": {"aud": [CLIENT, "other"], "azp": "other"},
    "of another issuer": {"iss": "http://localhost:1"},
    "nobody": {"sub": None},
    "no role of ours": {"realm_access": {"roles": ["visitor"]}},
    "no roles at all": {"realm_access": "qa"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_not_right_lets_nobody_in(client: httpx.Client, provider: OpenId, lie: dict[str, Any]) -> None:
    provider.claims |= {"realm_access": {"roles": ["qa"]}, "sub": "u-2", "preferred_username": "lin"}
    provider.lie = lie
    answer = log_in(client)
    assert answer.status_code == 403
    assert "Ask an administrator" in answer.text
    assert "trialsight_session" not in answer.headers.get("set-cookie", "")
    assert client.get("/v1/me").status_code == 401


def test_a_token_that_another_or_nobody_signed_lets_nobody_in(client: httpx.Client, provider: OpenId) -> None:
    provider.claims["realm_access"] = {"roles": ["qa"]}
    for key in (provider.foreign_key, None):
        provider.signed_by = key
        assert log_in(client).status_code == 403


def test_an_answer_to_another_question_lets_nobody_in(client: httpx.Client, provider: OpenId) -> None:
    provider.claims["realm_access"] = {"roles": ["qa"]}
    started = client.get("/login/oidc")
    back = httpx.get(started.headers["location"]).headers["location"]
    assert client.get(back.replace("state=", "state=x")).status_code == 403, "another state"
    client.cookies.clear()
    assert client.get(back).status_code == 403, "a browser that began no login"
    client.get("/login/oidc")
    assert client.get(back).status_code == 403, "an answer that another browser was given"
    assert client.get("/login/oidc/back", params={"error": "access_denied"}).status_code == 403
    assert log_in(client, "//evil.example").text.count("evil") == 0
    begun = client.get("/login/oidc")
    back = httpx.get(begun.headers["location"]).headers["location"]
    assert client.get(back).status_code == 200
    assert client.get(back).status_code == 403, "a second time"


def test_a_name_that_is_taken_is_never_taken_over(client: httpx.Client, world: Any, provider: OpenId) -> None:
    made = {"name": "root", "role": "administrator", "password": "a sentence is fine"}
    assert client.post("/v1/users", json=made, headers=world[1]).status_code == 201
    provider.claims |= {"realm_access": {"roles": ["it"]}, "sub": "u-9", "preferred_username": "root"}
    assert log_in(client).status_code == 403


def test_without_registering_only_those_come_in_whose_subject_is_known(
    promoted: Home, serve: Serve, provider: OpenId, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str, **more: Any) -> None:
        found = CliRunner().invoke(cli, [*words, "--home", str(promoted.root)], **more)
        assert found.exit_code == 0, found.output

    monkeypatch.setenv("TRIALSIGHT_OIDC__ISSUER", provider.issuer)
    monkeypatch.setenv("TRIALSIGHT_OIDC__CLIENT_ID", CLIENT)
    monkeypatch.setenv("TRIALSIGHT_OIDC__CLIENT_SECRET", SECRET)
    monkeypatch.setenv("TRIALSIGHT_OIDC__ORGANISATION_CLAIM", "company")
    run("organisation", "add", "acme")
    run("user", "add", "li", "--role", "engineer", "--organisation", "acme", "--subject", "u-7")
    run("user", "add", "wu", "--organisation", "acme", "--password-stdin", input="a sentence is fine\n")
    run("user", "set", "wu", "--organisation", "acme", "--subject", "u-8")
    with serve(promoted) as client:
        for sub, company, expected in (
            ("u-6", "acme", None),
            ("u-7", "default", None),
            ("u-7", "acme", "li"),
            ("u-8", "acme", "wu"),
        ):
            client.cookies.clear()
            provider.claims = {"sub": sub, "company": company}
            assert log_in(client).status_code == (200 if expected else 403), (sub, company)
            if expected:
                assert (me(client)["name"], me(client)["organisation"]) == (expected, "acme")


def test_an_administrator_adds_people_by_their_subject(
    client: httpx.Client, world: Any, provider: OpenId, promoted: Home, serve: Serve
) -> None:
    def add(http: httpx.Client, headers: dict[str, str], **given: str) -> httpx.Response:
        return http.post("/v1/users", json={"role": "engineer", **given}, headers=headers)

    made = add(client, world[1], name="chen", subject="u-20")
    assert made.status_code == 201, made.text
    assert (made.json()["subject"], made.json()["has_password"]) == (f"{provider.issuer}#u-20", False)
    assert add(client, world[1], name="chen2", subject="u-20").status_code == 422, "a subject lets one in"
    assert add(client, world[1], name="nobody").status_code == 422, "by which way?"
    assert add(client, world[1], name="long", subject="u" * 400).status_code == 422
    both = add(client, world[1], name="dai", password="a sentence is fine").json()
    assert (both["subject"], both["has_password"]) == (None, True)
    change = client.patch(f"/v1/users/{both['id']}", json={"subject": "u-21"}, headers=world[1])
    assert change.json()["subject"] == f"{provider.issuer}#u-21"
    listed = {user["name"]: user["subject"] for user in client.get("/v1/users", headers=world[1]).json()}
    assert (listed["chen"], listed["dai"]) == (made.json()["subject"], change.json()["subject"])
    for sub, name in (("u-20", "chen"), ("u-21", "dai")):
        client.cookies.clear()
        provider.claims |= {"sub": sub, "realm_access": {"roles": ["ml"]}, "preferred_username": "whoever"}
        assert log_in(client).status_code == 200
        assert (me(client)["name"], me(client)["role"]) == (name, "engineer")
    key = {"X-API-Key": bootstrap(Settings(home=promoted.root))["administrator"]}
    with serve(promoted) as without:
        refused = add(without, key, name="chen", subject="u-20")
    assert (refused.status_code, refused.json()["remedy"]) == (422, "set `oidc`, or give a password")


def test_a_provider_that_is_away_is_told_and_keys_still_work(promoted: Home, serve: Serve) -> None:
    key = bootstrap(Settings(home=promoted.root))["administrator"]
    oidc = {"issuer": "http://127.0.0.1:9", "client_id": CLIENT}
    with serve(promoted, oidc=oidc) as client:
        away = client.get("/login/oidc", headers=PAGE)
        assert (away.status_code, "does not answer" in away.text) == (503, True)
        assert client.get("/v1/me", headers={"X-API-Key": key}).status_code == 200


BAD = {
    "not over TLS": {"issuer": "http://login.example.com"},
    "roles without their claim": {"roles": ROLES},
    "whoever comes": {"register_users": True},
    "a role that people can't have": {"role_claim": "groups", "roles": {"x": "camera"}},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_settings_that_would_be_unsafe_are_refused(bad: dict[str, Any]) -> None:
    good = {"issuer": "https://login.example.com/realms/factory/", "client_id": CLIENT, "client_secret": SECRET}
    assert SECRET not in repr(Oidc.model_validate(good))
    with pytest.raises(ValidationError) as refused:
        Oidc.model_validate(good | bad)
    assert SECRET not in str(refused.value)
