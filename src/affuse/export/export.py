"""`affuse export`: a model file as an ONNX file, compared with it before it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError, BadInput
from affuse.execution.onnx_session import import_onnx
from affuse.export.gate import (
    AGREEMENT_INT8,
    MEAN_INT8,
    TOLERANCE,
    Difference,
    compare,
    recorded,
    synthetic,
)
from affuse.inference.extraction import Extraction
from affuse.models.embedded import unpack_networks
from affuse.models.modelfile import load_model
from affuse.models.onnx_metadata import SUFFIX, is_onnx
from affuse.models.onnx_model import OnnxModel
from affuse.models.sliding import WindowModel, embedders_of
from affuse.models.spec import ModelSpec

#: What a model file says of its licence where nothing was recorded.
_NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        size: Bytes of the ONNX file.
        original: Bytes of the model file.
        difference: Between the two.
        clips: What they were compared on.
        missing: Streams whose network is not in the file, so that it is needed to predict.
    """

    size: int
    original: int
    difference: Difference
    clips: str
    missing: list[str]


def export_onnx(file: Path, out: Path, clips: Sequence[Path] = (), int8: bool = False) -> Exported:
    """Write a model file as an ONNX file, if that says the same.

    Args:
        file: The model file.
        out: Where to, `*.onnx`.
        clips: Recordings on which the two are compared; windows of noise without any.
        int8: Whether dense layers have weights of 8 bits; what is nearly the same is then kept
            (`MEAN_INT8` and `AGREEMENT_INT8` of `affuse.export.gate`), and clips are needed.

    Returns:
        What was written.

    Raises:
        BadInput: The model file or a recording cannot be used, or the two say something else: then
            nothing is written.
        AffuseError: The model cannot be written as one graph, or onnx is not installed.
    """
    import_onnx()
    if not is_onnx(out):
        raise AffuseError(f"--out {out}: expected a name that ends in {SUFFIX}")
    if is_onnx(file):
        raise BadInput(file, "is an ONNX file already; name the model file")
    if int8 and not clips:
        raise AffuseError("--int8 needs --clips: recordings on which it is nearly as good")
    model, spec = load_model(file)
    applied = WindowModel(model, spec)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="affuse-", dir=out.parent) as folder:
        written = Path(folder) / out.name
        missing = write_graph(written, file, applied, int8)
        difference = _checked(applied, file, written, clips)
        if not (difference.close if int8 else difference.equal):
            limit = f"; allowed are {_allowed(int8)}"
            raise BadInput(
                out, f"not written: it does not say what {file.name} says: {difference}{limit}"
            )
        written.replace(out)
    recordings = "recording" if len(clips) == 1 else "recordings"
    on = f"{len(clips)} {recordings}" if clips else "windows of noise"
    return Exported(out.stat().st_size, file.stat().st_size, difference, on, missing)


def _allowed(int8: bool) -> str:
    if int8:
        return f"a mean of {MEAN_INT8:g} and the same class in {AGREEMENT_INT8:.0%}"
    return f"{TOLERANCE:g} and the same class throughout"


def write_graph(path: Path, file: Path, applied: WindowModel, int8: bool) -> list[str]:
    """Write the ONNX file of a model; returns the streams whose network is not in it."""
    from affuse.export.graphs import frame_graph, window_graph
    from affuse.export.onnx_file import halve_exact, hold_networks, joined, sizes_named, write_onnx
    from affuse.export.quantise import in_8_bits

    model, spec = applied.model, applied.spec
    embedders = embedders_of(model, spec)
    graph = joined(
        {
            name: frame_graph(part, spec.streams[name], spec.normalisation.get(name), spec.model)
            for name, part in embedders.items()
        },
        window_graph(model, spec, applied.specs, list(embedders)),
    )
    sizes_named(graph)
    networks, missing = _networks(file, spec)
    if int8:
        graph, networks = in_8_bits(graph), {n: in_8_bits(x) for n, x in networks.items()}
    for part in (graph, *networks.values()):
        halve_exact(part)
    hold_networks(graph, networks)
    told = {
        "head": applied.head,
        "leader": applied.leader.name,
        "features": {name: applied.specs[name].shape[0] for name in embedders},
        "precision": "int8" if int8 else "float32",
    }
    licence = str(spec.training.get("licence") or _NOT_RECORDED)
    write_onnx(path, graph, spec, told, licence)
    return missing


def _networks(file: Path, spec: ModelSpec) -> tuple[dict[str, Any], list[str]]:
    """Graphs of the frozen networks that a model file holds, and streams that have none."""
    from affuse.export.graphs import encoder_graph
    from affuse.features.catalogue import create_extractor
    from affuse.models.backbones.whisper import WhisperEncoder
    from affuse.models.frozen.encoder import EncoderStream

    graphs: dict[str, Any] = {}
    missing = []
    frozen = {n: x.recipe["weights"] for n, x in spec.streams.items() if "weights" in x.recipe}
    with tempfile.TemporaryDirectory(prefix="affuse-") as folder:
        held = unpack_networks(file, {*frozen.values()}, Path(folder))
        for name, digest in frozen.items():
            extractor = create_extractor(name, held[digest]) if digest in held else None
            network = None
            if isinstance(extractor, EncoderStream):
                network = extractor.load(extractor.source, extractor.cut).network
            if not isinstance(network, WhisperEncoder):
                missing.append(name)
                continue
            graphs[digest] = encoder_graph(network, name)
    return graphs, missing


def _checked(applied: WindowModel, file: Path, written: Path, clips: Sequence[Path]) -> Difference:
    """How far the two files are apart."""
    spec = applied.spec
    if not clips:
        pairs = synthetic(spec)
    else:
        pairs = recorded(
            clips, spec, Extraction(file, spec.streams), Extraction(written, spec.streams)
        )
    return compare(applied, OnnxModel(written), pairs)
