"""UUIDv7 (RFC 9562): ids that sort by time, made by us so that the id exists before any database does."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7(now: float | None = None) -> str:
    """Return a new id; its first 48 bits are `now` (epoch seconds) in milliseconds."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    moment, random = f"{milliseconds:012x}", os.urandom(10).hex()
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{moment[:8]}-{moment[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"


def time_of(uuid: str) -> float:
    """Return the epoch seconds inside a UUIDv7."""
    return (UUID(uuid).int >> 80) / 1000
