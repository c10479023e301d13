"""The transformer at work: windows of token numbers in, log odds, kinds and vectors out. Only here ONNX is run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as states

from detectors.errors import ConfigurationError, DetectorError
from detectors.models.weights_file import SHIPPED, read_weights

FILE: Final = "encoder.onnx"
INPUT: Final = "numbers"
OUTPUTS: Final = ("attack", "kinds", "vectors")
_REFUSED: Final = (
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NotImplemented,
    states.RuntimeException,
)

# Processors without VNNI else add products in sixteen bits, which overflow: a text would be an attack on one machine
# and none on another. It costs these a sixth of the speed; those with VNNI, which never overflow, half of it.
_EXACT: Final = ("session.x64quantprecision", "1")
_NEVER_OVERFLOW: Final = ("avx512_vnni", "avx_vnni")
_PROCESSORS: Final = Path("/proc/cpuinfo")
_SLOW: Final = "SkipLayerNormFusion"  # on processors what it makes takes three times as long as what it replaces

Floats = NDArray[np.float32]


class Reading(NamedTuple):
    """Of some windows: log odds of an attack (count), of each kind (count, kinds), unit vectors (count, width)."""

    attack: Floats
    kinds: Floats
    vectors: Floats


class Encoder:
    """Reads on the thread that asks, and starts no thread of its own, so that it may be loaded before a fork."""

    def __init__(self, model: bytes) -> None:
        """Raises ValueError for what this version of ONNX Runtime cannot run."""
        self.revision = hashlib.sha256(model).hexdigest()[:12]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # what is needed for a moment is given back
        options.log_severity_level = 3
        if not never_overflows():
            options.add_session_config_entry(*_EXACT)
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], disabled_optimizers=[_SLOW]
            )
        except _REFUSED as exc:
            raise ValueError(f"ONNX Runtime {onnxruntime.__version__} cannot run it: {type(exc).__name__}") from exc
        # A session keeps the file in memory to try another provider with, of which there is none here.
        self._session.disable_fallback()
        vars(self._session).pop("_model_bytes", None)
        if tuple(output.name for output in self._session.get_outputs()) != OUTPUTS:
            raise ValueError("it answers something else than this version asks")

    def read(self, windows: Sequence[Sequence[int]]) -> Reading:
        """Read windows of token numbers. Raises DetectorError.

        One after the other: together they would take no less time and twice the memory, and what is made of one would
        depend on its neighbours, by whose numbers its own are rounded.
        """
        try:
            read = [self._session.run(list(OUTPUTS), {INPUT: np.array([window], np.int64)}) for window in windows]
        except _REFUSED as exc:
            raise DetectorError("transformer", type(exc).__name__) from exc
        return Reading(*map(np.concatenate, zip(*read, strict=True)))


def never_overflows(processors: Path = _PROCESSORS) -> bool:
    """Tell whether this processor adds products of bytes in thirty-two bits anyway, as far as the system says."""
    try:
        flags = processors.read_text().split()
    except (OSError, UnicodeDecodeError):
        return False
    return any(flag in flags for flag in _NEVER_OVERFLOW)


def load_encoder(folder: Path = SHIPPED) -> Encoder:
    """Load the shipped transformer. Raises ConfigurationError for weights that are missing, not ours or too new."""
    try:
        return Encoder(read_weights(FILE, folder))
    except ValueError as exc:
        raise ConfigurationError(folder / FILE, None, str(exc)) from exc
