"""What a header promises, and how a format's check says no."""

from dataclasses import dataclass

from trialsight.errors import FrameError, FrameFault


@dataclass(frozen=True)
class Size:
    """`width_px` and `height_px` as stored, before any rotation. `memory_bytes`: what decoding takes at its peak."""

    width_px: int
    height_px: int
    memory_bytes: int


def memory_bytes(pixels: int, buffers: int = 0) -> int:
    """The picture as RGB, and beside it what the decoder holds (`buffers`), or afterwards OpenCV's copy of it."""
    return pixels * 3 + max(pixels * 3, buffers)


def damaged(problem: str) -> FrameError:
    """The frame lost something on its way."""
    return FrameError(FrameFault.UNDECODABLE, problem, "send it again")


def unsupported(problem: str, remedy: str) -> FrameError:
    """The frame is of a kind that is not inspected (docs/images.md lists the kinds that are)."""
    return FrameError(FrameFault.UNDECODABLE, problem, remedy)
