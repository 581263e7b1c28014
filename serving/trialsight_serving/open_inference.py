"""Tensors of the Open Inference Protocol version 2 (KServe's, Triton's): as JSON, or as binary behind the JSON.

https://github.com/kserve/open-inference-protocol and Triton's binary tensor data extension.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsight.detector import INPUT, OUTPUTS
from trialsight_serving.problems import Problem

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_BATCH = 64


@dataclass(frozen=True)
class InferRequest:
    """`frames`: (N, H, W, 3) uint8 RGB. `outputs`: name to whether it is wanted as binary, in the asked order."""

    id: str | None
    frames: NDArray[np.uint8]
    outputs: dict[str, bool]


def parse_request(body: bytes, header_length: str | None, size_px: tuple[int, int]) -> InferRequest:
    """`size_px`: (width, height) that the model takes. Raises Problem 400 naming what is wrong."""
    length = len(body)
    if header_length is not None:
        if not header_length.isdigit() or not 0 < int(header_length) <= len(body):
            raise _bad(f"{HEADER_LENGTH} is {header_length!r}, the body has {len(body)} bytes")
        length = int(header_length)
    try:
        said = json.loads(body[:length])
        inputs, name = said["inputs"], said["inputs"][0]["name"]
        shape, kind = [int(side) for side in inputs[0]["shape"]], inputs[0]["datatype"]
        binary_size = inputs[0].get("parameters", {}).get("binary_data_size")
        outputs = _wanted(said)
        identity = said.get("id")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise _bad(f"the request is not one of the protocol: {type(error).__name__} {error}") from error
    if len(inputs) != 1 or name != INPUT or kind != "UINT8":
        raise _bad(f"the model has one input, {INPUT!r} of UINT8; the request gives {name!r} of {kind}")
    width_px, height_px = size_px
    if len(shape) != 4 or shape[1:] != [height_px, width_px, 3] or not 1 <= shape[0] <= MAX_BATCH:
        wanted = f"[n, {height_px}, {width_px}, 3], n up to {MAX_BATCH}"
        raise _bad(f"{INPUT!r} has the shape {shape}, the model takes {wanted}")
    data = body[length:] if binary_size is not None else inputs[0].get("data")
    return InferRequest(None if identity is None else str(identity), _pixels(data, shape, binary_size), outputs)


def _wanted(said: dict[str, Any]) -> dict[str, bool]:
    by_default = said.get("parameters", {}).get("binary_data_output", False) is True
    asked = said.get("outputs") or [{"name": name} for name in OUTPUTS]
    wanted = {one["name"]: one.get("parameters", {}).get("binary_data", by_default) is True for one in asked}
    if unknown := [name for name in wanted if name not in OUTPUTS]:
        raise _bad(f"the model has no output {unknown[0]!r}; it has {', '.join(OUTPUTS)}")
    return wanted


def _pixels(data: object, shape: list[int], binary_size: object) -> NDArray[np.uint8]:
    count = int(np.prod(shape))
    if isinstance(data, bytes):
        if len(data) != count or binary_size != count:
            raise _bad(f"the shape {shape} is {count} bytes; {binary_size} were announced and {len(data)} came")
        return np.frombuffer(data, np.uint8).reshape(shape)
    try:
        values = np.asarray(data)
    except ValueError:
        values = np.empty(0)
    if values.size != count or values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
        raise _bad(f"'data' must be {count} whole numbers from 0 to 255, flat or nested as {shape}")
    return values.astype(np.uint8).reshape(shape)


def encode_answer(
    request: InferRequest, model: str, version: str, found: dict[str, NDArray[np.float32]]
) -> tuple[bytes, dict[str, str]]:
    """The body and its headers; binary tensors lie behind the JSON, in the order of its outputs."""
    tail, outputs = b"", []
    for name, binary in request.outputs.items():
        value = np.ascontiguousarray(found[name], dtype="<f4")
        one: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": list(value.shape)}
        if binary:
            tail += value.tobytes()
            one["parameters"] = {"binary_data_size": value.nbytes}
        else:
            one["data"] = value.ravel().tolist()
        outputs.append(one)
    said = {"model_name": model, "model_version": version, "outputs": outputs}
    if request.id is not None:
        said["id"] = request.id
    head = json.dumps(said, allow_nan=False).encode()
    if not tail:
        return head, {"Content-Type": "application/json"}
    return head + tail, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}


def _bad(detail: str) -> Problem:
    return Problem(400, "inference-request", "Not a valid inference request", detail, "see GET /v2/models/{name}")
