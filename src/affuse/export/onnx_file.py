"""One ONNX file from graphs: joined, its weights as small as they are exact, described, written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from affuse.errors import BadInput
from affuse.execution.files import atomic_path
from affuse.models.onnx_metadata import graph_digest
from affuse.models.onnx_model import GRAPH, NETWORK, PRESENT, content_digest
from affuse.models.spec import ModelSpec
from affuse.models.spec_files import DIGEST, KEY

#: Values from which a tensor is worth a node that makes it larger again.
_MANY = 256
#: Bytes of one protocol buffer, at most.
_LARGEST = (1 << 31) - 1


def joined(frames: Mapping[str, onnx.ModelProto], model: onnx.ModelProto) -> onnx.ModelProto:
    """One graph of the networks that see frames and of what follows them.

    Args:
        frames: Stream -> graph from its frames to their features, which keep their name.
        model: From these features, other streams and masks to the outputs.
    """
    for number, part in enumerate(frames.values()):
        onnx.compose.add_prefix(
            part, f"frames{number}.", rename_inputs=False, rename_outputs=False, inplace=True
        )
        (cut,) = (value.name for value in part.graph.output)
        own = [value for value in model.graph.input if value.name != cut]
        model.graph.value_info.extend(x for x in model.graph.input if x.name == cut)
        nodes = [*part.graph.node, *model.graph.node]
        del model.graph.input[:], model.graph.node[:]
        model.graph.input.extend([*part.graph.input, *own])
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(part.graph.initializer)
        model.graph.value_info.extend(part.graph.value_info)
        known = {function.name for function in model.functions}
        model.functions.extend(x for x in part.functions if x.name not in known)
    return model


def halve_exact(model: onnx.ModelProto) -> None:
    """Store weights that float16 tells exactly in float16; a node makes them float32 again."""
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = array.astype(np.float16) if array.dtype == np.float32 else array
        if array.size < _MANY or array.dtype != np.float32 or not np.array_equal(half, array):
            kept.append(tensor)
            continue
        stored = f"{tensor.name}.half"
        kept.append(numpy_helper.from_array(half, stored))
        nodes.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)


def hold_networks(model: onnx.ModelProto, networks: Mapping[str, onnx.ModelProto]) -> None:
    """Put the graphs of frozen networks into a graph, as the bytes of tensors that it does not use.

    Args:
        model: The graph.
        networks: Digest of the network -> its graph.
    """
    for digest, network in networks.items():
        data = np.frombuffer(network.SerializeToString(), np.uint8)
        model.graph.initializer.append(numpy_helper.from_array(data, NETWORK + digest))


def write_onnx(
    path: Path, model: onnx.ModelProto, spec: ModelSpec, graph: Mapping[str, Any], licence: str
) -> None:
    """Write an ONNX file atomically.

    Args:
        path: Where to.
        model: The graph.
        spec: Of the model.
        graph: What else is to be known of the graph, as JSON values.
        licence: The terms of the model.

    Raises:
        BadInput: It is larger than an ONNX file can be.
    """
    model.producer_name, model.producer_version = "affuse", spec.version
    model.doc_string = f"affuse model {spec.model}: {', '.join(spec.outputs)}. Licence: {licence}"
    del model.metadata_props[:]
    if model.ByteSize() > _LARGEST:
        raise BadInput(path, f"not written: an ONNX file holds 2 GB, this is {model.ByteSize():,}")
    onnx.checker.check_model(model)
    told = json.loads(json.dumps(spec.to_json()))
    described = json.loads(json.dumps(graph))
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
        told[DIGEST] = content_digest(told, described, graph_digest(temporary))
        entries = {
            KEY: json.dumps(told, ensure_ascii=False, allow_nan=False),
            GRAPH: json.dumps(described),
            "licence": licence,
        }
        tail = onnx.ModelProto()
        helper.set_model_props(tail, entries)
        with temporary.open("ab") as file:  # fields of one message may lie one after the other
            file.write(tail.SerializeToString(deterministic=True))


def sizes_named(model: onnx.ModelProto) -> None:
    """Call the open sizes what they are: `batch`, and `frames` of a stream."""
    for value in model.graph.input:
        batch, frames, *_ = value.type.tensor_type.shape.dim
        batch.dim_param, frames.dim_param = "batch", f"frames of {value.name.removesuffix(PRESENT)}"
    for value in model.graph.output:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
