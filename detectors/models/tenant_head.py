"""A tenant's own head: what its labelled texts taught, as weights that are added to those of the linear model."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from detectors.models.classifier_model import ClassifierModel
from detectors.models.columns import COLUMNS
from detectors.models.features import BUCKETS
from detectors.models.linear import LinearModel
from detectors.types import Origin

MOST: Final = 1 << 15  # weights of one origin
_LARGEST: Final = 2 << 20  # bytes of a head as it is kept
_WHOLE: Final = 16  # models with their heads on, 2 MB each; putting one on takes 0.3 ms
_ORIGINS: Final = (Origin.USER, Origin.TOOL)


class _NoHeadError(ValueError):
    """That a file holds no head."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Those of one origin: `columns` of the linear model (words, then bytes), ascending, and what is added to each."""

    columns: NDArray[np.int32]
    added: NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class TenantHead:
    """Weights by origin, for the linear model of that revision and no other. `facts` tell where they come from."""

    weights: Mapping[Origin, Weights]
    made_for: str
    facts: Mapping[str, Any]
    revision: str


def head_of(weights: Mapping[Origin, Weights], made_for: str, facts: Mapping[str, Any]) -> TenantHead:
    digest = hashlib.sha256(made_for.encode())
    for origin, own in sorted(weights.items()):
        digest.update(b"\0".join((origin.encode(), own.columns.tobytes(), own.added.tobytes())))
    return TenantHead(weights, made_for, facts, digest.hexdigest()[:12])


@lru_cache(maxsize=_WHOLE)
def with_head(shipped: ClassifierModel, head: TenantHead) -> ClassifierModel:
    """Return the linear model with a head on."""
    models = {
        origin: with_weights(model, head.weights[origin]) if origin in head.weights else model
        for origin, model in shipped.models.items()
    }
    return replace(shipped, models=models, revision=f"{shipped.revision}+{head.revision}")


def with_weights(model: LinearModel, own: Weights) -> LinearModel:
    words, spans = model.words.copy(), model.spans.copy()
    border = int(own.columns.searchsorted(BUCKETS))
    added = own.added.astype(np.float32)
    words[own.columns[:border]] += added[:border]
    spans[own.columns[border:] - BUCKETS] += added[border:]
    return replace(model, words=words, spans=spans)


def pack(head: TenantHead) -> bytes:
    """Return a head as it is kept in a file."""
    arrays: dict[str, NDArray[Any]] = {}
    for origin, own in head.weights.items():
        arrays |= {f"{origin}_columns": own.columns, f"{origin}_added": own.added}
    facts = orjson.dumps({"made_for": head.made_for, **head.facts})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, facts=np.frombuffer(facts, np.uint8), allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> TenantHead:
    """Return the head that a file holds. Raises ValueError, which says what is wrong with it, and nothing else."""
    try:
        return _read(content)
    except _NoHeadError:
        raise
    except Exception as exc:  # whatever a damaged archive makes of those who read it
        raise _NoHeadError("is no head") from exc


def _read(content: bytes) -> TenantHead:
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        size = sum(part.file_size for part in parts.infolist())
    if max(size, len(content)) > _LARGEST:
        raise _NoHeadError("is larger than any head")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        facts = orjson.loads(arrays["facts"].tobytes())
        own = [origin for origin in _ORIGINS if f"{origin}_columns" in arrays]
        weights = {origin: _checked(arrays[f"{origin}_columns"], arrays[f"{origin}_added"]) for origin in own}
    if not isinstance(facts, dict) or not weights:
        raise _NoHeadError("is no head")
    return head_of(weights, str(facts.pop("made_for", "")), facts)


def _checked(columns: NDArray[Any], added: NDArray[Any]) -> Weights:
    whole = columns.dtype == np.int32 and added.dtype == np.float16 and columns.ndim == 1
    if not whole or columns.shape != added.shape or not 0 < columns.size <= MOST:
        raise _NoHeadError("is no head")
    ascending = not np.any(columns[1:] <= columns[:-1])
    if columns[0] < 0 or columns[-1] >= COLUMNS or not ascending or not np.isfinite(added).all():
        raise _NoHeadError("is no head")
    return Weights(columns, added)
