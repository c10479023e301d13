"""From a trained encoder to the file that ships: ONNX, weights of 8 bits, one scale for each channel."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from detectors.models.training.encoder import Encoder


def export(encoder: Encoder, file: Path) -> None:
    """Write the encoder. Inputs: `ids` (batch, length), padded with 0; outputs: `odds` (batch, heads), `vectors`."""
    example = torch.randint(1000, 2000, (2, 16))
    example[1, 10:] = 0
    with tempfile.TemporaryDirectory() as scratch:
        wide = Path(scratch) / "wide.onnx"
        torch.onnx.export(
            encoder.eval(),
            (example,),
            str(wide),
            input_names=["ids"],
            output_names=["odds", "vectors"],
            dynamic_axes={"ids": {0: "batch", 1: "length"}, "odds": {0: "batch"}, "vectors": {0: "batch"}},
            dynamo=False,
        )
        quantize_dynamic(wide, file, weight_type=QuantType.QInt8, per_channel=True)
