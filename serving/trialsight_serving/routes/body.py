"""A frame's bytes out of a request, raw or multipart, never more of them than the limit allows."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from trialsight_serving.problems import Problem

_IMAGE_TYPES = frozenset(
    {"image/jpeg", "image/jpg", "image/png", "image/bmp", "image/x-bmp", "image/x-ms-bmp", "image/tiff"}
)
_HANG_UP = {"Connection": "close"}  # else the server reads the rest of the body, and throws it away
_MULTIPART_OVERHEAD = 64 * 1024


def check_content_type(request: Request) -> None:
    """Raises Problem 415 from the header alone."""
    kind = _content_type(request)
    if kind not in _IMAGE_TYPES and kind != "multipart/form-data":
        raise Problem(
            415,
            "content-type",
            "Not an image type",
            f"the body is said to be {kind or 'of no type'}",
            "send image/jpeg, image/png, image/bmp or image/tiff, or multipart/form-data with a field 'file'",
        )


async def read_frame(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Raises Problem 413 (before reading, where the length is declared), 408, or 400 for multipart without a file."""
    multipart = _content_type(request) == "multipart/form-data"
    limit = max_bytes + (_MULTIPART_OVERHEAD if multipart else 0)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(max_bytes)
    stream = _limited(request, limit, max_bytes)
    async with _patience(timeout_s):
        return await _file_field(request, stream) if multipart else await _whole(stream)


async def read_limited(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Any body. Raises Problem 413 (before reading, where the length is declared) or 408."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    async with _patience(timeout_s):
        return await _whole(_limited(request, max_bytes, max_bytes))


@asynccontextmanager
async def _patience(timeout_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        detail = f"the body did not arrive within {timeout_s:g} s"
        raise Problem(408, "body-timeout", "The body came too slowly", detail, "send it again", _HANG_UP) from None


async def _whole(stream: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def _limited(request: Request, limit: int, max_bytes: int) -> AsyncGenerator[bytes, None]:
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > limit:
            raise _too_large(max_bytes)
        yield chunk


async def _file_field(request: Request, stream: AsyncGenerator[bytes, None]) -> bytes:
    problem = Problem(
        400,
        "multipart",
        "The form has no frame",
        "the multipart body holds no file",
        "name the field 'file' or 'frame'",
    )
    try:
        form = await MultiPartParser(request.headers, stream, max_files=4, max_fields=32).parse()
    except (MultiPartException, KeyError) as error:
        problem.detail = f"the multipart body can't be read: {error}"
        raise problem from error
    try:
        upload = form.get("file") or form.get("frame")
        if not isinstance(upload, UploadFile):
            raise problem
        return await upload.read()
    finally:
        await form.close()


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        413,
        "body-too-large",
        "The body is too large",
        f"at most {max_bytes} bytes are taken",
        "reduce the frame, or raise max_body_bytes in the service's settings",
        _HANG_UP,
    )
