"""An ONNX file that `affuse export` wrote, applied by onnxruntime; no torch is imported.

Its graph goes from the streams of windows and their masks to what the model says. Where a network
sees one frame at a time, the graph can be cut behind it, so that each frame of a recording passes
it once and not once per window. Frozen networks that streams come from lie in the file as graphs of
their own, as the bytes of tensors that the main graph does not use.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import AffuseError, BadInput
from affuse.execution.files import atomic_path
from affuse.execution.onnx_session import import_onnx, session_of
from affuse.features.padded import Arrays, padded
from affuse.features.stream import Stream, StreamSpec
from affuse.models.applied import CHUNK, Applied, Change, WindowOutput
from affuse.models.onnx_metadata import graph_digest, onnx_metadata
from affuse.models.spec import ModelSpec
from affuse.models.spec_files import DIGEST, described, spec_of

#: Key of the metadata: what there is to know of the graph, beside the description of the model.
GRAPH = "affuse_graph"
#: What stands before the digest in the name of a tensor that holds the graph of a frozen network.
NETWORK = "frozen."
#: What the names of the graph end in: the mask of a stream, and what is made of its frames.
PRESENT, FEATURES = ".present", ".features"
#: Outputs: class scores or values; of values, which rest on something; the share of the sound in
#: which a voice is heard; and what stands before the names of values that are read beside classes.
SCORES, KNOWN, VOICE, RATING = "scores", "known", "voice", "rating."


class OnnxModel(Applied):
    """A model in an ONNX file.

    Args:
        path: The file.
        device: `cpu`.

    Raises:
        BadInput: Missing, damaged (its content is compared with its digest), or no such file.
        AffuseError: Another device, or onnx or onnxruntime is not installed.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        if device != "cpu":
            raise AffuseError(f"device {device!r}: an ONNX file is applied on the CPU")
        self.spec, graph = read_onnx(path)
        self.head = graph["head"]
        self.leader = self.spec.streams[graph["leader"]]
        widths: dict[str, int] = graph["features"]
        self.specs: dict[str, StreamSpec] = {
            name: replace(spec, shape=(widths[name],), dtype="float32") if name in widths else spec
            for name, spec in self.spec.streams.items()
        }
        model = load_graph(path)
        self.parameters = sum(
            math.prod(x.dims) for x in model.graph.initializer if not x.name.startswith(NETWORK)
        )
        cut = [name + FEATURES for name in widths]
        outputs = [value.name for value in model.graph.output]
        try:
            self._frames = {
                name: session_of(part_of(model, [name], [name + FEATURES]).SerializeToString())
                for name in widths
            }
            self._model = session_of(part_of(model, cut, outputs).SerializeToString())
        except AffuseError:
            raise
        except Exception as error:  # onnxruntime has its own for everything
            raise BadInput(
                path, f"its graph cannot be run: {str(error).splitlines()[0]}"
            ) from error
        self._inputs = {value.name for value in self._model.get_inputs()}
        self._outputs = [value.name for value in self._model.get_outputs()]

    @property
    def embedded(self) -> Collection[str]:
        """Streams whose frames are embedded one by one."""
        return self._frames.keys()

    def features(self, name: str, frames: Stream, clip: str) -> np.ndarray:
        """See `Applied`."""
        spec = self.spec.streams[name]
        values, _ = padded([{name: frames}], {name: spec}, [clip] if clip else ())
        rows = [
            self._frames[name].run(None, {name: values[name][:, first : first + CHUNK]})[0][0]
            for first in range(0, len(frames.mask), CHUNK)
        ]
        return np.concatenate(rows)

    def outputs(
        self,
        samples: Sequence[Mapping[str, Stream]],
        ids: Sequence[str] = (),
        change: Change | None = None,
    ) -> tuple[WindowOutput, Arrays]:
        """See `Applied`; there is no change."""
        if change is not None:
            raise AffuseError("an ONNX file cannot be applied under conditions; use the model file")
        values, masks = padded(samples, self.specs, ids)
        feeds = {
            (name + FEATURES if name in self._frames else name): x for name, x in values.items()
        }
        feeds |= {name + PRESENT: mask for name, mask in masks.items()}
        said = self._model.run(None, {n: x for n, x in feeds.items() if n in self._inputs})
        found = dict(zip(self._outputs, said, strict=True))
        ratings = {
            name.removeprefix(RATING): x for name, x in found.items() if name.startswith(RATING)
        }
        return WindowOutput(found[SCORES], found.get(KNOWN), ratings, found.get(VOICE)), masks


def read_onnx(path: Path) -> tuple[ModelSpec, dict[str, Any]]:
    """The spec of an ONNX file, and what it tells of its graph.

    Raises:
        BadInput: It is missing, damaged, or none that `affuse export` wrote.
    """
    told = described(path)
    try:
        graph = json.loads(onnx_metadata(path)[GRAPH])
        features = {str(name): int(width) for name, width in graph["features"].items()}
        graph = {**graph, "features": features}
        digest = told.pop(DIGEST)
        leader, _ = graph["leader"], graph["head"]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(path, f"its description is damaged ({error!r})") from error
    spec = spec_of(path, told)
    if leader not in spec.streams or not features.keys() <= spec.streams.keys():
        raise BadInput(path, "its description is damaged: a stream of the graph is not described")
    if digest != content_digest(told, graph, graph_digest(path)):
        raise BadInput(path, "is damaged: its content is not what its digest says")
    return spec, graph


def content_digest(told: Mapping[str, Any], graph: Mapping[str, Any], weights: str) -> str:
    """SHA-256 over a description, what is told of the graph, and the digest of the graph."""
    text = json.dumps([told, graph, weights], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load_graph(path: Path) -> Any:
    """The `onnx.ModelProto` in a file.

    Raises:
        BadInput: It is damaged.
        AffuseError: onnx is not installed.
    """
    onnx = import_onnx()
    try:
        return onnx.load(path)
    except Exception as error:
        raise BadInput(path, "not an ONNX file, or damaged") from error


def unpack_graphs(path: Path, wanted: Collection[str], folder: Path) -> dict[str, Path]:
    """Write graphs of frozen networks that an ONNX file holds as files of their own.

    Args:
        path: The ONNX file.
        wanted: Digests of the networks.
        folder: Where to.

    Returns:
        Digest -> file, of those that are in it.
    """
    found = {}
    for tensor in load_graph(path).graph.initializer if wanted else ():
        digest = tensor.name.removeprefix(NETWORK)
        if tensor.name.startswith(NETWORK) and digest in wanted:
            found[digest] = folder / f"{digest}.onnx"
            with atomic_path(found[digest]) as temporary:
                temporary.write_bytes(tensor.raw_data)
    return found


def part_of(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of a graph that computes some values.

    Args:
        model: An `onnx.ModelProto`.
        inputs: Values at which it is cut: they become inputs.
        outputs: Names of the values.

    Returns:
        An `onnx.ModelProto` with these inputs, and others of the graph that are needed.
    """
    onnx = import_onnx()
    wanted, nodes = {*outputs}, []
    for node in reversed(model.graph.node):  # each stands behind those that it needs
        if wanted.isdisjoint(node.output) or not {*inputs}.isdisjoint(node.output):
            continue
        nodes.append(node)
        wanted |= {*node.input} | _outer_values(node)
    known = {x.name: x for x in [*model.graph.value_info, *model.graph.input, *model.graph.output]}
    own = {value.name for value in model.graph.input} | {*inputs}
    part = onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    part.graph.name = model.graph.name
    part.graph.node.extend(reversed(nodes))
    part.graph.initializer.extend(x for x in model.graph.initializer if x.name in wanted)
    part.graph.input.extend(known[name] for name in known if name in own & wanted)
    part.graph.output.extend(known[name] for name in outputs)
    return part


def _outer_values(node: Any) -> set[str]:
    """Names that the branches of a node use."""
    names: set[str] = set()
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                names |= {*inner.input} | _outer_values(inner)
    return names
