"""Bodies that are not JSON, as the document describes them."""

from typing import Any

BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
IMAGES = ("image/jpeg", "image/png", "image/bmp", "image/tiff")


def file(description: str, *kinds: str, headers: dict[str, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers with bytes. `headers`: name to what it says, a number each."""
    said: dict[str, Any] = {"description": description, "content": dict.fromkeys(kinds, BINARY)}
    if headers:
        said["headers"] = {
            name: {"description": text, "schema": {"type": "number"}, "required": True}
            for name, text in headers.items()
        }
    return {200: said}


def text(description: str, kind: str, example: str) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers with plain text."""
    return {200: {"description": description, "content": {kind: {"schema": {"type": "string"}, "example": example}}}}
