"""The OpenAPI document: complete, with examples that fit, and true of the running service as schemathesis sees it.

`TRIALSIGHT_SCHEMATHESIS=200` makes it 200 examples an operation, with coverage and stateful phases (half an hour).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.app import create_app
from trialsight_serving.settings import Settings

HERE = Path(__file__).parent
PROBLEM = "application/problem+json"
SHORT = ["--phases", "fuzzing", "--max-examples", "2"]
Content = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[Content]:
    """Whatever goes over the wire: (request or status, media type, its entry)."""
    bodies = {"request": operation.get("requestBody", {})} | operation["responses"]
    for what, body in bodies.items():
        found = document["components"]["responses"][what] if "$ref" in body else body
        for kind, entry in found.get("content", {}).items():
            yield what, kind, entry


def test_each_operation_says_what_it_takes_gives_and_refuses(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for name, operation in operations(document):
        assert operation.get("tags"), name
        assert operation.get("summary"), name
        errors = {status for status in operation["responses"] if status >= "400"}
        assert errors >= {"401", "403", "500"} or operation["security"] == [], name
        kinds = {(what, kind) for what, kind, _ in contents(document, operation)}
        succeeds = [status for status in operation["responses"] if status < "300"]
        assert all(status == "204" or any(what == status for what, _ in kinds) for status in succeeds), name
        assert all(kind == PROBLEM for what, kind in kinds if what in errors - {"503"}), name


def test_each_example_is_there_and_fits_its_schema(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for what, kind, entry in contents(document, operation):
            if entry["schema"].get("format") == "binary" or kind == "multipart/form-data":
                continue  # pictures and tensors
            assert "example" in entry, (name, what)
            assert '"text"' not in json.dumps(entry["example"]), f"{name} {what}: give the field an example"
            schema = entry["schema"] | {"components": document["components"]}
            assert jsonschema_rs.is_valid(schema, entry["example"]), (name, what, entry["example"])
        for parameter in operation.get("parameters", []):
            assert "example" in parameter or not parameter["required"], (name, parameter["name"])


def test_schemathesis_finds_nothing(
    promoted: Home, serve: Callable[..., httpx.Client], frame: Callable[..., bytes], tmp_path: Path
) -> None:
    key = bootstrap(Settings(home=promoted.root))["administrator"]
    folder = tmp_path / "frames"
    folder.mkdir()
    for suffix in ("png", "jpg", "bmp", "tiff"):
        for blob in (0, 100):
            (folder / f"{blob}.{suffix}").write_bytes(frame(blob=blob, suffix=f".{suffix}"))
    authorization = {"Authorization": f"Bearer {key}"}
    with serve(promoted) as client:
        body = (folder / "100.png").read_bytes()
        headers = authorization | {"Content-Type": "image/png"}
        posted = client.post("/v1/lines/L1/frames", content=body, headers=headers).json()
        ids = {"line": "L1", "recipe": "blob", "name": "blob"} | {
            name: posted[given] for name, given in {"frame_id": "id", "part_id": "part_id"}.items()
        }
        examples = os.environ.get("TRIALSIGHT_SCHEMATHESIS")
        command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
        command += ["--config-file", str(HERE / "schemathesis.toml"), "run", f"{client.base_url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {key}", "--exclude-path-regex", "stream$", "--seed", "1"]
        command += ["--continue-on-failure", *(["--max-examples", examples] if examples else SHORT)]
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"),
            "TRIALSIGHT_TEST_FRAMES": str(folder),
            "TRIALSIGHT_TEST_IDS": json.dumps(ids),
        }
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
        assert client.get("/livez").status_code == 200
