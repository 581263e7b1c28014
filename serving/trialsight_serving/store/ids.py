"""Ids that grow with time (UUID version 7, RFC 9562), so that an index of a million of them grows at one end."""

import os
import time
import uuid


def new_id() -> str:
    """32 hexadecimal digits: 48 bits of milliseconds, then 74 random bits. A clock that jumps only costs locality."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | (7 << 76)  # version
    value = value & ~(0x3 << 62) | (2 << 62)  # variant
    return uuid.UUID(int=value).hex
