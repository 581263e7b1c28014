from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from trialsight.home import Home
from trialsight.recipe import parse_recipe

Serve = Callable[..., AbstractContextManager[httpx.Client]]
RECIPE: dict[str, Any] = {
    "name": "bracket",
    "product": "支架",
    "view": {"width_px": 64, "height_px": 48, "scale": {"mm_per_px": 0.1}, "zones": {"A": {"rect": [0, 0, 20, 20]}}},
    "rules": [{"name": "none in A", "zone": "A", "where": [{"measure": "length_mm", "above": 0.5}]}],
}


def test_a_recipe_comes_back_as_it_was_and_a_change_is_a_new_version(promoted: Home, serve: Serve) -> None:
    with serve(promoted) as client:
        first = client.put("/v1/recipes/bracket", json=RECIPE).json()
        assert parse_recipe(first["content"]) == parse_recipe(RECIPE)
        assert first["version"] == parse_recipe(RECIPE).content_hash()
        again = client.put("/v1/recipes/bracket", json=client.get("/v1/recipes/bracket").json()["content"]).json()
        assert again == first

        changed = client.put("/v1/recipes/bracket", json={**RECIPE, "deadline_ms": 500}).json()
        assert changed["version"] != first["version"]
        assert client.get("/v1/recipes/bracket").json() == changed
        assert client.get(f"/v1/recipes/bracket?version={first['version']}").json() == first
        assert [one["version"] for one in client.get("/v1/recipes").json()] == [changed["version"]]
    with serve(promoted) as client:
        assert client.get("/v1/recipes/bracket").json() == changed


@pytest.mark.parametrize(
    ("name", "change", "detail"),
    [
        ("bracket", {"rules": [{"name": "r", "zone": "B"}]}, "zone 'B' is not among no zones"),
        ("bracket", {"colour": "red"}, "unknown field 'colour'"),
        ("bracket", {"deadline_ms": "soon"}, "deadline_ms: expected int"),
        ("other", {}, "calls itself 'bracket'"),
        ("bracket", {"view": {"width_px": 64, "height_px": 48, "roi": {"mask": "../../secret.png"}}}, "no PNG"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_with_the_fields_name(
    promoted: Home, serve: Serve, name: str, change: dict[str, Any], detail: str
) -> None:
    with serve(promoted) as client:
        answer = client.put(f"/v1/recipes/{name}", json={"name": "bracket", **change})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert detail in answer.json()["detail"]
        assert client.get(f"/v1/recipes/{name}").status_code == 404
