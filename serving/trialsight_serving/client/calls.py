"""Every call of the client, once: what is sent, and what its answer becomes. `client` makes methods of them."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter

from trialsight.verdict import Verdict
from trialsight_serving.schemas.access import MeOut
from trialsight_serving.schemas.book import DefectClassOut
from trialsight_serving.schemas.inspection import FrameOut, LineOut, PartDetail, PartPage, RecipeOut
from trialsight_serving.schemas.jobs import JobOut
from trialsight_serving.schemas.models import ModelDetail, ModelsOut, PromotionOut
from trialsight_serving.schemas.review import DecisionKind, DecisionOut, LabelsOut, MaskOut

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_REPORT_S = 5.0


@dataclass(frozen=True)
class Call(Generic[T]):
    """`repeatable`: sent twice, it does no more than once. `deadline_ms`: no try begins after it. `timeout_s`: for one
    try, None for the client's. `tries`: False for one that is not sent again."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    repeatable: bool = True
    deadline_ms: int | None = None
    timeout_s: float | None = None
    tries: bool = True


def me() -> Call[MeOut]:
    """Who the key stands for."""
    return Call("GET", "/v1/me", _one(MeOut))


def lines() -> Call[list[LineOut]]:
    return Call("GET", "/v1/lines", _many(LineOut))


def post_frame(
    line: str,
    data: bytes,
    content_type: str,
    *,
    part: str | None = None,
    view: str | None = None,
    trial: str | None = None,
    captured_at: datetime | None = None,
    deadline_ms: int | None = None,
    key: str | None = None,
) -> Call[FrameOut]:
    """Have a frame inspected. `key`: the Idempotency-Key, made up where it is left out; every try carries the same, so
    the frame is stored once. `deadline_ms`: how long its verdict is of use; the service doesn't begin later, and no try
    does. Raises ServiceError: refused for good (a broken image, say), or patience or deadline ended."""
    at = None if captured_at is None else captured_at.isoformat()
    headers = {"Content-Type": content_type, "Idempotency-Key": key or uuid.uuid4().hex}
    params = _given(part=part, view=view, trial=trial, captured_at=at)
    return Call(
        "POST",
        f"/v1/lines/{_in_path(line)}/frames",
        _one(FrameOut),
        params,
        headers,
        content=data,
        deadline_ms=deadline_ms,
    )


def frame(frame_id: str) -> Call[FrameOut]:
    return Call("GET", f"/v1/frames/{_in_path(frame_id)}", _one(FrameOut))


def image(frame_id: str) -> Call[bytes]:
    """The frame's own bytes, as they were posted."""
    return Call("GET", f"/v1/frames/{_in_path(frame_id)}/image", lambda response: response.content)


def defect_map(frame_id: str) -> Call[NDArray[np.float32]]:
    """(h, w) float32, higher is more defective."""
    return Call("GET", f"/v1/frames/{_in_path(frame_id)}/map", _map_of)


def parts(
    *,
    line: str | None = None,
    verdict: Sequence[Verdict | str] = (),
    trial: str | None = None,
    part: str | None = None,
    review: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    sort: str = "newest",
    after: str | None = None,
    limit: int = 50,
) -> Call[PartPage]:
    """One page, newest first or by score; `after`: the `next` of the page before."""
    times = {name: at.isoformat() for name, at in {"since": since, "until": until}.items() if at is not None}
    params = _given(line=line, trial=trial, part=part, review=review, sort=sort, after=after, limit=limit, **times)
    return Call("GET", "/v1/parts", _one(PartPage), params | {"verdict": [str(one) for one in verdict]})


def part(part_id: str) -> Call[PartDetail]:
    """A part with its frames and decisions."""
    return Call("GET", f"/v1/parts/{_in_path(part_id)}", _one(PartDetail))


def decide(
    part_id: str,
    decision: DecisionKind | str,
    *,
    note: str = "",
    defect_class: str | None = None,
    frame_id: str | None = None,
    undoes: str | None = None,
    key: str | None = None,
) -> Call[DecisionOut]:
    """Append a person's decision. `key`: as for frames."""
    body = {"decision": DecisionKind(decision).value, "note": note, "key": key or uuid.uuid4().hex}
    body |= _given(defect_class=defect_class, frame_id=frame_id, undoes=undoes)
    return Call("POST", f"/v1/parts/{_in_path(part_id)}/decisions", _one(DecisionOut), json=body)


def mask(frame_id: str) -> Call[NDArray[np.bool_]]:
    """(h, w) bool, True where a person drew a defect. ServiceError 404: nobody drew one."""
    return Call("GET", f"/v1/frames/{_in_path(frame_id)}/mask", _mask_of)


def save_mask(frame_id: str, drawn: NDArray[np.bool_]) -> Call[MaskOut]:
    """`drawn`: (h, w) bool of the frame's size, True where it is defective; all False: there is no defect."""
    png = cv2.imencode(".png", drawn.astype(np.uint8) * 255)[1].tobytes()
    return Call(
        "PUT",
        f"/v1/frames/{_in_path(frame_id)}/mask",
        _one(MaskOut),
        headers={"Content-Type": "image/png"},
        content=png,
    )


def labels(part_id: str) -> Call[LabelsOut]:
    """What people made of a part: good or defective, of which class, and where."""
    return Call("GET", f"/v1/parts/{_in_path(part_id)}/labels", _one(LabelsOut))


def defect_classes() -> Call[list[DefectClassOut]]:
    return Call("GET", "/v1/defect-classes", _many(DefectClassOut))


def models() -> Call[ModelsOut]:
    return Call("GET", "/v1/models", _one(ModelsOut))


def model(recipe: str) -> Call[ModelDetail]:
    return Call("GET", f"/v1/models/{_in_path(recipe)}", _one(ModelDetail))


def promote(recipe: str, version: str, reason: str, *, line: str | None = None) -> Call[PromotionOut]:
    """Make a version the champion, if its golden frames get the verdicts they must. Not sent twice where the answer
    was lost: look at `model` then."""
    body = _given(version=version, reason=reason, line=line)
    return Call("POST", f"/v1/models/{_in_path(recipe)}/promote", _one(PromotionOut), json=body, repeatable=False)


def roll_back(recipe: str, reason: str) -> Call[PromotionOut]:
    """Bring back the champion before this one. Not sent twice where the answer was lost."""
    path = f"/v1/models/{_in_path(recipe)}/rollback"
    return Call("POST", path, _one(PromotionOut), json={"reason": reason}, repeatable=False)


def retrain(recipe: str) -> Call[JobOut]:
    """Have the worker learn from what people decided; while a retraining of the recipe is open, that one is given."""
    return Call("POST", f"/v1/models/{_in_path(recipe)}/retrain", _one(JobOut))


def jobs(recipe: str | None = None, *, limit: int = 50) -> Call[list[JobOut]]:
    """Newest first."""
    return Call("GET", "/v1/jobs", _many(JobOut), _given(recipe=recipe, limit=limit))


def job(job_id: str) -> Call[JobOut]:
    return Call("GET", f"/v1/jobs/{_in_path(job_id)}", _one(JobOut))


def cancel_job(job_id: str) -> Call[JobOut]:
    """A waiting job ends at once, a running one soon. ServiceError 409: it has ended already."""
    return Call("POST", f"/v1/jobs/{_in_path(job_id)}/cancel", _one(JobOut))


def job_log(job_id: str) -> Call[str]:
    """What its commands said so far. ServiceError 404: nothing yet."""
    return Call("GET", f"/v1/jobs/{_in_path(job_id)}/log", lambda response: response.text)


def job_report(job_id: str) -> Call[str]:
    """The comparison with the champion, a page of HTML. ServiceError 404: not yet."""
    return Call("GET", f"/v1/jobs/{_in_path(job_id)}/report", lambda response: response.text)


def recipes() -> Call[list[RecipeOut]]:
    return Call("GET", "/v1/recipes", _many(RecipeOut))


def save_recipe(name: str, content: dict[str, Any]) -> Call[RecipeOut]:
    return Call("PUT", f"/v1/recipes/{_in_path(name)}", _one(RecipeOut), json=content)


def report_camera(line: str, view: str, report: dict[str, Any]) -> Call[datetime]:
    """How a camera's agent is; the service's time. Tried once."""
    path = f"/v1/lines/{_in_path(line)}/cameras/{_in_path(view)}"
    return Call("PUT", path, _now_of, json=report, timeout_s=_REPORT_S, tries=False)


def _one(kind: type[M]) -> Callable[[httpx.Response], M]:
    return lambda response: kind.model_validate_json(response.content)


def _many(kind: type[M]) -> Callable[[httpx.Response], list[M]]:
    return lambda response: TypeAdapter(list[kind]).validate_json(response.content)  # type: ignore[valid-type]


def _map_of(response: httpx.Response) -> NDArray[np.float32]:
    codes = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert codes is not None
    return codes.astype(np.float32) / np.float32(65535) * np.float32(response.headers["x-map-scale"])


def _mask_of(response: httpx.Response) -> NDArray[np.bool_]:
    pixels = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return np.asarray(pixels > 0)


def _now_of(response: httpx.Response) -> datetime:
    return datetime.fromisoformat(response.json()["now"])


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _in_path(name: str) -> str:
    return quote(name, safe="")
