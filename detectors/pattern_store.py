"""Where compiled patterns are kept: named by all that they depend on, and not trusted where a bit has flipped."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from detectors.whole_files import write_whole

_DIGEST_SIZE: Final = hashlib.sha256().digest_size


def stored_name(engine: str, patterns: Iterable[str]) -> str:
    """Name all that a compiled database depends on: the engine's version, the processor, the patterns in order."""
    digest = hashlib.sha256(f"{engine}\0{platform.machine()}\0{_processor()}".encode())
    for pattern in patterns:
        digest.update(f"\0{pattern}".encode())
    return f"{digest.hexdigest()[:32]}.hsdb"


def read_stored(file: Path) -> bytes | None:
    """Return what was kept; None if there is nothing, or it is not what was written."""
    try:
        with file.open("rb", buffering=0) as stored:
            digest, content = (
                stored.read(_DIGEST_SIZE),
                stored.read(),
            )  # a database is megabytes: never two copies of it
    except OSError:
        return None
    return content if hashlib.sha256(content).digest() == digest else None  # Hyperscan's own check misses some bits


def keep_stored(file: Path, content: bytes) -> None:
    """Keep a database for the next start; an installation that cannot be written to compiles each time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, hashlib.sha256(content).digest(), content)
    except OSError:
        return


def _processor() -> str:
    """Return the processor's feature flags where the system tells them: a database uses what it was compiled on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
