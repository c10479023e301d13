"""The weights that ship with the product: where they are, and whether they are what was trained."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from detectors.errors import ConfigurationError

SHIPPED: Final = Path(__file__).parent / "weights"
MANIFEST: Final = "manifest.json"
_CURE: Final = "install the package again, or make the weights anew (make train)"

Arrays = Mapping[str, NDArray[Any]]


def read_weights(name: str, folder: Path = SHIPPED) -> bytes:
    """Return a file of weights that is the one which the manifest names by its SHA-256. Raises ConfigurationError."""
    try:
        expected = orjson.loads((folder / MANIFEST).read_bytes())[name]["sha256"]
        content = (folder / name).read_bytes()
    except OSError as exc:
        raise ConfigurationError(
            exc.filename, None, f"cannot read the model's weights: {exc.strerror}; {_CURE}"
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigurationError(folder / MANIFEST, None, f"does not name {name}; {_CURE}") from exc
    if hashlib.sha256(content).hexdigest() != expected:
        raise ConfigurationError(folder / name, None, f"is not the file that was trained (SHA-256 differs); {_CURE}")
    return content


def read_arrays(name: str, folder: Path = SHIPPED) -> Arrays:
    """Return the arrays of an .npz file, checked like any weights. Raises ConfigurationError."""
    content = read_weights(name, folder)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(folder / name, None, f"holds no arrays; {_CURE}") from exc


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest of every other file in a folder: SHA-256 and size, beside what `facts` tells of it."""
    files = sorted(file for file in folder.iterdir() if file.name != MANIFEST)
    known = {
        file.name: {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
            **facts.get(file.name, {}),
        }
        for file in files
    }
    (folder / MANIFEST).write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2) + b"\n")
