"""An example for whatever has none of its own, made from its schema and the examples of its fields."""

from typing import Any

Schemas = dict[str, dict[str, Any]]  # the document's `components.schemas`

_ID = "0b8f2d3c9f6e4a61b3c5f1a2d4e6f708"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_WHEN = "2026-11-24T08:30:00Z"
# The same word means the same thing wherever it stands, so one table serves all of the document.
_BY_NAME: dict[str, Any] = {
    "added_by": "wang",
    "administrator": "ts_Zk3…",
    "asked_by": "mei",
    "based_on": _SHA256,
    "bulk": "4c1d9a7e55f0",
    "cameras": ["top"],
    "challenger": "4",
    "decided_by": "mei",
    "defect_class": "scratch",
    "description_en": "Longer than 2 mm on a face that is seen",
    "description_zh": "外观面上长于 2 毫米",
    "drawn_by": "mei",
    "frame_id": _ID,
    "graph_sha256": _SHA256,
    "hold": "complaint 2026-117",
    "id": _ID,
    "image_url": f"/v1/frames/{_ID}/image",
    "job_id": _ID,
    "key": "9f2c61d0b7",
    "key_id": _ID,
    "last_frame_id": _ID,
    "line": "L1",
    "lines": ["L1"],
    "mask_url": f"/v1/frames/{_ID}/mask",
    "model_version": "3",
    "name": "mei",
    "name_en": "Scratch",
    "name_zh": "划痕",
    "next": "182",
    "note": "a reflection",
    "organisation": "default",
    "outlines": ["M10 10L20 10L20 20Z"],
    "part": "P-1",
    "part_id": "5f0f7a3c1d2e4b6a8c9d0e1f2a3b4c5d",
    "problem": None,
    "progress": 0.4,
    "promise": "at most 5 % of good parts rejected, with 95 % confidence",
    "reason": "score 41.2 > t2 28.7",
    "recipe": "bracket",
    "results": {"set": {"version": "6f1d0c2ab9e4"}},
    "saved_by": "wang",
    "serial": "P-1",
    "sha256": _SHA256,
    "source": "rtsp://camera-1/stream",
    "trial": "T7",
    "undoes": None,
    "user_id": _ID,
    "variant": "A",
    "version": "3",
    "view": "default",
    "views": {"top": "bracket"},
}
_BY_FORMAT = {"date-time": _WHEN, "date": "2026-11-24"}


def example_of(schema: dict[str, Any], schemas: Schemas, name: str = "") -> Any:
    """Fits `schema`. `name`: the field's."""
    if "$ref" in schema:
        return example_of(schemas[_target(schema)], schemas, name)
    if "examples" in schema:
        return with_nulls(schema["examples"][0], schema, schemas)
    for key in ("example", "default", "const"):
        if schema.get(key) is not None:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if name in _BY_NAME and "properties" not in schema and "$ref" not in schema.get("items", {}):
        return _BY_NAME[name]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, name)
    return _by_type(schema, schemas)


def _by_type(schema: dict[str, Any], schemas: Schemas) -> Any:
    match schema.get("type"):
        case "object":
            return {name: example_of(one, schemas, name) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [example_of(one, schemas) for one in schema.get("prefixItems", [schema.get("items", {})])]
        case "string":
            return _BY_FORMAT.get(schema.get("format", ""), "text")
        case "integer":
            return max(1, schema.get("minimum", 0))
        case "number":
            return max(0.5, schema.get("minimum", 0))
        case "boolean":
            return False
    return None


def with_nulls(example: Any, schema: dict[str, Any], schemas: Schemas) -> Any:
    """FastAPI leaves whatever is None out of the document, and so out of the examples in it."""
    if "$ref" in schema:
        return with_nulls(example, schemas[_target(schema)], schemas)
    for one in schema.get("anyOf", []):
        if "$ref" in one and example is not None:
            return with_nulls(example, one, schemas)
    if isinstance(example, list):
        return [with_nulls(one, schema.get("items", {}), schemas) for one in example]
    if isinstance(example, dict) and "properties" in schema:
        required = dict.fromkeys(schema.get("required", []))
        given = {name: with_nulls(one, schema["properties"].get(name, {}), schemas) for name, one in example.items()}
        return {**required, **given}
    return example


def _target(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]
