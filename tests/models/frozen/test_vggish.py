"""VGGish as a stream: what its rows are about, with weights of no training."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.extractor import check_same_stream
from affuse.features.prepare import prepare
from affuse.features.sound import FrameAlignment
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.features.vggish_logmel import vggish_examples
from affuse.models.backbones.vggish import VGGish
from affuse.models.checkpoints import convert
from affuse.models.frozen import vggish as frozen
from affuse.models.modelfile import ModelSpec, load_model, save_model

soundfile = pytest.importorskip("soundfile")

NAMES: dict[str, FrameAlignment] = {
    "audio/vggish": "centred",
    "audio/vggish-causal": "causal",
    "audio/vggish-published": "published",
}


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """(N,) float32 in 16-bit steps."""
    sound = np.random.default_rng(seed).normal(0, 0.05, int(seconds * 16000))
    return (np.round(sound * 32768) / 32768).astype(np.float32)


def write(path: Path, sound: np.ndarray) -> Path:
    soundfile.write(path, sound, 16000, "PCM_16")
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file that `affuse convert vggish` makes."""
    folder = tmp_path_factory.mktemp("vggish")
    torch.manual_seed(0)
    torch.save(VGGish().state_dict(), folder / "published.pth")
    convert("vggish", folder / "published.pth", folder / "vggish.safetensors")
    (folder / "published.pth").unlink()
    return folder / "vggish.safetensors"


@pytest.fixture(scope="module")
def network(source: Path) -> torch.nn.Module:
    return load_model(source)[0].get_submodule("backbone")


def extract(name: str, source: Path, audio: Path) -> Stream:
    extractor = pickle.loads(pickle.dumps(create_extractor(name, source)))
    stream = extractor.extract(Clip("a", audio=audio))
    assert stream is not None and stream.values.dtype == np.float32
    return stream


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_what_the_network_makes_of_the_examples(
    tmp_path: Path, source: Path, network: torch.nn.Module, name: str
) -> None:
    sound = noise(0.9)
    stream = extract(name, source, write(tmp_path / "a.wav", sound))
    examples = vggish_examples(sound, NAMES[name])
    with torch.no_grad():
        every = network(torch.from_numpy(examples.some(np.arange(27)))).numpy()
    assert stream.values.shape == every.shape == (27, 128) and stream.start == 0.0
    there = slice(15 if name == "audio/vggish-causal" else 0, None)
    np.testing.assert_array_equal(np.flatnonzero(stream.mask), np.arange(27)[there])
    np.testing.assert_allclose(stream.values[there], every[there], rtol=0, atol=1e-5)
    assert every[there].std(0).max() > 1e-4, "rows differ"
    assert (stream.values[~stream.mask] == 0).all()


def test_the_number_of_examples_at_once_does_not_show(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = write(tmp_path / "a.wav", noise(0.7))
    whole = extract("audio/vggish", source, audio).values
    monkeypatch.setattr(frozen, "CHUNK", 4)
    np.testing.assert_allclose(extract("audio/vggish", source, audio).values, whole, atol=1e-6)


def test_causal_rows_have_not_heard_what_comes_later(tmp_path: Path, source: Path) -> None:
    sound = noise(0.9)
    other = np.concatenate([sound[:11200], noise(0.2, seed=1)])
    before, after = (
        extract("audio/vggish-causal", source, write(tmp_path / f"{n}.wav", x))
        for n, x in enumerate((sound, other))
    )
    # The change is at 0.7 s, where row 21 is.
    np.testing.assert_allclose(after.values[:22], before.values[:22], rtol=0, atol=1e-7)
    assert (np.abs(after.values[22:] - before.values[22:]).max(1) > 1e-5).all()


def test_a_corpus_is_prepared_with_it(tmp_path: Path, source: Path) -> None:
    (tmp_path / "raw").mkdir()
    clips = [
        Clip("a", audio=write(tmp_path / "raw" / "a.wav", noise(0.5)), speaker="s", label="joy"),
        Clip("b", speaker="s", label="joy"),
    ]
    corpus = Corpus("folder", tmp_path / "raw", clips, ("joy",), "none")
    extractor = create_extractor("audio/vggish", {"audio/vggish": source})
    report = prepare(corpus, tmp_path / "store", [extractor])
    assert [clip for clip, _, _ in report.failures] == ["b"]
    file = Store(tmp_path / "store").stream("audio/vggish")
    assert file.spec == extractor.spec and file.spec.rate == 30.0 and file.spec.shape == (128,)
    alone = extract("audio/vggish", source, tmp_path / "raw" / "a.wav")
    np.testing.assert_allclose(file["a"].values, alone.values, rtol=0, atol=1e-5)
    assert prepare(corpus, tmp_path / "store", [extractor]).computed == 0, "it is there"


def test_the_recipe_tells_weights_and_alignments_apart(tmp_path: Path, source: Path) -> None:
    recipes = [create_extractor(name, source).spec.recipe for name in NAMES]
    assert all(a != b for i, a in enumerate(recipes) for b in recipes[:i])
    model, spec = load_model(source)
    with torch.no_grad():
        model.get_submodule("backbone.embeddings")[4].bias += 1
    save_model(tmp_path / "other.safetensors", model, spec)
    specs = [
        create_extractor("audio/vggish", path).spec
        for path in (source, tmp_path / "other.safetensors")
    ]
    with pytest.raises(AffuseError, match="weights"):
        check_same_stream(*specs)


def test_other_files_are_refused(tmp_path: Path, source: Path) -> None:
    with pytest.raises(AffuseError, match="--source"):
        create_extractor("audio/vggish")
    with pytest.raises(BadInput, match=r"nowhere\.safetensors: no such file"):
        create_extractor("audio/vggish", tmp_path / "nowhere.safetensors")
    (tmp_path / "text.safetensors").write_text("x")
    with pytest.raises(BadInput, match=r"text\.safetensors: not a model file"):
        create_extractor("audio/vggish", tmp_path / "text.safetensors")
    read = stream_spec("audio/mfcc39")
    spec = ModelSpec("audio-only", {}, {read.name: read}, {}, ["a", "b"], window=1.0)
    save_model(tmp_path / "other.safetensors", spec.build(), spec)
    with pytest.raises(BadInput, match=r"other\.safetensors: holds .*audio-only.* vggish"):
        create_extractor("audio/vggish-causal", tmp_path / "other.safetensors")
