"""A model, and the networks that its streams come from, as ONNX graphs."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.features.batch import Batch, Normalisation, normalise
from affuse.features.spectral import hann_window, mel_filters
from affuse.features.stream import StreamSpec
from affuse.features.whisper_logmel import HOP as MEL_HOP
from affuse.features.whisper_logmel import RANGE, RATE
from affuse.models.backbones.whisper import WhisperEncoder
from affuse.models.base import Model
from affuse.models.frozen.graph import SAMPLES, STATES
from affuse.models.layers.framewise import FrameEmbedder
from affuse.models.onnx_model import FEATURES, KNOWN, PRESENT, RATING, SCORES, VOICE
from affuse.models.spec import ModelSpec

OPSET = 18
_MEL_SIZE = 400


class WindowGraph(nn.Module):
    """From the streams of windows and their masks to what the model says, calibrated.

    Args:
        model: In evaluation mode.
        spec: Its spec.
        embedded: Streams of which it is given what is made of their frames.
    """

    def __init__(self, model: Model, spec: ModelSpec, embedded: Collection[str]) -> None:
        super().__init__()
        self.model, self.spec = model, spec
        self.statistics = {n: x for n, x in spec.normalisation.items() if n not in embedded}
        self.kinds = {n: "vectors" if n in embedded else x.kind for n, x in spec.streams.items()}

    def forward(self, streams: list[Tensor], masks: list[Tensor]) -> tuple[Tensor, ...]:
        """Streams (B, T, ...) and masks (B, T), in the order of the spec; see `outputs`."""
        return tuple(self.outputs(streams, masks).values())

    def outputs(self, streams: Sequence[Tensor], masks: Sequence[Tensor]) -> dict[str, Tensor]:
        """The outputs by their names in the graph."""
        names = list(self.spec.streams)
        batch = Batch(
            dict(zip(names, streams, strict=True)),
            dict(zip(names, masks, strict=True)),
            kinds=dict(self.kinds),
        )
        batch = normalise(batch, self.statistics)
        output = self.model(batch)
        scores = output.scores
        if self.spec.calibration is not None and output.mask is None:
            scores = self.spec.calibration.calibrated(scores, batch, self.spec.streams)
        found = {SCORES: scores.float()}
        if output.mask is not None:
            found[KNOWN] = output.mask
        found |= {RATING + name: x.float() for name, x in output.ratings.items()}
        if output.voice is not None:
            found[VOICE] = output.voice.float()
        return found


class FrameGraph(nn.Module):
    """From the frames of a stream to what the network makes of each.

    Args:
        embedder: The network.
        spec: Of the stream.
        statistics: Of the stream.
    """

    def __init__(
        self, embedder: FrameEmbedder, spec: StreamSpec, statistics: Normalisation | None
    ) -> None:
        super().__init__()
        self.embedder, self.spec = embedder, spec
        self.statistics = statistics or Normalisation()

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, ...) -> (B, T, F)."""
        there = frames.new_ones(frames.shape[:2]).bool()
        batch = Batch({"": frames}, {"": there}, kinds={"": self.spec.kind})
        x = normalise(batch, {"": self.statistics}).streams[""]
        return self.embedder.embed_frames(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class EncoderGraph(nn.Module):
    """From sound at 16 kHz to what every layer of Whisper's encoder makes of it.

    The Fourier transform of the spectrogram is a convolution here, which every runtime has.

    Args:
        network: The encoder.
    """

    def __init__(self, network: WhisperEncoder) -> None:
        super().__init__()
        self.network = network
        bins = np.arange(_MEL_SIZE // 2 + 1)[:, None] * np.arange(_MEL_SIZE)
        waves = np.exp(-2j * math.pi * bins / _MEL_SIZE) * hann_window(_MEL_SIZE, _MEL_SIZE)
        kernels = np.concatenate([waves.real, waves.imag])[:, None].astype(np.float32)
        filters = mel_filters(RATE, _MEL_SIZE, network.conv1.in_channels, 0.0, RATE / 2)
        self.register_buffer("kernels", torch.from_numpy(kernels))
        self.register_buffer("filters", torch.from_numpy(filters))
        self.kernels: Tensor
        self.filters: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        """(N,), N a multiple of 320 -> (N / 320, layers + 1, width)."""
        side = _MEL_SIZE // 2
        around = F.pad(samples[None, None], (side, side), mode="reflect")
        # the last frame is about what follows the samples
        parts = F.conv1d(around, self.kernels, stride=MEL_HOP)[0, :, :-1].square()
        power = self.filters @ (parts[: side + 1] + parts[side + 1 :])
        levels = power.clamp(min=1e-10).log10()
        mel = (torch.maximum(levels, levels.flatten().amax(0) - RANGE) + 4) / 4
        return torch.cat(self.network(mel[None])).transpose(0, 1)


def window_graph(
    model: Model, spec: ModelSpec, specs: Mapping[str, StreamSpec], embedded: Collection[str]
) -> Any:
    """The ONNX graph of a model, of any number of windows of any length.

    Args:
        model: In evaluation mode, on the CPU.
        spec: Its spec.
        specs: Of its streams, embedded ones as vectors.
        embedded: See `WindowGraph`.

    Returns:
        An `onnx.ModelProto`.

    Raises:
        AffuseError: The model cannot be written as one graph.
    """
    module = WindowGraph(model, spec, embedded).eval()
    streams, masks = example(specs)
    open_sizes = [{0: Dim.AUTO, 1: Dim.AUTO} for _ in specs]
    with torch.no_grad():
        outputs = list(module.outputs(streams, masks))
    names = [name + FEATURES if name in embedded else name for name in specs]
    return _exported(
        module,
        (streams, masks),
        {"streams": open_sizes, "masks": open_sizes},
        [*names, *(name + PRESENT for name in specs)],
        outputs,
        spec.model,
    )


def frame_graph(
    embedder: FrameEmbedder, spec: StreamSpec, statistics: Normalisation | None, model: str
) -> Any:
    """The ONNX graph of a network that sees one frame at a time; see `window_graph`."""
    module = FrameGraph(embedder, spec, statistics).eval()
    (frames,), _ = example({spec.name: spec})
    shapes = {"frames": {0: Dim.AUTO, 1: Dim.AUTO}}
    return _exported(module, (frames,), shapes, [spec.name], [spec.name + FEATURES], model)


def encoder_graph(network: WhisperEncoder, name: str) -> Any:
    """The ONNX graph of an encoder of sound; see `window_graph`."""
    module = EncoderGraph(network).eval()
    shapes = {"samples": {0: Dim.AUTO}}
    return _exported(module, (torch.zeros(320 * 8),), shapes, [SAMPLES], [STATES], name)


#: Of an example: with so many, no network that makes one frame of 32 has a single one left, which
#: would be taken for the only length there is.
_FRAMES = 43


def example(
    specs: Mapping[str, StreamSpec], rows: int = 3, seed: int = 0
) -> tuple[list[Tensor], list[Tensor]]:
    """Streams and masks of some windows of noise, of which some frames are absent."""
    generator = torch.Generator().manual_seed(seed)
    streams, masks = [], []
    for number, spec in enumerate(specs.values()):
        shape = (rows, _FRAMES + number, *spec.shape)
        if spec.dtype == "uint8":
            x = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        else:
            x = torch.randn(shape, generator=generator).to(getattr(torch, spec.dtype))
        streams.append(x)
        masks.append(torch.rand(shape[:2], generator=generator) < 0.8)
    return streams, masks


def _exported(
    module: nn.Module,
    arguments: tuple[Any, ...],
    shapes: Mapping[str, Any],
    inputs: Sequence[str],
    outputs: Sequence[str],
    name: str,
) -> Any:
    """A module as an `onnx.ModelProto`; an `AffuseError` where its model cannot be one."""
    try:
        with _quiet(), torch.no_grad():
            program = torch.export.export(
                module,
                arguments,
                dynamic_shapes=dict(shapes),
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            found = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                verbose=False,
            )
    except Exception as error:  # whatever torch says about a line of the model
        reason = next((x.strip() for x in str(error).splitlines() if x.strip()), repr(error))
        raise AffuseError(
            f"{name} cannot be exported: what it computes depends on the values of a window in a "
            f"way that no graph has ({type(error).__name__}: {reason[:160]})"
        ) from error
    assert found is not None
    model = found.model_proto
    for value in model.graph.input:
        sizes = value.type.tensor_type.shape.dim
        if any(not size.dim_param for size in sizes[: len(_open(shapes))]):
            raise AffuseError(f"{name} cannot be exported: it takes {value.name} of one size alone")
    return model


def _open(shapes: Any) -> Mapping[int, Any]:
    """The open sizes of an input."""
    first = next(iter(shapes.values()))
    return first[0] if isinstance(first, list) else first


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A block in which the exporter does not report its steps."""
    logging.disable(logging.WARNING)
    silence = io.StringIO()
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(silence),
            contextlib.redirect_stderr(silence),
        ):
            yield
    finally:
        logging.disable(logging.NOTSET)
