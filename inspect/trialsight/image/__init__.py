"""Frames as bytes: what the header says, checked before any decoding, then pixels."""

from trialsight.image.decode import decode
from trialsight.image.header import ImageHeader, Limits, check_header, read_header

__all__ = ["ImageHeader", "Limits", "check_header", "decode", "read_header"]
