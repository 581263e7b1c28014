"""`/openapi.json`: what FastAPI derives from the routes, with the keys, errors and examples that all of them share."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from trialsight_serving.access.guard import COOKIE
from trialsight_serving.openapi.errors import add_errors, shared
from trialsight_serving.openapi.examples import example_of, with_nulls
from trialsight_serving.problems import MEDIA_TYPE
from trialsight_serving.schemas.inspection import ProblemOut

_METHODS = ("get", "put", "post", "delete", "patch")
_WITHOUT_KEY = ("/livez", "/readyz")
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `trialsight key add`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of a browser that logged in"},
}
_TAGS = {
    "frames": "What cameras post, and what can be read of it later",
    "parts": "Parts, and what people decide about them",
    "labels": "What people teach: masks, classes, labels",
    "models": "Versions, promotion, rollback, the challenger",
    "jobs": "Work that takes minutes",
    "recipes": "How a variant is inspected",
    "lines": "The pilot lines",
    "stream": "Results as they come",
    "access": "Who may come in",
    "operation": "Probes, metrics, the outbox",
    "open inference protocol": "The graph's raw numbers, for KServe's and Triton's clients",
}


def operation_id(route: APIRoute) -> str:
    """The function's name; a second address of the same function says what it adds."""
    return f"{route.name}_of_version" if "{version}" in route.path_format else route.name


def install(app: FastAPI) -> None:
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is not None:
        return app.openapi_schema
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    made["security"] = [{name: []} for name in _SECURITY]
    components = made["components"]
    components["securitySchemes"], components["responses"] = _SECURITY, shared()
    schemas = components["schemas"]
    schemas["ProblemOut"] = ProblemOut.model_json_schema()
    for path, operations in made["paths"].items():
        for method in operations.keys() & set(_METHODS):
            operation = operations[method]
            if path in _WITHOUT_KEY:
                operation["security"] = []
            add_errors(operation, path)
            _add_examples(operation, schemas)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for schema in schemas.values():
        if "examples" in schema:
            schema["examples"] = [with_nulls(one, schema, schemas) for one in schema["examples"]]
    app.openapi_schema = made
    return made


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        _without_null(parameter["schema"])
        if parameter["required"] and "example" not in parameter:
            parameter["example"] = example_of(parameter["schema"], schemas, parameter["name"])
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in (*bodies, *operation["responses"].values()):
        for kind, content in body.get("content", {}).items():
            if kind != MEDIA_TYPE and kind.endswith("json") and "example" not in content:
                content["example"] = example_of(content["schema"], schemas)


def _without_null(schema: dict[str, Any]) -> None:
    """An address or a header holds text: what is not given is left out, never null."""
    if "anyOf" not in schema:
        return
    left = [one for one in schema["anyOf"] if one != {"type": "null"}]
    schema["anyOf"] = left
    if len(left) == 1:
        del schema["anyOf"]
        schema.update(left[0])
