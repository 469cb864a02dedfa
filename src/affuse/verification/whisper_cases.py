"""Parity of Whisper's encoder with its published weights, which are not part of the project."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from affuse.verification.parity import Case, Measure, NotComputed


def check_encoder(case: Case) -> Iterator[Measure]:
    """The spectrogram, and what comes out of the last layer, of sound padded to 30 s."""
    from affuse.features.whisper_logmel import whisper_logmel
    from affuse.models.backbones.whisper import WhisperEncoder
    from affuse.models.frozen.whisper import load_encoder

    content = case.content
    name = f"whisper-{content['variant']}-encoder.safetensors"
    places = [folder / "whisper" / name for folder in (case.data, case.data.parent)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise NotComputed(f"needs {name} in {places[-1].parent}")
    rate, length = content["rate"], content["length"]
    audio = case.fill.signal(length, rate, content["seed"]).astype(np.float32)
    audio = np.pad(audio, (0, content["padded_to_seconds"] * rate - length))
    told, output = content["mel"], content["output"]
    mel = whisper_logmel(audio, told["shape"][0]).T
    yield "shape of the spectrogram", _differs(mel, told["shape"]), 0.0
    errors = [abs(float(mel[band, t]) - x) for band, t, x in told["probe_first_400_columns"]]
    yield "spectrogram", max(errors), 1e-3
    network = load_encoder(path).network
    assert isinstance(network, WhisperEncoder)
    with torch.inference_mode():
        found = network(torch.from_numpy(mel)[None])[-1][0]
    yield "shape of the output", _differs(found, output["shape"]), 0.0
    flat = found[:200].flatten()
    errors = [abs(float(flat[place]) - x) for place, x in output["probe_first_200_frames"]]
    yield "output", max(errors), 1e-3
    first = found[:181].double()
    yield "mean", abs(float(first.mean()) - output["mean_of_first_181_frames"]), 1e-3
    yield "norm", abs(float(first.norm()) / output["l2_of_first_181_frames"] - 1), 1e-3


def _differs(found: torch.Tensor | np.ndarray, shape: list[int]) -> float:
    return float(list(found.shape) != shape)
