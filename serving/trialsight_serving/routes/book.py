"""`/v1/defect-classes`: the defect book. What a class means, in both languages, and images of it and beside it."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.engine import Connection

from trialsight.errors import FrameError, TrialsightError
from trialsight.image import Limits, check_header, decode
from trialsight_serving.access.principal import Principal
from trialsight_serving.deps import EngineerDep, ReviewerDep, ServiceDep
from trialsight_serving.openapi.content import BINARY, IMAGES, file
from trialsight_serving.openapi.errors import problems
from trialsight_serving.outlines import outlines
from trialsight_serving.problems import Problem, frame_problem, not_found
from trialsight_serving.routes.body import read_frame
from trialsight_serving.routes.frames import FOREVER, find_frame, for_browser, small_jpeg
from trialsight_serving.routes.keep import keep
from trialsight_serving.schemas.book import ClassImageOut, DefectClassIn, DefectClassOut, FromFrameIn
from trialsight_serving.service import Service
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.review.class_images import (
    ClassImage,
    ImageKind,
    add_image,
    find_image,
    list_images,
    remove_image,
)
from trialsight_serving.store.review.classes import (
    DefectClass,
    NumberTakenError,
    list_classes,
    remove_class,
    save_class,
)

router = APIRouter(prefix="/v1/defect-classes", tags=["labels"])
ClassName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["scratch"])]
ImageId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_NOT_NOW = problems({409: "Its key is taken, or the book is full"})
_GONE = problems({410: "The row is there, its file is not"})
UPLOAD = Limits(8 * 2**20, 32_000_000)
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": dict.fromkeys(IMAGES, BINARY)}}


@router.get("", response_model=list[DefectClassOut])
def get_classes(service: ServiceDep, who: ReviewerDep) -> list[DefectClassOut]:
    """What this organisation calls its defects, those with a key first."""
    with service.database.read() as connection:
        images = list_images(connection, who.organisation)
        return [DefectClassOut.of(one, images) for one in list_classes(connection, who.organisation)]


@router.put("/{name}", response_model=DefectClassOut, responses=_NOT_NOW)
def put_class(name: ClassName, wanted: DefectClassIn, service: ServiceDep, who: EngineerDep) -> DefectClassOut:
    """Add a class, or change it. From the first change on the usual classes are the organisation's own."""
    one = DefectClass(name, **wanted.model_dump())

    def work(connection: Connection) -> DefectClassOut:
        save_class(connection, who.organisation, one, who=who.name)
        return DefectClassOut.of(one, list_images(connection, who.organisation))

    try:
        return service.writer.submit(work).result()
    except NumberTakenError as error:
        raise Problem(409, "class-number-taken", "The key is taken", error.problem, error.remedy) from error
    except TrialsightError as error:
        raise _refused(error) from error


@router.delete("/{name}", status_code=204, responses=_NOT_NOW)
def delete_class(name: ClassName, service: ServiceDep, who: EngineerDep) -> None:
    """With its images. Labels that carry the name keep it."""
    try:
        done = service.writer.submit(lambda c: remove_class(c, who.organisation, name, who=who.name)).result()
    except TrialsightError as error:
        raise _refused(error) from error
    if not done:
        raise not_found("class", name)


@router.post("/{name}/images", response_model=ClassImageOut, status_code=201, responses=_GONE)
async def add_from_frame(name: ClassName, wanted: FromFrameIn, service: ServiceDep, who: EngineerDep) -> ClassImageOut:
    """A picture from the line."""
    frame = await asyncio.to_thread(find_frame, service, who, wanted.frame_id)
    try:
        data = await asyncio.to_thread(service.images.get, frame.image_sha256)
    except FileNotFoundError:
        detail = f"the store no longer holds it for frame {frame.id}"
        raise Problem(410, "file-gone", "The file is gone", detail) from None
    size = (frame.width_px, frame.height_px)
    paths = outlines(frame.regions, size)
    return await _add(service, who, name, data, size, wanted.kind, wanted.note, frame.id, paths)


@router.post("/{name}/uploads", response_model=ClassImageOut, status_code=201, openapi_extra=_BODY)
async def upload(
    name: ClassName,
    request: Request,
    service: ServiceDep,
    who: EngineerDep,
    kind: ImageKind,
    note: Annotated[str, Query(max_length=500)] = "",
) -> ClassImageOut:
    """A picture from elsewhere: JPEG, PNG, BMP or TIFF of at most 8 MiB."""
    data = await read_frame(request, UPLOAD.max_bytes, service.settings.body_timeout_s)
    try:
        pixels = await asyncio.to_thread(lambda: decode(data, check_header(data, UPLOAD)))
    except FrameError as error:
        raise frame_problem(error) from error
    return await _add(service, who, name, data, (pixels.shape[1], pixels.shape[0]), kind, note, None, [])


@router.get("/images/{image_id}", response_class=Response, responses=file("The image", *IMAGES) | _GONE)
def get_class_image(
    image_id: ImageId,
    service: ServiceDep,
    who: ReviewerDep,
    size: Annotated[int | None, Query(ge=32, le=512, description="A JPEG at most so wide and high")] = None,
) -> Response:
    image, data = _find(service, who, image_id)
    if size is not None:
        small = small_jpeg(data, (image.width_px, image.height_px), size)
        return Response(small, media_type="image/jpeg", headers=FOREVER)
    data, kind = for_browser(data)
    return Response(data, media_type=kind, headers=FOREVER)


@router.delete("/images/{image_id}", status_code=204, responses=_GONE)
def delete_class_image(image_id: ImageId, service: ServiceDep, who: EngineerDep) -> None:
    """Takes an image out of the book; the frame that it came from stays."""
    image, _ = _find(service, who, image_id)
    service.writer.submit(lambda c: remove_image(c, who.organisation, image, who=who.name)).result()


async def _add(
    service: Service,
    who: Principal,
    name: str,
    data: bytes,
    size_px: tuple[int, int],
    kind: ImageKind,
    note: str,
    frame_id: str | None,
    paths: list[str],
) -> ClassImageOut:
    def write(connection: Connection, sha256: str) -> ClassImage | None:
        if all(one.name != name for one in list_classes(connection, who.organisation)):
            return None
        now = datetime.now(UTC)
        image = ClassImage(new_id(), name, kind, sha256, *size_px, frame_id, note, who.name, now, paths, len(data))
        add_image(connection, who.organisation, image)
        return image

    added = await keep(service, data, write)
    if added is None:
        raise not_found("class", name)
    return ClassImageOut.of(added)


def _find(service: Service, who: Principal, image_id: str) -> tuple[ClassImage, bytes]:
    with service.database.read() as connection:
        image = find_image(connection, who.organisation, image_id)
    if image is None:
        raise not_found("image", image_id)
    try:
        return image, service.images.get(image.sha256)
    except FileNotFoundError:
        detail = f"the store no longer holds image {image_id}"
        raise Problem(410, "file-gone", "The file is gone", detail) from None


def _refused(error: TrialsightError) -> Problem:
    return Problem(409, "not-possible", "This can't be done now", error.problem, error.remedy)
