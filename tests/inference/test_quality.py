"""Every row of a prediction says on what it rests, and nothing is said where that is worthless."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from tests.faults.timelines import classes_timeline, rows_of, values_timeline
from tests.inference.recordings import STATISTICS
from tests.media.recordings import write_recording

import affuse
from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.features.catalogue import stream_spec
from affuse.inference.output import write_timeline
from affuse.inference.page import timeline_page
from affuse.inference.plot import figure_of
from affuse.media.loudness import BLOCK, Loudness
from affuse.media.quality import FaceQuality, FaceSeries
from affuse.models.baselines.combined import Combined
from affuse.models.modelfile import ModelSpec, save_model
from affuse.tasks.quality import Measures, quality_of
from affuse.tasks.timeline import Timeline

GOOD = FaceQuality(150, 0.2, 0.5, 0.0, 5, 3)
QUALITY = [f"face_{name}" for name in FaceQuality._fields]
QUALITY += ["sound_level", "sound_snr", "sound_voice"]


def measures(level: float = -20.0, seconds: float = 10.0, **worse: float) -> Measures:
    """A face that is seen well throughout but for what is said, and words at a level."""
    times = np.arange(0, seconds, 0.1)
    face = np.tile(np.array(GOOD._replace(**worse), np.float32), (len(times), 1))
    blocks = np.arange(0, seconds, BLOCK)
    power = 10 ** (level / 10) * np.where(np.arange(len(blocks)) % 4 == 0, 1e-3, 4 / 3)
    return Measures(FaceSeries(times, face), Loudness(blocks, power))


def table(timeline: Any, path: Path) -> list[dict[str, str]]:
    timeline.write_csv(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_measured_stands_after_the_columns_of_before(tmp_path: Path) -> None:
    plain = table(classes_timeline(tmp_path / "a.mp4"), tmp_path / "a.csv")
    rows = table(classes_timeline(tmp_path / "a.mp4", measures=measures()), tmp_path / "b.csv")
    assert list(rows[0])[-10:] == [*QUALITY, "low_quality"]
    assert [list(row.values())[:-10] for row in rows] == [list(row.values())[:-10] for row in plain]
    assert all(set(list(row.values())[-10:]) == {""} for row in plain)
    assert rows[0]["face_size"] == "150.0" and rows[0]["face_yaw"] == "5.0"
    assert float(rows[0]["sound_level"]) == pytest.approx(-20, abs=0.5)
    assert float(rows[0]["sound_snr"]) == pytest.approx(30, abs=2)
    assert rows[0]["low_quality"] == ""


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        ({"size": 13}, "small face"),
        ({"sharpness": 0.08}, "blurred"),
        ({"light": 0.08}, "dark"),
        ({"light": 0.9, "clipped": 0.85}, "overexposed"),
        ({"yaw": -65}, "turned away"),
        ({"level": -80}, "quiet"),
    ],
)
def test_low_quality_is_marked_with_its_reason(
    worse: dict[str, float], reason: str, tmp_path: Path
) -> None:
    timeline = classes_timeline(tmp_path / "a.mp4", measures=measures(**worse)).withhold()
    assert timeline.withheld is None and timeline.quality.counts() == {reason: 3}
    rows = table(timeline, tmp_path / "a.csv")
    assert {row["low_quality"] for row in rows} == {reason} and rows[0]["emotion"] == "neutral"
    assert f"low quality 100% ({reason})" in timeline_page(timeline)
    labels = [t.get_text() for axes in figure_of(timeline).axes for t in axes.get_yticklabels()]
    assert f"low quality 100%\n({reason})" in labels


def test_steady_sound_is_noisy() -> None:
    steady = Loudness(np.arange(0, 10, BLOCK), np.full(200, 0.01))
    spans = np.array([0.0]), np.array([3.0])
    found = quality_of(Measures(None, steady), *spans, {"audio": np.ones(1)})
    assert found.reasons == (("noisy",),) and not found.worthless.any()


def test_sound_in_which_nobody_is_heard_is_marked_and_withheld_without_a_face(
    tmp_path: Path,
) -> None:
    probabilities = rows_of(0.8, 1 / 7, 1 / 7, 0.8, 1 / 7)
    timeline = classes_timeline(
        tmp_path / "a.mp4",
        probabilities,
        measures=measures(),
        voice=np.array([0.09, 0.0, 0.1, np.nan, 0.0], np.float32),
        window_presence={"audio": np.ones(5), "video": np.array([1.0, 0.0, 0.0, 0.0, 0.05])},
    ).withhold()
    rows = table(timeline, tmp_path / "a.csv")
    assert [row["sound_voice"] for row in rows] == ["0.09", "0.00", "0.10", "", "0.00"]
    reasons = [row["low_quality"] for row in rows]
    assert reasons == ["no voice", "no voice", "", "", "no voice"]
    said = ["neutral", "withheld", "unclear", "neutral", "withheld"]
    assert [row["emotion"] for row in rows] == said, "the face has the word where there is one"
    assert [row["neutral"] for row in rows][1] == "" and rows[0]["neutral"] != ""
    assert "2 of 5 windows withheld (no voice)" in (page := timeline_page(timeline))
    assert "SNR 30 dB, voice 0.05" in page and '["voice", ""]' in page
    np.testing.assert_allclose(timeline.overall, probabilities[[0, 2, 3]].mean(0), atol=1e-6)


def test_a_face_that_shows_nothing_does_not_save_sound_without_a_voice(tmp_path: Path) -> None:
    nobody: dict[str, Any] = {
        "voice": np.zeros(3, np.float32),
        "probabilities": rows_of(0.8, 0.3, 0.9),
    }
    for worse, kept in (({}, True), ({"sharpness": 0.07}, True), ({"sharpness": 0.01}, False)):
        timeline = classes_timeline(tmp_path / "a.mp4", measures=measures(**worse))
        timeline = replace(timeline, **nobody).withhold()
        assert timeline.known.tolist() == [kept] * 3


def test_a_model_that_does_not_tell_voices_marks_none(tmp_path: Path) -> None:
    timeline = classes_timeline(tmp_path / "a.mp4", measures=measures())
    assert timeline.quality.counts() == {} and ", voice" not in timeline_page(timeline)
    assert {row["sound_voice"] for row in table(timeline, tmp_path / "a.csv")} == {""}


def combined_model(path: Path, heard: bool) -> Path:
    """A model file of arbitrary weights that hears a voice everywhere, or nowhere."""
    names = ["audio/logmel64-16k", "video/faces48"]
    torch.manual_seed(0)
    network = affuse.create_model("combined", names, 3, voice=True)
    assert isinstance(network, Combined) and network.voice is not None
    with torch.no_grad():
        network.voice.score.weight.zero_()
        network.voice.score.bias.fill_(1.0 if heard else -1.0)
    spec = ModelSpec(
        model="combined",
        options={"voice": True},
        streams={name: stream_spec(name) for name in names},
        normalisation={name: STATISTICS[name] for name in names},
        outputs=["neutral", "happy", "sad"],
        window=2.0,
        training={"corpus": "nothing", "licence": "CC0"},
    )
    save_model(path, network, spec)
    return path


def test_what_a_model_hears_reaches_the_files(tmp_path: Path, varying: Path) -> None:
    tone = tmp_path / "tone.wav"
    wave = 0.3 * np.sin(2 * np.pi * 300 * np.arange(64000) / 16000)
    write_recording(tone, sound=wave[None], rate=16000, audio_codec="pcm_s16le")
    for heard in (True, False):
        model = combined_model(tmp_path / f"{heard}.safetensors", heard)
        out = tmp_path / str(heard)
        words = ["--model", str(model), "--out", str(out)]
        assert main(["predict", str(tone), str(varying), *words]) == 0
        for name in (tone.stem, varying.stem):
            with (out / f"{name}.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            voices = {row["sound_voice"] for row in rows if float(row["audio_present"]) > 0.5}
            assert voices == {"1.00" if heard else "0.00"}
            nobody = ["no voice" in row["low_quality"] for row in rows]
            assert any(nobody) == all(nobody) == (not heard)
            withheld = {row["emotion"] == "withheld" for row in rows}
            assert withheld == {name == tone.stem and not heard}
        facts = json.loads((out / "tone.json").read_text())
        assert facts["windows"][0]["quality"]["sound_voice"] == (1.0 if heard else 0.0)
        assert (facts["emotion"] == "withheld") == (not heard)


def test_a_name_is_withheld_only_where_nothing_is_good(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for worse, kept in (
        ({"sharpness": 0.01}, True),  # the voice is good
        ({"level": -95}, True),  # the face is good
        ({"level": -95, "sharpness": 0.07}, True),  # a marked face is better than none
        ({"level": -95, "sharpness": 0.01}, False),
    ):
        timeline = classes_timeline(path, measures=measures(**worse)).withhold()
        assert timeline.known.all() == kept and timeline.known.any() == kept
    absent = {"audio": np.zeros(3), "video": np.ones(3)}
    alone = classes_timeline(path, measures=measures(sharpness=0.01), window_presence=absent)
    assert not alone.withhold().known.any()


def test_what_is_withheld_is_said_in_every_file(tmp_path: Path) -> None:
    rows = rows_of(0.8, 0.3, None, 0.9)
    half = measures(level=-95, sharpness=0.01)
    assert half.face is not None
    values = np.where(half.face.times[:, None] < 2.5, GOOD, half.face.values)
    half = replace(half, face=replace(half.face, values=values.astype(np.float32)))
    timeline = classes_timeline(tmp_path / "a.mp4", rows, measures=half).withhold()
    write_timeline(timeline, tmp_path / "out", "a")
    with (tmp_path / "out" / "a.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [row["emotion"] for row in cells] == ["neutral", "unclear", "", "withheld"]
    assert cells[3]["neutral"] == "" and cells[3]["low_quality"] == "blurred; quiet"
    windows = json.loads((tmp_path / "out" / "a.json").read_text())["windows"]
    assert [window["withheld"] for window in windows] == [False, False, False, True]
    assert windows[3]["probabilities"] is None and windows[0]["probabilities"]["neutral"] == 0.8
    assert windows[3]["low_quality"] == ["blurred", "quiet"]
    assert list(windows[0]["quality"]) == QUALITY and windows[0]["quality"]["face_size"] == 150
    page = (tmp_path / "out" / "a.html").read_text()
    assert "1 of 4 windows withheld (blurred, quiet)" in page
    assert '"withheld": [3]' in page and "Medians: face 150 px" in page


def test_a_recording_of_which_all_is_withheld_is_written(tmp_path: Path) -> None:
    bad = measures(level=-95, light=0.01)
    for timeline in (
        classes_timeline(tmp_path / "a.mp4", measures=bad).withhold(),
        replace(values_timeline(tmp_path / "a.mp4"), measures=bad).withhold(everything=True),
    ):
        assert timeline.headline.startswith("withheld: ") and "dark" in timeline.headline
        write_timeline(timeline, tmp_path / type(timeline).__name__, "a")
    facts = json.loads((tmp_path / "Timeline" / "a.json").read_text())
    assert facts["emotion"] == "withheld" and facts["probabilities"] is None
    facts = json.loads((tmp_path / "ValuesTimeline" / "a.json").read_text())
    assert facts["dimensions"]["valence"] == {"mean": None, "min": None, "max": None}
    assert any(facts["withheld"]) and "dark" in facts["low_quality"][0]


def test_values_are_marked_and_stay_unless_asked(tmp_path: Path) -> None:
    plain = replace(values_timeline(tmp_path / "a.mp4"), measures=measures(light=0.01))
    kept = plain.withhold()
    assert kept.withheld is None and kept.known.sum() == 200
    rows = table(kept, tmp_path / "a.csv")
    assert rows[0]["low_quality"] == "dark" and rows[0]["valence"] != ""
    assert list(rows[0])[-7:] == [*QUALITY[:6], "low_quality"]
    assert rows[120]["low_quality"] == ""  # no face is there
    assert not plain.withhold(everything=True).known.any()


@pytest.mark.slow
def test_ordinary_recordings_are_answered(shared_data: Path) -> None:
    for name in ("bbaf2n.mpg", "single_face.mp4", "face_noface.mov", "expressive_d18.mp4"):
        timeline = affuse.predict(shared_data / "videos" / name)
        # the man walks out of the image, and nobody says anything
        assert (timeline.withheld is None) == (name != "face_noface.mov")
        (size, sharpness, light) = [timeline.quality.values[key] for key in QUALITY[:3]]
        assert np.nanmin(size) > 50 and np.nanmin(sharpness) > 0.085 and np.nanmin(light) > 0.1


def test_a_face_in_the_dark_is_withheld_unless_asked(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, kept = tmp_path / "dark.png", None
    for source in sorted((shared_data / "diffusionfer" / "happy").glob("*.jpg"))[:30]:
        image = cv2.imread(str(source))
        assert image is not None
        cv2.imwrite(str(path), np.round(image * 0.09).astype(np.uint8))
        try:
            kept = affuse.predict(path, low_quality="keep")
        except BadInput:  # no face is found in it
            continue
        assert isinstance(kept, Timeline)
        if kept.quality.worthless[0] and kept.emotion != "unclear":
            break
    else:
        pytest.skip("no face is found in the dark")
    assert affuse.predict(path).quality.reasons == kept.quality.reasons == (("dark",),)
    for option, gone in (([], True), (["--low-quality", "keep"], False)):
        out = tmp_path / "-".join(["out", *option])
        assert main(["predict", str(path), "--out", str(out), *option]) == 0
        assert ("withheld: dark" in capsys.readouterr().out) == gone
        with (out / "dark.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert (row["emotion"] == "withheld") == gone == (row["neutral"] == "")
