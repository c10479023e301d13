"""UUIDv7 (RFC 9562): ids that sort by time, made by us so that the id exists before any database does."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7(now: float | None = None) -> str:
    """Return a new id; its first 48 bits are `now` (epoch seconds) in milliseconds."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def time_of(uuid: str) -> float:
    """Return the epoch seconds inside a UUIDv7."""
    return (UUID(uuid).int >> 80) / 1000
