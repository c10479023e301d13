"""Files that their readers find whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(file: Path, *parts: bytes, mode: int = 0o600, synced: bool = False) -> None:
    """Put `parts` in a file's place; with `synced` they outlive a power cut that comes behind the return.

    Raises OSError, and then leaves nothing: a full disk is not to be filled with pieces, however often it is tried.
    """
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as unfinished:
        made = Path(unfinished.name)
        try:
            unfinished.writelines(parts)
            unfinished.flush()
            if synced:
                os.fsync(unfinished.fileno())
            made.chmod(mode)
            made.replace(file)
        except OSError:
            made.unlink()
            raise
