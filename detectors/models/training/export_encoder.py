"""From a trained network to the file that ships: an ONNX graph of plain parts, weights of one byte a number."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from detectors.models.encoder import INPUT, OUTPUTS
from detectors.models.tokens import PADDING
from detectors.models.training.network import FIRST_ORIGIN, HEAD, HEADS, KINDS, LAYERS, WIDTH, Network

_OPSET: Final = 17
_FUSED: Final = "com.microsoft"
_TINY: Final = 1e-12


class _Graph:
    """Nodes and weights as they come."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[np.generic]] = {}
        self._weights = weights

    def weight(self, name: str, *, turned: bool = False) -> str:
        """Take in a weight of the network; torch keeps matrices the other way round."""
        array = self._weights[name]
        self.constants[name] = np.ascontiguousarray(array.T) if turned else array
        return name

    def constant(self, name: str, value: object) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def axes(self, *numbers: int) -> str:
        return self.constant("axes" + "_".join(map(str, numbers)), np.array(numbers, np.int64))

    def add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        domain = _FUSED if kind == "Gelu" else ""
        self.nodes.append(helper.make_node(kind, inputs, [output], output, domain=domain, **attributes))
        return output


def export(network: Network, file: Path) -> None:
    """Write the network to `file`: dynamic quantisation, each channel with its own scale."""
    weights = {name: value.detach().float().numpy().copy() for name, value in network.state_dict().items()}
    # So that nothing has to be divided later.
    weights |= {name: (array * HEAD**-0.5).astype(np.float32) for name, array in weights.items() if ".query." in name}
    weights |= {name: weights[name] / weights["spread"] for name in ("attack.weight", "kinds.weight")}
    wide = file.with_suffix(".wide")
    onnx.save(_model(_graph(weights)), wide)
    parts = ["MatMul", "Gather"]
    quantize_dynamic(
        wide, file, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=parts,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )  # fmt: skip
    wide.unlink()


def _graph(weights: dict[str, NDArray[np.float32]]) -> _Graph:
    g = _Graph(weights)
    empty = g.add("Equal", [INPUT, g.constant("padding", np.int64(PADDING))], "empty")
    there = g.add("Cast", [g.add("Not", [empty], "there")], "mask", to=TensorProto.FLOAT)
    less = g.add("Sub", [there, g.constant("one", np.float32(1))], "less")
    hidden = g.add("Mul", [less, g.constant("much", np.float32(1e4))], "hidden")
    hidden = g.add("Unsqueeze", [hidden, g.axes(1, 2)], "hiding")
    states = _embedded(g)
    for number in range(LAYERS):
        states = _layer(g, f"layers.{number}", states, hidden)
    shown = g.add("Mul", [states, g.add("Unsqueeze", [there, g.axes(2)], "deep")], "shown")
    total = g.add("ReduceSum", [shown, g.axes(1)], "total", keepdims=0)
    count = g.add("ReduceSum", [there, g.axes(1)], "count", keepdims=1)
    vectors = g.add("Sub", [g.add("Div", [total, count], "mean"), g.weight("middle")], "moved")
    odds = g.add("Gemm", [vectors, g.weight("attack.weight", turned=True), g.weight("attack.bias")], "odds")
    mark = g.add("Gather", [INPUT, g.axes(1)], "mark", axis=1)
    by = g.add("Sub", [mark, g.constant("first_origin", np.int64(FIRST_ORIGIN))], "by")
    g.add("Squeeze", [g.add("GatherElements", [odds, by], "asked", axis=1), g.axes(1)], OUTPUTS[0])
    g.add("Gemm", [vectors, g.weight("kinds.weight", turned=True), g.weight("kinds.bias")], OUTPUTS[1])
    g.add("LpNormalization", [vectors], OUTPUTS[2], axis=1, p=2)
    return g


def _embedded(g: _Graph) -> str:
    size = g.add("Gather", [g.add("Shape", [INPUT], "shape"), g.axes(1)], "size")
    places = g.add("Slice", [g.weight("places.weight"), g.axes(0), size, g.axes(0)], "placed")
    words = g.add("Gather", [g.weight("words.weight"), INPUT], "worded")
    inputs = [g.add("Add", [words, places], "embedded"), g.weight("start.weight"), g.weight("start.bias")]
    return g.add("LayerNormalization", inputs, "started", axis=-1, epsilon=_TINY)


def _layer(g: _Graph, name: str, states: str, mask: str) -> str:
    query, key, value = (
        _heads(g, f"{name}.{part}", states, turned)
        for part, turned in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
    )
    alike = g.add("Add", [g.add("MatMul", [query, key], f"{name}.alike"), mask], f"{name}.masked")
    seen = g.add("MatMul", [g.add("Softmax", [alike], f"{name}.shares", axis=-1), value], f"{name}.seen")
    seen = g.add("Transpose", [seen], f"{name}.back", perm=[0, 2, 1, 3])
    seen = g.add("Reshape", [seen, g.constant("whole", np.array([0, 0, WIDTH], np.int64))], f"{name}.whole")
    states = _normalised(g, f"{name}.attended", _linear(g, f"{name}.out", seen), states)
    wide = g.add("Gelu", [_linear(g, f"{name}.wide", states)], f"{name}.bent")
    return _normalised(g, f"{name}.done", _linear(g, f"{name}.narrow", wide), states)


def _linear(g: _Graph, name: str, states: str) -> str:
    product = g.add("MatMul", [states, g.weight(f"{name}.weight", turned=True)], f"{name}.product")
    return g.add("Add", [product, g.weight(f"{name}.bias")], f"{name}.biased")


def _heads(g: _Graph, name: str, states: str, order: list[int]) -> str:
    split = g.add(
        "Reshape",
        [_linear(g, name, states), g.constant("heads", np.array([0, 0, HEADS, HEAD], np.int64))],
        f"{name}.split",
    )
    return g.add("Transpose", [split], f"{name}.heads", perm=order)


def _normalised(g: _Graph, name: str, fresh: str, before: str) -> str:
    added = g.add("Add", [fresh, before], f"{name}.added")
    inputs = [added, g.weight(f"{name}.weight"), g.weight(f"{name}.bias")]
    return g.add("LayerNormalization", inputs, f"{name}.done", axis=-1, epsilon=_TINY)


def _model(g: _Graph) -> onnx.ModelProto:
    shapes: tuple[list[int], ...] = ([], [KINDS], [WIDTH])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["windows", *shape])
        for name, shape in zip(OUTPUTS, shapes, strict=True)
    ]
    made = helper.make_graph(
        g.nodes, "encoder", [helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["windows", "length"])], outputs,
        [numpy_helper.from_array(array, name) for name, array in g.constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)
