"""Features of front-ends: what the model computes, at its times, however long the clip."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.synthetic.encode import write_wav
from affuse.errors import BadInput
from affuse.features.batch import Normalisation
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.models.base import Model
from affuse.models.frontends.front_end import FrontEnd
from affuse.models.frozen import front_end
from affuse.models.frozen.network import as_input
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import create_model
from affuse.models.systems.ir50.model import IR50Frames

FRAMES = 150  # of the face images: 5 s
STATISTICS = {"audio": Normalisation((-3.0,), (5.0,)), "video": Normalisation((110.0,), (60.0,))}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """5 s of noise that grows louder, and images that are missing here and there."""
    folder = tmp_path_factory.mktemp("clip")
    rng = np.random.default_rng(0)
    (folder / "faces").mkdir()
    for number in range(1, FRAMES + 1):
        if not 40 <= number < 55 and number != 100:
            picture = rng.integers(0, 256, (48, 48, 3), np.uint8)
            cv2.imwrite(str(folder / "faces" / f"{number:05d}.jpg"), picture)
    sound = rng.normal(0, 0.1, 5 * 16000) * np.linspace(0.1, 1, 5 * 16000)
    write_wav(folder / "a.wav", sound.astype(np.float32), 16000)
    return Clip("a", audio=folder / "a.wav", images=folder / "faces")


def trained(
    path: Path, name: str, *streams: str | StreamSpec, outputs: int = 2, **options: Any
) -> Path:
    """A model file with weights and statistics that are not those of a fresh model."""
    torch.manual_seed(0)
    specs = [stream_spec(s) if isinstance(s, str) else s for s in streams]
    model = create_model(name, {s.name: s for s in specs}, outputs, **options)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 2)
    spec = ModelSpec(
        name,
        options,
        {s.name: s for s in specs},
        {s.name: STATISTICS[s.modality] for s in specs},
        [str(i) for i in range(outputs)],
        window=2.0,
    )
    save_model(path, model, spec)
    return path


def extract(name: str, source: Path, clip: Clip) -> tuple[StreamSpec, Stream]:
    extractor = pickle.loads(pickle.dumps(create_extractor(name, source)))
    stream = extractor.extract(clip)
    assert stream is not None and stream.values.shape == (len(stream.mask), *extractor.spec.shape)
    assert stream.values.dtype == extractor.spec.dtype
    return extractor.spec, stream


def directly(source: Path, read: str, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """What the front-end makes of the whole stream in one pass."""
    model, spec = front_end.frozen_model(source, "test")
    frontend = next(part for part in model.modules() if isinstance(part, FrontEnd))
    stream = create_extractor(read).extract(clip)
    assert stream is not None
    with torch.no_grad():
        statistics, kind = spec.normalisation[read], spec.streams[read].kind
        x, mask = frontend(*as_input(stream.values, stream.mask, statistics, kind))
    return x[0].numpy(), mask[0].numpy()


@pytest.mark.parametrize(
    ("read", "frontend", "rate", "lead"),
    [
        ("audio/mfcc10", "mfcc-conv", 22050 / 512, 6 * 512 / 22050),
        ("audio/logmel16-16k", "logmel-cnn", 6.25, 0.0),
        ("audio/logmel16-16k", "sequence", 50.0, 0.0),
        ("audio/logmel16-16k", "dense", 50.0, 0.0),
        ("video/aligned32", "face-cnn", 30.0, 0.0),
    ],
)
def test_pieces_are_one_pass_at_the_times_of_the_front_end(
    tmp_path: Path,
    clip: Clip,
    monkeypatch: pytest.MonkeyPatch,
    read: str,
    frontend: str,
    rate: float,
    lead: float,
) -> None:
    modality = read.split("/")[0]
    source = trained(tmp_path / "m.safetensors", f"{modality}-only", read, **{modality: frontend})
    expected, there = directly(source, read, clip)
    for piece in (9, 32, 10_000):
        monkeypatch.setattr(front_end, "PIECE", piece)
        spec, stream = extract(f"{modality}/frozen-some", source, clip)
        assert spec.rate == pytest.approx(rate) and stream.start == pytest.approx(lead)
        np.testing.assert_array_equal(stream.mask, there)
        np.testing.assert_allclose(stream.values, expected, atol=2e-5 * np.abs(expected).max())
    if modality == "video":
        numbers = np.arange(1, FRAMES + 1)
        gone = (numbers >= 40) & (numbers < 55) | (numbers == 100)
        np.testing.assert_array_equal(stream.mask, ~gone)
        assert not stream.values[gone].any() and np.abs(stream.values[~gone]).max() > 0.1


def test_through_prepare(tmp_path: Path, clip: Clip) -> None:
    read = "audio/logmel16-16k", "video/aligned32"
    source = trained(tmp_path / "m.safetensors", "late", *read)
    names = ["audio/frozen-voice", "video/frozen-face"]
    corpus = Corpus("own", tmp_path, [clip, Clip("b", audio=clip.audio)], ("x", "y"), "none")
    report = prepare(corpus, tmp_path / "store", [create_extractor(n, source) for n in names])
    assert not report.failures and report.absent == {names[0]: 0, names[1]: 1}
    store = Store(tmp_path / "store")
    for name in names:
        _, expected = extract(name, source, clip)
        found = store.stream(name)["a"]
        np.testing.assert_array_equal(found.values, expected.values)
        np.testing.assert_array_equal(found.mask, expected.mask)
    recipe = store.stream(names[1]).spec.recipe
    assert recipe["reads"]["name"] == "video/aligned32" and len(recipe["weights"]) == 64
    again = trained(tmp_path / "n.safetensors", "late", *read, dropout=0.1)
    assert create_extractor(names[1], again).spec.recipe["weights"] != recipe["weights"]


def test_files_that_cannot_be_the_source(tmp_path: Path) -> None:
    text = tmp_path / "notes.safetensors"
    text.write_text("no weights")
    sound = trained(tmp_path / "sound.safetensors", "audio-only", "audio/mfcc10")
    plain = trained(tmp_path / "plain.safetensors", "audio-only", "audio/mfcc10", audio="vectors")
    own = trained(
        tmp_path / "own.safetensors", "audio-only", StreamSpec("audio/imported-x", 20.0, (4,))
    )
    other = StreamSpec("audio/mfcc10", 22050 / 512, (10,), recipe={"extractor": "another"})
    changed = trained(tmp_path / "changed.safetensors", "audio-only", other)
    for stream, source, message in (
        ("audio/frozen-x", text, "not a model file"),
        ("audio/frozen-x", tmp_path / "absent.safetensors", "no such file"),
        ("video/frozen-x", sound, "audio-only has no front-end for video"),
        ("audio/frozen-x", plain, "hands audio/mfcc10 on as it is"),
        ("audio/frozen-x", own, "reads audio/imported-x, which is imported itself"),
        ("audio/frozen-x", changed, "the model was trained with"),
        ("video/ir50", sound, "holds the model audio-only; expected ir50"),
        ("video/tsav", sound, "holds the model audio-only; expected tsav"),
        ("audio/tsav-published", sound, "holds the model audio-only; expected tsav"),
    ):
        with pytest.raises(BadInput, match=message) as error:
            create_extractor(stream, source)
        assert source.name in str(error.value) and "\n" not in str(error.value)


def test_ir50_sees_the_middle_of_the_pictures(tmp_path: Path, clip: Clip) -> None:
    source = trained(tmp_path / "ir50.safetensors", "ir50", "video/faces40", outputs=8)
    part = Clip("a", images=clip.images, start=1.0, end=2.0)
    spec, stream = extract("video/ir50", source, part)
    assert spec.rate == 30 and spec.shape == (512,)
    numbers = np.arange(31, 61)
    np.testing.assert_array_equal(stream.mask, ~((numbers >= 40) & (numbers < 55)))
    lengths = np.linalg.norm(stream.values, axis=1)
    np.testing.assert_allclose(lengths, stream.mask, atol=1e-5)
    pictures = create_extractor("video/aligned48").extract(part)
    assert pictures is not None
    model: Model = front_end.frozen_model(source, "test")[0]
    assert isinstance(model, IR50Frames)
    middle = torch.from_numpy(pictures.values[3:5, 4:44, 4:44]).movedim(-1, 1).float()
    with torch.no_grad():
        expected = model.backbone((middle - 110) / 60)
    np.testing.assert_allclose(stream.values[3:5], expected, atol=1e-5)


def test_terms_of_the_weights_travel_into_what_is_trained_on_their_features(tmp_path: Path) -> None:
    path = trained(tmp_path / "m.safetensors", "video-only", "video/aligned48", head="frames")
    recipe = create_extractor("video/frozen-x", path).spec.recipe
    assert recipe["licence"] == "not stated"
