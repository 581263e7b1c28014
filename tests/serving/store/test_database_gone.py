"""A PostgreSQL that goes away and comes back under a running service."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
from benchmarks.store.postgres import Postgres

from trialsight.home import Home

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}


def test_a_database_that_goes_away_costs_verdicts_and_nothing_that_was_answered(
    promoted: Home,
    serve: Callable[..., AbstractContextManager[httpx.Client]],
    own_postgres: Postgres,
    frame: Callable[..., bytes],
    eventually: Callable[..., None],
) -> None:
    own_postgres.execute("CREATE DATABASE line")

    def post(seed: int) -> httpx.Response:
        return client.post(FRAMES, content=frame(blob=100, seed=seed), headers=PNG, params={"part": f"P-{seed}"})

    with serve(promoted, database_url=own_postgres.url("line")) as client:
        eventually(lambda: client.get("/readyz").status_code == 200)
        assert post(1).json()["verdict"] == "reject"
        own_postgres.stop()
        refused = post(2)
        assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503
        own_postgres.start()
        eventually(lambda: post(3).status_code == 200)
        assert client.get("/readyz").status_code == 200
        assert {part["part"] for part in client.get("/v1/parts").json()["parts"]} == {"P-1", "P-3"}
