"""Open Inference Protocol version 2, so that KServe's and Triton's clients work unchanged.

It gives the graph's own numbers, without thresholds: no verdict, so nothing is stored and no part is recorded. Frames
come prepared (the card's width, height and crop). They wait in a queue of their own, as a line's do, and count towards
the organisation's quota.
"""

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Path, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from trialsight import __version__
from trialsight.detector import INPUT, OUTPUTS
from trialsight_serving.access.meter import check_frames, count_frames
from trialsight_serving.admission import Ticket, lane
from trialsight_serving.deps import GraphDep, ServiceDep
from trialsight_serving.models.manager import ModelManager
from trialsight_serving.models.shelf import LiveModel
from trialsight_serving.open_inference import HEADER_LENGTH, InferRequest, encode_answer, parse_request
from trialsight_serving.openapi.content import BINARY
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import Problem
from trialsight_serving.routes.body import read_limited
from trialsight_serving.routes.status import unready
from trialsight_serving.service import Service

router = APIRouter(prefix="/v2", tags=["open inference protocol"])
QUEUE = "/v2"  # no line can be called so: its name would not fit into an address
_Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["bracket"], description="The recipe")]
_Version = Annotated[str, Path(pattern=r"^[0-9]{1,9}$", examples=["3"])]
_PROBLEMS = problems(
    {
        400: "Not a valid inference request",
        404: "No such model, or it is not loaded",
        413: "Over the byte limit",
        429: "Too many wait, or the frame quota is used up; see Retry-After",
        503: "The deadline passed before its turn came",
    }
)
_TENSOR = {"name": INPUT, "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [128] * 12}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "datatype", "shape"],
                "properties": {
                    "name": {"const": INPUT},
                    "datatype": {"const": "UINT8"},
                    "shape": {
                        "type": "array",
                        "minItems": 4,
                        "maxItems": 4,
                        "items": {"type": "integer", "minimum": 1},
                    },
                    "data": {"type": "array", "description": "Flat or nested; left out where binary data follows"},
                    "parameters": {"type": "object"},
                },
            },
        },
        "outputs": {
            "type": "array",
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"enum": list(OUTPUTS)}}},
        },
        "parameters": {"type": "object"},
    },
}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The tensors, as JSON or as binary behind the JSON",
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {
                    "model_name": "bracket",
                    "model_version": "3",
                    "outputs": [{"name": "score", "datatype": "FP32", "shape": [1], "data": [12.5]}],
                },
            },
            "application/octet-stream": BINARY,
        },
    }
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _REQUEST, "example": {"id": "1", "inputs": [_TENSOR]}},
            "application/octet-stream": BINARY,
        },
    }
}


class TensorOut(BaseModel):
    """-1: any number."""

    name: str = Field(examples=["frame"])
    datatype: str = Field(examples=["UINT8"])
    shape: list[int] = Field(examples=[[-1, 256, 256, 3]])


class ModelMetadata(BaseModel):
    name: str = Field(examples=["bracket"])
    versions: list[str] = Field(examples=[["3"]])
    platform: str = Field(examples=["onnxruntime_onnx"])
    inputs: list[TensorOut]
    outputs: list[TensorOut]


class ServerMetadata(BaseModel):
    name: str = Field(examples=["trialsight"])
    version: str = Field(examples=["0.1.0"])
    extensions: list[str] = Field(examples=[["binary_tensor_data"]])


class LiveOut(BaseModel):
    live: bool = Field(examples=[True])


class ServerReady(BaseModel):
    ready: bool = Field(examples=[True])


class ModelReady(BaseModel):
    name: str = Field(examples=["bracket"])
    ready: bool = Field(examples=[True])


@router.get("", response_model=ServerMetadata)
async def server(who: GraphDep) -> ServerMetadata:  # noqa: ARG001 - a key is needed
    """What this server is."""
    return ServerMetadata(name="trialsight", version=__version__, extensions=["binary_tensor_data"])


@router.get("/health/live", response_model=LiveOut)
async def live(who: GraphDep) -> LiveOut:  # noqa: ARG001
    """Whether the process answers."""
    return LiveOut(live=True)


@router.get("/health/ready", response_model=ServerReady, responses={503: {"model": ServerReady}})
async def ready(service: ServiceDep, who: GraphDep, response: Response) -> ServerReady:  # noqa: ARG001
    """Whether the store answers and a model is live."""
    reason = await unready(service)
    response.status_code = 200 if reason is None else 503
    return ServerReady(ready=reason is None)


@router.get("/models/{name}", response_model=ModelMetadata)
@router.get("/models/{name}/versions/{version}", response_model=ModelMetadata)
async def metadata(name: _Name, service: ServiceDep, who: GraphDep, version: str | None = None) -> ModelMetadata:
    """Inputs and outputs of the live version, or of another loaded one."""
    model = _find(service.tenants.of(who.organisation), name, version)
    size, (rows, columns) = model.card.preparation, model.inspector.map_shape
    shapes = {"defect_map": [-1, rows, columns], "score": [-1]}
    return ModelMetadata(
        name=name,
        versions=[model.version],
        platform="onnxruntime_onnx",
        inputs=[TensorOut(name=INPUT, datatype="UINT8", shape=[-1, size.height_px, size.width_px, 3])],
        outputs=[TensorOut(name=output, datatype="FP32", shape=shapes[output]) for output in OUTPUTS],
    )


@router.get("/models/{name}/ready", response_model=ModelReady)
@router.get("/models/{name}/versions/{version}/ready", response_model=ModelReady)
async def model_ready(name: _Name, service: ServiceDep, who: GraphDep, version: str | None = None) -> ModelReady:
    """Whether it can be asked now; 404 where it is not loaded."""
    return ModelReady(name=_find(service.tenants.of(who.organisation), name, version).recipe, ready=True)


@router.post("/models/{name}/infer", responses=_ANSWER | _PROBLEMS, openapi_extra=_BODY)
@router.post("/models/{name}/versions/{version}/infer", responses=_ANSWER | _PROBLEMS, openapi_extra=_BODY)
async def infer(
    name: _Name,
    request: Request,
    service: ServiceDep,
    who: GraphDep,
    version: str | None = None,
    header_length: Annotated[str | None, Header(alias=HEADER_LENGTH)] = None,
    x_deadline_ms: Annotated[int | None, Header(ge=1, le=3_600_000)] = None,
) -> Response:
    """The graph's raw `defect_map` and `score`; nothing is judged or stored. Frames count as any line's do."""
    model = _find(service.tenants.of(who.organisation), name, version)
    deadline_s = (x_deadline_ms or model.card.deadline_ms) / 1000
    await check_frames(service, who.organisation)
    with service.admission.admit(lane(who.organisation, QUEUE), deadline_s) as ticket:
        body = await read_limited(request, service.settings.max_body_bytes, service.settings.body_timeout_s)
        size = model.card.preparation
        wanted = await asyncio.to_thread(parse_request, body, header_length, (size.width_px, size.height_px))
        found = await _run(service, model, ticket, wanted)
    await count_frames(service, who.organisation, len(wanted.frames))
    answer, headers = await asyncio.to_thread(encode_answer, wanted, name, model.version, found)
    return Response(answer, headers=headers)


async def _run(
    service: Service, model: LiveModel, ticket: Ticket, wanted: InferRequest
) -> dict[str, NDArray[np.float32]]:
    """Frame by frame, each in its turn, so that a batch takes no more of the workers than frames of a line do."""
    loop, maps, scores = asyncio.get_running_loop(), [], []
    for frame in wanted.frames:
        async with ticket.worker():
            if ticket.late:
                detail = "the deadline passed while the request waited for its turn"
                raise Problem(503, "late", "Too late", detail, "allow more time by X-Deadline-Ms")
            seen = await loop.run_in_executor(service.inspectors, model.inspector.run_graph, frame)
        maps.append(seen.defect_map)
        scores.append(seen.score)
    found = {"defect_map": np.stack(maps), "score": np.array(scores, np.float32)}
    if not all(np.isfinite(value).all() for value in found.values()):
        raise Problem(500, "not-finite", "The model failed", f"{model.recipe} gave values that are not finite numbers")
    return found


def _find(manager: ModelManager, name: str, version: str | None) -> LiveModel:
    for model in (manager.live(name), manager.challenger(name)):
        if model is not None and version in (None, model.version):
            return model
    which = f" version {version}" if version else ""
    detail = f"{name}{which} is not loaded"
    raise Problem(404, "model-not-found", "No such model", detail, "see GET /v1/models for those that are live")
