"""`--source` and `--rate`: one for all imported streams, or one for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.commands import run
from tests.media.recordings import counting, write_recording

from affuse.cli.sources import read_sources
from affuse.errors import AffuseError
from affuse.features.catalogue import Rated, create_extractor
from affuse.features.store import Store
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import create_model

STREAMS = ("audio/wav2vec2", "video/emoca50")


def test_a_path_is_for_all_that_are_not_named(tmp_path: Path) -> None:
    assert read_sources([]) == {}
    everything = read_sources(["x"])
    assert set(everything) >= {*STREAMS, "video/openface"}
    assert set(everything.values()) == {Path("x")}
    for words in (["video/emoca50=y=z", "x"], ["x", "video/emoca50=y=z"]):
        assert read_sources(words) == everything | {"video/emoca50": Path("y=z")}
    assert read_sources(["video/emoca50=y"]) == {"video/emoca50": Path("y")}


def test_a_rate_joins_the_source_of_its_stream() -> None:
    a, b = "audio/imported-a", "video/imported-b"
    named = read_sources([f"{a}=x", f"{b}=y", "video/emoca50=z"], [f"{b}=0", "25"])
    assert named == {a: Rated(Path("x"), 25), b: Rated(Path("y"), 0), "video/emoca50": Path("z")}
    assert read_sources([f"{a}=x"], [f"{b}=30"]) == {a: Path("x")}
    shared = read_sources(["x"], [f"{b}=30"])
    assert shared[b] == Rated(Path("x"), 30) and shared["video/openface"] == Path("x")
    with pytest.raises(AffuseError, match="audio/imported-a needs the rate"):
        create_extractor(a, shared)


def test_a_path_with_an_equals_sign_is_a_path_where_it_exists(tmp_path: Path) -> None:
    folder = tmp_path / "mode=static"
    with pytest.raises(AffuseError, match="no imported stream"):
        read_sources([str(folder)])
    folder.mkdir()
    assert set(read_sources([str(folder)]).values()) == {folder}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["video/emoca=x"],
            "no imported stream named 'video/emoca'; did you mean",
        ),
        (["audio/mfcc10=x"], "no imported stream named 'audio/mfcc10'"),
        (["=x"], "no imported stream named ''"),
        (["video/emoca50="], "no path"),
        (["video/emoca50=x", "video/emoca50=y"], "video/emoca50 has a source already, x"),
        (["x", "y"], "has a source already, x"),
    ],
)
def test_mistakes_end_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    (tmp_path / "m").write_text("")
    sources = [part for word in words for part in ("--source", word)]
    for verb in (
        ("prepare", "folder", tmp_path, "--store", tmp_path / "s", "--streams", "audio/mfcc10"),
        ("predict", tmp_path / "m", "--model", tmp_path / "m", "--out", tmp_path / "o"),
    ):
        assert run(*verb, *sources) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and expected in lines[0], lines


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["video/openface=30"],
            "no stream of your own named 'video/openface'; ",
        ),
        (["video/imported-clip="], "no number"),
        (["video/imported-clip=fast"], "'fast' is no number of rows per second"),
        (["25", "30"], "--rate 30: what is not named has a rate already, 25"),
        (["video/imported-clip=-5"], "-5 is no rate in Hz"),
        (
            [],
            "stream video/imported-clip needs the rate of its rows in Hz, such as --rate video/im",
        ),
    ],
)
def test_rates_that_are_none_end_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    (tmp_path / "own").mkdir()
    rates = [part for word in words for part in ("--rate", word)]
    store = ("--store", tmp_path / "s", "--streams", "video/imported-clip")
    write_recording(tmp_path / "a.mp4", counting(50))
    (tmp_path / "clips.csv").write_text("path,label\na.mp4,joy\n")
    assert run("prepare", "folder", tmp_path, *store, "--source", tmp_path / "own", *rates) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("affuse prepare: ") and expected in line
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_own_features_from_prepare_to_predict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rate is said once: the model knows it."""
    own = tmp_path / "own"
    own.mkdir()
    for name in ("a", "b"):
        write_recording(tmp_path / f"{name}.mp4", counting(50))
        np.save(own / f"{name}.npy", np.random.default_rng(0).normal(size=(50, 4)))
    (tmp_path / "clips.csv").write_text("path,label\na.mp4,joy\nb.mp4,anger\n")
    name = "video/imported-clip"
    prepare = ("prepare", "folder", tmp_path, "--store", tmp_path / "store", "--workers", 1)
    assert run(*prepare, "--streams", name, "--source", own, "--rate", 25) == 0
    assert f"{name}: 2 of 2 clips end within 0.2 s" in capsys.readouterr().err

    specs = {name: Store(tmp_path / "store").stream(name).spec}
    spec = ModelSpec(
        model="video-only",
        options={},
        streams=specs,
        normalisation={},
        outputs=["anger", "joy"],
        window=1.0,
    )
    model = tmp_path / "m.safetensors"
    torch.manual_seed(0)
    save_model(model, create_model("video-only", specs, 2), spec)
    predict = ("predict", tmp_path / "a.mp4", "--model", model, "--out", tmp_path / "out")
    for words in ([own], [f"{name}={own}"], [own, "--rate", 25], [own, "--rate", f"{name}=25"]):
        assert run(*predict, "--source", *words) == 0
        assert "face 100%" in capsys.readouterr().out
    assert run(*predict, "--source", own, "--rate", 30) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "made with rate 30.0; the model was trained with 25.0" in line
    assert run(*predict) == 2
    assert f"stream {name} is imported" in capsys.readouterr().err
    for clip in ("a", "b"):
        np.save(own / f"{clip}.npy", np.ones((50, 5)))
    assert run(*predict, "--source", own) == 2
    assert "made with shape [5]; the model was trained with [4]" in capsys.readouterr().err


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[Path, list[str]]:
    """Two recordings, EMOCA's codes of one of them, and a small wav2vec 2.0 network."""
    pytest.importorskip("transformers")
    from tests.models.frozen.test_wav2vec2 import network, save

    random = np.random.default_rng(0)
    for name in ("a", "b"):
        sound = random.normal(0, 0.1, (1, 96000))
        write_recording(tmp_path / f"{name}.mp4", counting(50), sound)
    (tmp_path / "clips.csv").write_text("path,label\na.mp4,joy\nb.mp4,anger\n")
    codes = tmp_path / "emoca" / "a"
    codes.mkdir(parents=True)
    for number in range(1, 51):
        np.save(codes / f"{number}.npy", random.normal(size=50).astype(np.float32))
    weights = save(tmp_path / "w2v", network())
    sources = {"audio/wav2vec2": weights, "video/emoca50": tmp_path / "emoca"}
    words = [part for name, path in sources.items() for part in ("--source", f"{name}={path}")]
    return tmp_path, words


def test_prepare_and_predict_with_a_source_for_each(
    corpus: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sources = corpus
    prepare = ("prepare", "folder", folder, "--store", folder / "store", "--workers", 1)
    assert run(*prepare, "--streams", ",".join(STREAMS), *sources) == 0
    assert "1 clips have no video/emoca50" in capsys.readouterr().err
    store = Store(folder / "store")
    sound, face = (store.stream(name) for name in STREAMS)
    assert sound["a"].values.shape[1:] == (32,) and abs(len(sound["a"].mask) - 99) <= 2
    assert sound["b"].mask.all()
    assert abs(len(face["a"].mask) - 59) <= 1 and face["a"].mask.all()
    assert len(face["b"].mask) == 0
    assert run(*prepare, "--streams", ",".join(STREAMS), *sources) == 0
    assert "0 streams computed, 4 were there already" in capsys.readouterr().err

    torch.manual_seed(0)
    specs = {name: store.stream(name).spec for name in STREAMS}
    spec = ModelSpec(
        model="late",
        options={},
        streams=specs,
        normalisation={},
        outputs=["anger", "joy"],
        task="classification",
        window=1.0,
        training={},
    )
    save_model(folder / "m.safetensors", create_model("late", specs, 2), spec)
    predict = ("predict", folder / "a.mp4", "--model", folder / "m.safetensors")
    assert run(*predict, "--out", folder / "out", *sources) == 0
    assert "face 100%" in capsys.readouterr().out
    assert (folder / "out" / "a.csv").is_file()
    assert run(*predict, "--out", folder / "out", *sources[:2]) == 2
    assert "stream video/emoca50 is imported" in capsys.readouterr().err


@pytest.mark.slow
def test_other_weights_than_in_training_are_refused(
    corpus: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.models.frozen.test_wav2vec2 import network, save

    folder, _ = corpus
    specs = {STREAMS[0]: create_extractor(STREAMS[0], folder / "w2v").spec}
    spec = ModelSpec(
        model="audio-only",
        options={},
        streams=specs,
        normalisation={},
        outputs=["anger", "joy"],
        task="classification",
        window=1.0,
        training={},
    )
    save_model(folder / "m.safetensors", create_model("audio-only", specs, 2), spec)
    save(folder / "other", network(9))
    predict = ("predict", folder / "a.mp4", "--model", folder / "m.safetensors")
    assert run(*predict, "--out", folder / "out", "--source", folder / "w2v") == 0
    capsys.readouterr()
    assert run(*predict, "--out", folder / "out", "--source", folder / "other") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "stream audio/wav2vec2 is made with weights" in line
