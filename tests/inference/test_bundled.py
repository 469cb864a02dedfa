"""The bundled model, on people, on images and on nobody."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

import affuse
from affuse.cli.main import main
from affuse.corpora.synthetic.sounds import KINDS
from affuse.corpora.synthetic.sounds import sound as drawn
from affuse.errors import BadInput
from affuse.models.bundled import BUNDLED, CARD
from affuse.models.modelfile import read_spec
from affuse.tasks.timeline import Timeline

RATE = 16000


def read(path: Path) -> Timeline:
    timeline = affuse.predict(path)
    assert isinstance(timeline, Timeline)
    return timeline


def sound(path: Path, values: np.ndarray) -> Path:
    soundfile.write(path, values.astype(np.float32), RATE)
    return path


def test_the_file_is_small_and_says_where_it_comes_from() -> None:
    assert BUNDLED.stat().st_size <= 30_000_000
    spec = read_spec(BUNDLED)
    assert spec.outputs == ["neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
    for word in ("CC BY-NC-SA 4.0", "research only", "CC0"):
        assert word in spec.training["licence"]
    card = CARD.read_text(encoding="utf-8")
    for word in ("Intended use", "Known failures", "Licence", "make weights"):
        assert word in card


def test_no_model_given_is_said_once(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = [str(shared_data / "videos" / name) for name in ("bbaf2n.mpg", "square_1.mp4")]
    assert main(["predict", *videos, "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("no --model given") == 1 and str(CARD) in captured.err
    assert main(["live", videos[0], "--hop", "2"]) == 0
    assert capsys.readouterr().err.count("no --model given") == 1


def test_a_face_a_voice_and_both_are_read(shared_data: Path, tmp_path: Path) -> None:
    both = read(shared_data / "videos" / "bbaf2n.mpg")
    assert both.presence["audio"].share == 1 and both.presence["video"].share > 0.9
    assert set(both.ratings) == {"valence", "arousal"}
    voice = read(next((shared_data / "ravdess_speech" / "Actor_11").glob("*.flac")))
    assert voice.presence["video"].share == 0 and voice.known.all()
    assert np.isnan(voice.ratings["valence"]).all()
    voice.write_csv(tmp_path / "voice.csv")
    with (tmp_path / "voice.csv").open() as file:
        assert {row["valence_experimental"] for row in csv.DictReader(file)} == {""}
    voice.write_json(tmp_path / "voice.json")
    windows = json.loads((tmp_path / "voice.json").read_text())["windows"]
    assert windows[0]["experimental"] == {"valence": None, "arousal": None}


@pytest.mark.slow
def test_most_drawn_faces_are_read_as_what_they_show(shared_data: Path) -> None:
    """A hundred images of an expression that everybody draws alike, as single images."""
    pictures = sorted((shared_data / "diffusionfer" / "happy").glob("*"))[:40]
    found = [read(path) for path in pictures]
    assert all(t.window_presence["video"].tolist() == [1.0] for t in found)
    assert np.mean([t.emotion == "happy" for t in found]) > 0.7
    assert np.mean([t.mean_ratings["valence"] for t in found]) > 0.2


@pytest.mark.parametrize("kind", ["zeros", "white", "quiet", *KINDS])
def test_sound_of_nobody_is_no_voice(kind: str, tmp_path: Path) -> None:
    """Drawn with another seed than the sounds that the model learned from."""
    noise = np.random.default_rng(1).standard_normal(6 * RATE)
    values = {"zeros": 0 * noise, "white": 0.1 * noise, "quiet": 0.002 * noise}
    for number in (1, 2):
        heard = values[kind] if kind in values else drawn(3, kind, number, 6)
        timeline = read(sound(tmp_path / "sound.wav", heard))
        assert np.isnan(timeline.probabilities).all(), number
        assert "no voice" in timeline.headline


@pytest.mark.slow
def test_read_sentences_are_neutral(shared_data: Path, tmp_path: Path) -> None:
    for path in sorted((shared_data / "videos").glob("*.mpg")):
        assert main(["predict", str(path), "--out", str(tmp_path)]) == 0
        (rows,) = [json.loads((tmp_path / f"{path.stem}.json").read_text())]
        assert rows["emotion"] in ("neutral", "unclear"), path.name


def test_a_wall_has_no_emotion(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for k, wall in enumerate(
        (np.full((360, 480, 3), 230, np.uint8), random.integers(0, 256, (360, 480, 3), np.uint8))
    ):
        path = tmp_path / f"wall{k}.png"
        assert cv2.imwrite(str(path), wall)
        with pytest.raises(BadInput, match="has neither sound nor a face"):
            affuse.predict(path)


def test_the_compiler_of_torch_is_not_imported_to_open_it() -> None:
    """It takes a second, and predictions do not compile."""
    program = (
        "import sys\n"
        "from affuse.inference.extraction import Extraction\n"
        "from affuse.models.bundled import BUNDLED\n"
        "from affuse.models.opening import open_model\n"
        "applied = open_model(BUNDLED, 'cpu')\n"
        "streams = Extraction(BUNDLED, applied.spec.streams)\n"
        "for name in applied.spec.streams:\n"
        "    streams.extractor(name)\n"
        "print({'torch._dynamo', 'torch._inductor', 'sympy'} & {*sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
