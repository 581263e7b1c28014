"""The errors of the document: which each operation may answer with, in one shape, with an example of each."""

from collections.abc import Mapping
from typing import Any

from trialsight_serving.problems import MEDIA_TYPE, Problem

_PROBLEM = {"$ref": "#/components/schemas/ProblemOut"}

# What most operations share. Routes describe their own by `problems(…)`.
_SAID: dict[int, Problem] = {
    400: Problem(400, "bad-request", "Bad Request", "POST /v1/keys: There was an error parsing the body"),
    401: Problem(
        401,
        "key-needed",
        "A key is needed",
        "no key that is known and still good came with the request",
        "send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'",
    ),
    403: Problem(
        403, "role", "Not allowed", "camera of L1 is camera; this needs reviewer", "use a key with that role"
    ),
    404: Problem(404, "part-not-found", "No such part", "there is no part '5f0f7a3c1d2e4b6a8c9d0e1f2a3b4c5d'"),
    408: Problem(
        408, "body-timeout", "The body came too slowly", "the body did not arrive within 15 s", "send it again"
    ),
    409: Problem(409, "taken", "Taken", "there is a user mei already", "choose another name"),
    410: Problem(410, "file-gone", "The file is gone", "the store no longer holds it for this frame"),
    413: Problem(
        413, "body-too-large", "The body is too large", "at most 33554432 bytes are taken", "reduce the frame"
    ),
    415: Problem(415, "content-type", "Not an image type", "the body is said to be text/plain", "send image/png"),
    421: Problem(
        421,
        "host-not-served",
        "This host is not served here",
        "the service is open to this machine alone and was asked as 'example.org'",
        "use http://127.0.0.1, or make keys: trialsight bootstrap",
    ),
    422: Problem(
        422, "request-invalid", "The request is not valid", "query.limit: Input should be a valid integer",
        "see /openapi.json",
    ),
    429: Problem(
        429,
        "queue-full",
        "The line is busy",
        "line L1 has 32 frames waiting",
        "send it again after Retry-After, with the same Idempotency-Key",
        retry_after_ms=480,
    ),
    500: Problem(
        500,
        "internal",
        "Internal fault",
        "the service hit a fault of its own; nothing was stored for this request",
        "the service's log has the details",
    ),
    503: Problem(
        503,
        "store-unavailable",
        "The result can't be stored",
        "the store does not take the result; without it there is no verdict",
        "send it again after Retry-After, with the same Idempotency-Key",
    ),
    507: Problem(507, "storage-full", "The result can't be stored", "the disk is full", "make room on the disk"),
}  # fmt: skip
_RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}}


def problems(told: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: what each of its errors means there."""
    return {
        status: {"description": text, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}} for status, text in told.items()
    }


def shared() -> dict[str, Any]:
    """The document's `components.responses`."""
    return {str(status): _response(problem) for status, problem in _SAID.items()}


def add_errors(operation: dict[str, Any], path: str) -> None:
    """What the door and the request's checks answer, beside what the route says of itself."""
    responses = operation["responses"]
    given = operation.get("parameters", []) or operation.get("requestBody")
    wanted = {401, 403, 421, 500} if operation.get("security") != [] else set()
    wanted |= {404} if "{" in path else set()
    wanted |= {422} if given else set()
    wanted |= {400, 408, 413, 415} if "requestBody" in operation else set()
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]  # FastAPI's own form; `problems.install` gives every error ours
    for status in wanted:
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    for status, response in responses.items():
        content = response.get("content", {}).get(MEDIA_TYPE)
        if content is not None:
            content["example"] = _SAID[int(status)].body(path)
            if int(status) in (429, 503, 507):
                response["headers"] = _RETRY_AFTER
    operation["responses"] = dict(sorted(responses.items()))


def _response(problem: Problem) -> dict[str, Any]:
    content = {"schema": _PROBLEM, "example": problem.body("/v1/parts")}
    return {"description": problem.title, "content": {MEDIA_TYPE: content}}
