"""Published checkpoints of all five systems, converted and scored by command.

The checkpoints hold random weights under the published names, the corpora random streams; what is
scored must be what the model says of each clip by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import uniform_filter1d
from tests.commands import run

from affuse.corpora.clip import Clip, Corpus
from affuse.features import emoca
from affuse.features.batch import Batch
from affuse.features.catalogue import stream_spec
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.models.checkpoints import published_state_dict
from affuse.models.modelfile import load_model, read_spec
from affuse.models.registry import MODELS, create_model
from affuse.models.systems.chumachenko import published as chumachenko
from affuse.models.systems.leader_follower import published as leader_follower
from affuse.models.systems.rjca import published as rjca
from affuse.tasks.targets import ANNOTATION

FACES = [stream_spec(chumachenko.AUDIO), stream_spec(chumachenko.VIDEO)]
CODES = [StreamSpec("audio/wav2vec2", 50.0, (1024,)), emoca.SPEC]
MAPS = [rjca.AUDIO, rjca.MAPS]
FOLLOWED = [leader_follower.EMBEDDING, *leader_follower.FOLLOWERS]
#: Seconds of the clips, which are shorter than the windows of all models.
SECONDS = (0.9, 1.3, 1.2)


@dataclass
class Random:
    """Random values of a few levels per clip; a stream of a fixed span has all its frames."""

    spec: StreamSpec

    def sources(self, clip: Clip) -> list[Path]:
        return []

    def extract(self, clip: Clip) -> Stream:
        number = int(clip.id[1:])
        random = np.random.default_rng([len(self.spec.name), number])
        if self.spec.span is None:
            frames = round(SECONDS[number % len(SECONDS)] * self.spec.rate)
        else:
            frames = 156 if self.spec.modality == "audio" else 15
        level = random.uniform(-1, 1, self.spec.shape[-1])
        values = random.standard_normal((frames, *self.spec.shape)) + level
        if self.spec.is_picture:
            values = (128 + 40 * values).clip(0, 255)
        return Stream(values.astype(self.spec.dtype), np.ones(frames, bool))


@dataclass
class Annotation(Random):
    """Valence and arousal; nobody annotated the first third of a second."""

    def extract(self, clip: Clip) -> Stream:
        stream = super().extract(clip)
        return Stream(np.tanh(stream.values), np.arange(len(stream.mask)) >= 10)


def corpus_of(folder: Path, name: str, classes: tuple[str, ...], clips: int, task: str) -> Corpus:
    rows = [
        Clip(f"c{k}", speaker=f"s{k}", label=classes[k % len(classes)] if task == "c" else None)
        for k in range(clips)
    ]
    kind = "classification" if task == "c" else "valence-arousal"
    return Corpus(name, folder, rows, classes, "none", task=kind)


def checkpoint(
    folder: Path, name: str, streams: list[StreamSpec], outputs: int, **changes: object
) -> Path:
    """A file with random weights of a model under the published names."""
    torch.manual_seed(1)
    options = MODELS[name].load().published_options() | changes
    model = create_model(name, {s.name: s for s in streams}, outputs, **options)
    path = folder / f"{name}.pth"
    torch.save({"state_dict": published_state_dict(model)}, path)
    return path


def converted(folder: Path, system: str, path: Path, *options: str) -> Path:
    out = path.with_suffix(".safetensors")
    assert run("convert", system, path, *options, "--out", out) == 0
    return out


def alone(model_file: Path, data: Store, clip: Clip) -> Any:
    """What the model says about a clip by itself, its whole streams in one batch."""
    model, spec = load_model(model_file)
    streams, masks = {}, {}
    for name in spec.streams:
        stream = data.stream(name)[clip.id]
        x = torch.from_numpy(np.array(stream.values)).double()
        if name in spec.normalisation:
            mean, std = (
                torch.tensor(x, dtype=torch.float64)
                for x in (spec.normalisation[name].mean, spec.normalisation[name].std)
            )
            x = (x - mean) / std
        x = x.permute(0, 3, 1, 2) if spec.streams[name].is_picture else x
        streams[name], masks[name] = x.float()[None], torch.from_numpy(np.array(stream.mask))[None]
    with torch.no_grad():
        return model(Batch(streams, masks))


CLASSES = {
    "chumachenko-lt": ("chumachenko", FACES, "ravdess", chumachenko.RAVDESS_CLASSES, {"heads": 4}),
    "avtca": ("avtca", FACES, "ravdess", chumachenko.RAVDESS_CLASSES, {}),
    # the corpus has another order of the classes than the checkpoint
    "auxformer": (
        "auxformer",
        CODES,
        "cremad",
        ("disgust", "happy", "neutral", "fear", "angry", "sad"),
        {},
    ),
}


@pytest.mark.parametrize("name", CLASSES)
def test_scores_of_classes_are_those_of_the_model(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system, streams, corpus, classes, options = CLASSES[name]
    path = checkpoint(tmp_path, name, streams, len(classes), **options)
    model = converted(tmp_path, system, path, *(f"{k}={v}" for k, v in options.items()))
    specs = read_spec(model).streams
    made = corpus_of(tmp_path, corpus, classes, 3, "c")
    prepare(made, tmp_path / "store", [Random(spec) for spec in specs.values()])
    capsys.readouterr()
    words = ["--store", tmp_path / "store", "--conditions", "av"]
    assert run("evaluate", model, *words) == 0
    printed = capsys.readouterr()
    assert f"all clips of the {corpus} store (no --protocol)" in printed.out
    warning = printed.err.splitlines()
    told = "RAVDESS" if corpus == "ravdess" else "CREMA-D or MSP-IMPROV"
    assert len(warning) == 1 and told in warning[0] and "does not tell which clips" in warning[0]
    assert ("released weights: ravdess/chumachenko" in warning[0]) == (system == "chumachenko")
    out = tmp_path / f"{name}-evaluation"
    scores = json.loads((out / "metrics.json").read_text())
    assert scores["protocol"] is None and scores["role"] == "all" and scores["warnings"]
    data = Store(tmp_path / "store")
    ours = read_spec(model).outputs
    logits = torch.cat([alone(model, data, clip).logits for clip in data.clips]).double()
    assert logits.std(0).min() > 1e-4, "clips must differ"
    shares = logits.softmax(-1).numpy()
    true = [ours.index(clip.label) for clip in data.clips]
    nll = -np.log(shares[np.arange(3), true]).mean()
    found = scores["conditions"]["av"]
    assert found["nll"] == pytest.approx(nll, rel=1e-5)
    assert found["accuracy"] == np.mean(shares.argmax(1) == true)
    table = pd.read_csv(out / "predictions.csv", dtype={"clip": str})
    table = table.set_index("clip").loc[[clip.id for clip in data.clips]]
    assert table[[f"p_{c}" for c in ours]].to_numpy() == pytest.approx(shares, abs=1e-6)
    assert list(table["label"]) == [clip.label for clip in data.clips]
    assert (out / "confusion-av.png").is_file()


VALUES = {
    "rjca": ("rjca", MAPS, ("valence", "arousal"), {}),
    "leader-follower": ("leader-follower", FOLLOWED, ("arousal",), {"video": "vectors"}),
}


@pytest.mark.parametrize("name", VALUES)
def test_scores_of_values_are_those_of_the_model(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system, streams, dimensions, options = VALUES[name]
    path = checkpoint(tmp_path, name, streams, len(dimensions), **options, head="frames")
    model = converted(tmp_path, system, path, f"classes={','.join(dimensions)}")
    spec = read_spec(model)
    made = corpus_of(tmp_path, "affwild2", ("valence", "arousal"), 3, "v")
    annotated = Annotation(StreamSpec(ANNOTATION, 30.0, (2,)))
    extractors = [*(Random(stream) for stream in spec.streams.values()), annotated]
    prepare(made, tmp_path / "store", extractors)
    capsys.readouterr()
    assert run("evaluate", model, "--store", tmp_path / "store", "--conditions", "av") == 0
    printed = capsys.readouterr()
    assert "all clips of the affwild2 store (no --protocol)" in printed.out
    assert "its training data are Aff-Wild2" in printed.err
    out = tmp_path / f"{name}-evaluation"
    scores = json.loads((out / "metrics.json").read_text())
    assert scores["dimensions"] == spec.outputs == list(dimensions)
    sizes = {"rjca": [20, 50]}.get(name, [1])  # frames over which the published test averages
    assert scores["smoothing"] == {str(model): sizes if len(sizes) > 1 else 0.0}
    data = Store(tmp_path / "store")
    values, truth = [], []
    for clip in data.clips:
        target = data.stream(ANNOTATION)[clip.id]
        said = alone(model, data, clip).values[0].double().numpy()[: len(target.mask)].clip(-1, 1)
        averages = [
            uniform_filter1d(x, size, mode="constant")
            for x, size in zip(said.T, sizes, strict=True)
        ]
        said = np.stack(averages, 1)
        values.append(said[target.mask])
        columns = [("valence", "arousal").index(d) for d in dimensions]
        truth.append(target.values[target.mask][:, columns].astype(float))
        written = pd.read_csv(out / f"predictions/av/fold0/{clip.id}.csv")
        assert written[list(dimensions)].to_numpy() == pytest.approx(said, abs=2e-5)
    x, y = np.concatenate(values), np.concatenate(truth)
    assert x.std(0).min() > 1e-3, "frames must differ"
    for d, dimension in enumerate(dimensions):
        a, b = x[:, d], y[:, d]
        ccc = 2 * np.mean((a - a.mean()) * (b - b.mean()))
        ccc /= a.var() + b.var() + (a.mean() - b.mean()) ** 2
        found = scores["conditions"]["av"]["dimensions"][dimension]["ccc"]
        assert found == pytest.approx(ccc, abs=1e-5)
    assert scores["conditions"]["av"]["frames"] == len(x)
