import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import affuse
from affuse.cli.main import main
from affuse.errors import AffuseError, BadInput
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.features.stream import StreamSpec
from affuse.inference.predictor import Predictor
from affuse.models.modelfile import ModelSpec, save_model
from affuse.tasks.timeline import Timeline

CLASSES = ["neutral", "happy", "sad"]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with random weights; what it says is arbitrary, how it is applied is not."""
    names = ["audio/mfcc10", "video/faces48"]
    torch.manual_seed(0)
    network = affuse.create_model("chumachenko-it", names, len(CLASSES))
    spec = ModelSpec(
        model="chumachenko-it",
        options={},
        streams={name: stream_spec(name) for name in names},
        normalisation={
            "audio/mfcc10": Normalisation(std=(100.0,)),
            "video/faces48": Normalisation(std=(255.0,)),
        },
        outputs=CLASSES,
        task="classification",
        window=2.0,
        training={"corpus": "nothing", "licence": "CC0"},
    )
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, network, spec)
    return path


def test_a_long_recording_is_covered_by_overlapping_windows(model: Path, shared_data: Path) -> None:
    timeline: Timeline = affuse.predict(shared_data / "videos" / "expressive_s18.mp4", model)
    assert timeline.starts[0] == 0 and timeline.ends[-1] == pytest.approx(timeline.duration)
    hops = np.diff(timeline.starts)
    assert hops == pytest.approx(hops[0]) and 0.4 < hops[0] <= 0.5
    assert np.allclose(timeline.probabilities.sum(1), 1, atol=1e-5)
    assert timeline.presence["video"].share >= 0.95
    assert len(timeline.key_frames) == 10


def test_a_window_says_the_same_whatever_surrounds_it(model: Path, shared_data: Path) -> None:
    path = shared_data / "videos" / "expressive_s18.mp4"
    duration = affuse.predict(path, model).duration
    hop = (duration - 2.0) / 8
    coarse: Timeline
    fine: Timeline
    coarse, fine = (Predictor(model, hop=h).predict(path, thumbnails=False) for h in (2 * hop, hop))
    np.testing.assert_allclose(coarse.probabilities, fine.probabilities[::2], atol=1e-5)


def test_the_four_files_agree_and_the_page_needs_nothing_else(
    model: Path, shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "videos" / "bbaf2n.mpg"
    assert main(["predict", str(path), "--model", str(model), "--out", str(tmp_path)]) == 0
    rows = list(csv.DictReader((tmp_path / "bbaf2n.csv").open()))
    facts = json.loads((tmp_path / "bbaf2n.json").read_text())
    assert len(rows) == len(facts["windows"])
    for row, window in zip(rows, facts["windows"], strict=True):
        assert float(row["start"]) == pytest.approx(window["start"], abs=1e-3)
        assert float(row["happy"]) == pytest.approx(window["probabilities"]["happy"])
        likeliest, *others = sorted(window["probabilities"].items(), key=lambda item: -item[1])
        clear = likeliest[1] >= 0.4 and likeliest[1] - others[0][1] >= 0.1
        assert row["emotion"] == (likeliest[0] if clear else "unclear")
    page = (tmp_path / "bbaf2n.html").read_text()
    assert "polyline" in page and "data:image/jpeg;base64," in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert (tmp_path / "bbaf2n.png").read_bytes().startswith(b"\x89PNG")


def test_a_recording_without_a_face_has_none_and_sound_alone_is_enough(
    model: Path, shared_data: Path
) -> None:
    timeline: Timeline = affuse.predict(shared_data / "videos" / "no_face.mp4", model)
    assert timeline.presence["video"].share == 0 and timeline.presence["audio"].share == 1
    speech = shared_data / "ravdess_speech" / "Actor_01" / "03-01-01-01-01-01-01.flac"
    timeline = affuse.predict(speech, model)
    assert timeline.presence["video"].share == 0
    assert (timeline.window_presence["video"] == 0).all()
    assert not np.isnan(timeline.probabilities).any()


def test_a_recording_without_sound_is_read_from_the_face(model: Path, shared_data: Path) -> None:
    timeline = affuse.predict(shared_data / "videos" / "expressive_d0.mp4", model)
    assert timeline.presence["audio"].share == 0 and timeline.presence["video"].share >= 0.95


def test_windows_in_which_nothing_is_present_say_nothing(shared_data: Path, tmp_path: Path) -> None:
    names = ["video/faces48"]
    spec = ModelSpec(
        model="video-only",
        options={},
        streams={name: stream_spec(name) for name in names},
        normalisation={},
        outputs=CLASSES,
        task="classification",
        window=1.0,
        training={},
    )
    save_model(tmp_path / "v.safetensors", affuse.create_model("video-only", names, 3), spec)
    timeline: Timeline = affuse.predict(
        shared_data / "videos" / "face_noface.mov", tmp_path / "v.safetensors"
    )
    empty = np.isnan(timeline.probabilities).any(1)
    assert 0 < empty.mean() < 1
    assert (timeline.window_presence["video"][empty] == 0).all()
    timeline.write_csv(tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert [row["emotion"] == "" for row in rows] == empty.tolist()
    with pytest.raises(BadInput, match=r"no_face\.mp4: has no face"):
        affuse.predict(shared_data / "videos" / "no_face.mp4", tmp_path / "v.safetensors")


def write_tone(path: Path, seconds: float) -> Path:
    import soundfile

    soundfile.write(path, 0.1 * np.sin(np.arange(int(16000 * seconds)) / 20), 16000)
    return path


def test_bad_inputs_are_named_in_a_line_each_and_the_others_go_on(
    model: Path, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = {
        "empty.mp4": "empty",
        "text.mp4": "decode",
        "cut.mp4": "decode",
        "folder": "holds no recording",
        "missing.mp4": "no such file",
        "short.wav": "0.20 s",
    }
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a video\n" * 50)
    whole = (shared_data / "videos" / "single_face.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "folder").mkdir()
    write_tone(tmp_path / "short.wav", 0.2)
    good = write_tone(tmp_path / "good.wav", 2.5)
    out = tmp_path / "out"
    paths = [str(tmp_path / name) for name in inputs]
    code = main(["predict", *paths, str(good), "--model", str(model), "--out", str(out)])
    assert code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("affuse")]
    assert len(lines) == len(inputs)
    for name, reason in inputs.items():
        (line,) = (line for line in lines if f"{name}: " in line)
        assert reason in line, line
    assert sorted(path.name for path in out.glob("[!.]*")) == [
        "failures.csv",
        "good.csv",
        "good.html",
        "good.json",
        "good.png",
        "summary.csv",
    ]


def test_files_of_one_stem_do_not_overwrite_each_other(model: Path, tmp_path: Path) -> None:
    a, b = write_tone(tmp_path / "x.wav", 1.0), write_tone(tmp_path / "x.flac", 1.0)
    out = tmp_path / "out"
    assert main(["predict", str(a), str(b), "--model", str(model), "--out", str(out)]) == 0
    assert {path.stem for path in out.glob("*.html")} == {"x_wav", "x_flac"}


def test_a_wrong_model_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tone = write_tone(tmp_path / "x.wav", 1.0)
    (tmp_path / "m.safetensors").write_text("nonsense")
    for name in ("m.safetensors", "none.safetensors"):
        arguments = ["predict", str(tone), "--model", str(tmp_path / name), "--out", str(tmp_path)]
        assert main(arguments) == 2
        assert name in capsys.readouterr().err


def test_models_that_cannot_predict_say_why(tmp_path: Path) -> None:
    stream = StreamSpec("audio/unheard", 50.0, (3,))
    for head, task, specs, message in (
        (
            "classes",
            "valence-arousal",
            [stream_spec("audio/mfcc10")],
            "gives no continuous valence and arousal",
        ),
        ("classes", "classification", [stream], "reads the stream audio/unheard, which affuse"),
    ):
        streams = {spec.name: spec for spec in specs}
        path = tmp_path / "m.safetensors"
        spec = ModelSpec("audio-only", {"head": head}, streams, {}, ["a", "b"], task, 2.0)
        save_model(path, spec.build(), spec)
        with pytest.raises(BadInput, match=message):
            Predictor(path)


def test_a_device_that_is_not_there_is_one_clear_line(model: Path) -> None:
    for device in ("nothing", "cuda:99"):
        with pytest.raises(AffuseError, match=f"device '{device}'"):
            Predictor(model, device=device)
