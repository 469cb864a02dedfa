"""Streams of a corpus that came as arrays."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.corpora.arrays import BLACK, TRIALS, write_arrays

from affuse.cli.main import main
from affuse.corpora.clip import Clip
from affuse.corpora.registry import read_corpus
from affuse.errors import AffuseError, BadInput
from affuse.features.annotation import AnnotationTrack, problems
from affuse.features.arrays import array_pictures, corpus_extractor, rows_of
from affuse.features.catalogue import stream_spec
from affuse.features.fingerprint import VideoFingerprint
from affuse.features.store import Store
from affuse.models.modelfile import read_spec
from affuse.training.recipe_files import load_recipe

STREAMS = tuple(load_recipe("leader-follower-affwild2-published").streams)
FILES = ("frame", "vggish", "mfcc")
ROWS = {trial: rows for trials in TRIALS.values() for trial, rows in trials.items()}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arrays")
    root, store = write_arrays(folder / "data"), folder / "store"
    words = ["prepare", "affwild2-npy", str(root), "--store", str(store), "--workers", "1"]
    assert main([*words, "--streams", ",".join((*STREAMS, "audio/imported-egemaps"))]) == 0
    return folder


def array(folder: Path, trial: str, name: str) -> np.ndarray:
    return np.load(folder / "data/npy_data" / trial / f"{name}.npy")


def test_the_streams_are_the_arrays(prepared: Path) -> None:
    store = Store(prepared / "store")
    for name, file in zip((*STREAMS, "audio/imported-egemaps"), (*FILES, "egemaps"), strict=True):
        for trial, rows in ROWS.items():
            stream = store.stream(name)[trial]
            values = array(prepared, trial, file)
            assert stream.start == 0 and len(stream.mask) == rows
            assert np.array_equal(stream.values, values.astype(stream.values.dtype))
            black = np.arange(rows) == BLACK[1]
            expected = ~black if (name, trial) == (STREAMS[0], BLACK[0]) else np.ones(rows, bool)
            assert np.array_equal(stream.mask, expected)
    assert store.corpus == "affwild2" and len(store.usable(STREAMS)) == len(ROWS)


def test_labels(prepared: Path) -> None:
    track = Store(prepared / "store").stream("label/valence-arousal")
    for trial in ("b", "12_left", "video9"):
        assert track[trial].mask.all()
        assert np.array_equal(track[trial].values, array(prepared, trial, "label").astype("f4"))
    assert len(track["hidden"].mask) == 0


def test_specs_are_those_of_recordings(prepared: Path) -> None:
    store = Store(prepared / "store")
    for name in (STREAMS[0], STREAMS[2]):
        assert store.stream(name).spec.to_json() == stream_spec(name).to_json()
    vggish = store.stream(STREAMS[1]).spec
    assert vggish.recipe == {} and (vggish.rate, vggish.shape) == (30, (128,))


def test_the_published_recipe_trains_on_them(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a small network for images; IR-50 takes a minute."""
    words = ["train", "leader-follower-affwild2-published", "--store", str(prepared / "store")]
    words += ["--out", str(prepared / "run"), "fold=0", "epochs=1", "batch_size=4", "window=0.6"]
    words += ["hop=0.4", "model.video={name: face-resnet, width: 2}", "plateau.releases=0"]
    assert main(words) == 0
    assert "learned from 6 clips, not from 1 without annotation" in capsys.readouterr().err
    spec = read_spec(prepared / "run/fold0/model.safetensors")
    (deviation,) = set(spec.normalisation[STREAMS[2]].std)  # one for all 39
    rows = np.concatenate([array(prepared, trial, "mfcc") for trial in TRIALS["Train_Set"]])
    assert deviation == pytest.approx(rows.std(), rel=0.02)  # windows overlap


def test_what_is_computed_from_the_pictures(prepared: Path) -> None:
    corpus = read_corpus("affwild2-npy", prepared / "data")
    clip = corpus.clips[1]
    small = corpus_extractor(corpus, "video/aligned40").extract(clip)
    assert small.values.shape == (18, 40, 40, 3) and small.mask.sum() == 17
    prints = VideoFingerprint()
    assert prints.sources(clip) == [clip.images] and prints.extract(clip).mask.any()
    assert problems(clip) == [f"{clip.images}: 1 of 18 face images (5.6%) are black"]


@pytest.mark.parametrize("name", ["audio/mfcc39", "video/faces48", "audio/logmel64-16k"])
def test_streams_that_need_recordings_are_refused(prepared: Path, name: str) -> None:
    corpus = read_corpus("affwild2-npy", prepared / "data")
    with pytest.raises(AffuseError, match=f"holds no recordings to compute {name} of; it has"):
        corpus_extractor(corpus, name)
    with pytest.raises(BadInput, match=r"has no au\.npy of any clip"):
        corpus_extractor(corpus, "video/imported-au")


def test_with_the_weights_of_vggish_models_can_predict(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = read_corpus("affwild2-npy", prepared / "data")
    spec = replace(stream_spec("audio/logmel64-vggish"), name=STREAMS[1], shape=(128,))
    known = type("Extractor", (), {"spec": spec})
    monkeypatch.setattr("affuse.features.arrays.create_extractor", lambda name, source: known)
    extractor = corpus_extractor(corpus, STREAMS[1], Path("vggish.safetensors"))
    assert extractor.spec is spec
    assert np.array_equal(extractor.extract(corpus.clips[0]).values, array(prepared, "b", "vggish"))


class TestRefused:
    def clip(self, path: Path, values: np.ndarray, rows: int = 4) -> Clip:
        np.save(path, values)
        return Clip("x", images=path, annotation=path, end=rows / 30)

    def test_another_number_of_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "frame.npy"
        clip = self.clip(path, np.zeros((5, 48, 48, 3), np.uint8))
        with pytest.raises(BadInput, match=r"frame\.npy: has 5 rows; its clip has 4"):
            array_pictures(path, clip)

    def test_another_shape(self, tmp_path: Path) -> None:
        clip = self.clip(tmp_path / "x.npy", np.zeros((4, 3)))
        with pytest.raises(BadInput, match=r"float64 of shape \(4, 3\), not numbers \(T, 39\)"):
            rows_of(clip.images, clip, (39,))
        with pytest.raises(BadInput, match=r"not numbers \(T, 2\)"):
            AnnotationTrack().extract(clip)

    @pytest.mark.parametrize("values", [np.full((4, 6, 6, 3), 256), np.zeros((4, 6, 6, 3))])
    def test_levels_that_no_picture_has(self, tmp_path: Path, values: np.ndarray) -> None:
        clip = self.clip(tmp_path / "x.npy", values)
        with pytest.raises(BadInput, match="not images of levels from 0 to 255"):
            array_pictures(clip.images, clip)

    @pytest.mark.parametrize("value", [-5.0, 1.5, np.nan])
    def test_labels_that_no_annotation_has(self, tmp_path: Path, value: float) -> None:
        values = np.zeros((20, 2))
        values[2, 1] = value
        clip = self.clip(tmp_path / "label.npy", values, 20)
        with pytest.raises(BadInput, match=r"label\.npy: row 3 holds values beyond -1 to 1"):
            AnnotationTrack().extract(clip)

    def test_pickled_objects_are_not_opened(self, tmp_path: Path) -> None:
        clip = self.clip(tmp_path / "x.npy", np.array([None] * 4))
        with pytest.raises(BadInput, match="pickled"):
            rows_of(clip.images, clip, (39,))
