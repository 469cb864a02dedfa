"""The three networks of MTCNN on onnxruntime, with the published weights; no torch is imported."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from affuse.execution.onnx_session import session_of
from affuse.media.mtcnn_weights import mtcnn_weights

#: Kernel and, where pooling with a stride of 2 follows, its window, of each convolution.
_TRUNKS: dict[str, list[int | None]] = {
    "pnet": [2, None, None],
    "rnet": [3, 3, None],
    "onet": [3, 3, 2, None],
}
_OPSET = 17


class _Graph:
    """An ONNX graph as it grows; the weights are taken in their order."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        self.weights = iter(weights)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def weight(self, shape: tuple[int, ...] | None = None) -> str:
        """The next weight."""
        return self.constant(next(self.weights), shape)

    def constant(self, array: np.ndarray, shape: tuple[int, ...] | None = None) -> str:
        """A constant, in another shape where one is given."""
        name = f"w{len(self.constants)}"
        array = array if shape is None else array.reshape(shape)
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """A node; returns the name of its output."""
        output = output or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output


def _trunk(graph: _Graph, poolings: list[int | None]) -> str:
    """Unpadded convolutions with PReLU, of images that are as they lie in memory."""
    x = graph.add("Transpose", ["images"], perm=[0, 3, 1, 2])
    for pooling in poolings:
        x = graph.add("Conv", [x, graph.weight(), graph.weight()])
        x = graph.add("PRelu", [x, graph.weight((-1, 1, 1))])
        if pooling:
            x = graph.add("MaxPool", [x], kernel_shape=[pooling] * 2, strides=[2, 2], ceil_mode=1)
    return x


def _face(graph: _Graph, scores: str) -> None:
    """Probability of a face: the second of two classes, (B, 2, ...) -> (B, ...)."""
    shares = graph.add("Softmax", [scores], axis=1)
    second = graph.constant(np.array(1, np.int64), ())
    graph.add("Gather", [shares, second], "face", axis=1)


def _proposal() -> onnx.ModelProto:
    graph = _Graph(mtcnn_weights("pnet", 13))
    x = _trunk(graph, _TRUNKS["pnet"])
    graph.add("Conv", [x, graph.weight(), graph.weight()], "box")
    _face(graph, graph.add("Conv", [x, graph.weight(), graph.weight()]))
    return _model(graph, {"face": 3, "box": 4})


def _crops(name: str, count: int, landmarks: bool) -> onnx.ModelProto:
    graph = _Graph(mtcnn_weights(name, count))
    x = _trunk(graph, _TRUNKS[name])
    # the published weights come from a column-major framework: flattened as (x, y, channel)
    x = graph.add("Flatten", [graph.add("Transpose", [x], perm=[0, 3, 2, 1])])
    x = graph.add("Gemm", [x, graph.weight(), graph.weight()], transB=1)
    x = graph.add("PRelu", [x, graph.weight()])
    graph.add("Gemm", [x, graph.weight(), graph.weight()], "box", transB=1)
    if landmarks:
        graph.add("Gemm", [x, graph.weight(), graph.weight()], "landmarks", transB=1)
    _face(graph, graph.add("Gemm", [x, graph.weight(), graph.weight()], transB=1))
    return _model(graph, {"face": 1, "box": 2, **({"landmarks": 2} if landmarks else {})})


def _model(graph: _Graph, outputs: dict[str, int]) -> onnx.ModelProto:
    def value(name: str, rank: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank)

    made = helper.make_graph(
        graph.nodes,
        "mtcnn",
        [value("images", 4)],
        [value(name, rank) for name, rank in outputs.items()],
        graph.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


Network = Callable[[np.ndarray], tuple[np.ndarray, ...]]


@cache
def networks() -> tuple[Network, Network, Network]:
    """P-Net, R-Net and O-Net; see `affuse.media.mtcnn_networks.networks`."""
    return (
        _runs(_proposal()),
        _runs(_crops("rnet", 16, landmarks=False)),
        _runs(_crops("onet", 21, landmarks=True)),
    )


def _runs(model: onnx.ModelProto) -> Network:
    session = session_of(model.SerializeToString())

    def run(images: np.ndarray) -> tuple[np.ndarray, ...]:
        face, box, *landmarks = session.run(None, {"images": np.ascontiguousarray(images)})
        return face, box, landmarks[0] if landmarks else box[:, :0]

    return run
