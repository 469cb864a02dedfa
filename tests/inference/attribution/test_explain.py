"""`affuse predict --explain` on recordings: its files, and what stays as it is without it."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.inference.recordings import rewrite
from tests.media.recordings import beep, grey, write_recording

import affuse
from affuse.cli.main import main
from affuse.corpora.synthetic.affwild2 import synthesise
from affuse.errors import AffuseError
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.inference.attribution.heat import heated_frames, words_at
from affuse.inference.inputs import find_inputs
from affuse.inference.output import write_people
from affuse.inference.page import timeline_page
from affuse.media.band_stop import Band, BandStop
from affuse.models.modelfile import ModelSpec, save_model
from affuse.tasks.explanation import Explanation

STREAMS = ("audio/logmel32-16k", "video/aligned28")
CLASSES = ["neutral", "happy", "sad"]
FILES = {f"clip{end}" for end in (".csv", ".json", ".html", ".png")}
MORE = {"clip-explained.csv", "clip-explained.json"}


def model_file(path: Path, head: str) -> Path:
    """A model file with random weights; what it says is arbitrary."""
    torch.manual_seed(1)
    outputs = CLASSES if head == "classes" else ["valence", "arousal"]
    network = affuse.create_model("late", list(STREAMS), len(outputs), head=head)
    with torch.no_grad():
        for weights in network.parameters():
            weights.mul_(1.5)  # so that it says something
    task = "classification" if head == "classes" else "valence-arousal"
    statistics = {
        STREAMS[0]: Normalisation((-5.0,), (2.0,)),
        STREAMS[1]: Normalisation((120.0,), (60.0,)),
    }
    specs = {name: stream_spec(name) for name in STREAMS}
    spec = ModelSpec("late", {"head": head}, specs, statistics, outputs, task, 2.0)
    spec.training = {"corpus": "nothing", "licence": "CC0"}
    save_model(path, network, spec)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        head: model_file(folder / f"{head}.safetensors", head) for head in ("classes", "frames")
    }


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of three seconds with a talking face, which is hidden at the end."""
    pytest.importorskip("skimage")
    folder = tmp_path_factory.mktemp("talking")
    synthesise(folder, videos=1, seconds=(3.0, 3.0))
    source = next(iter(sorted((folder / "videos").iterdir())))
    return rewrite(source, folder / "clip.mp4", hidden=(2.0, 9.0))


@pytest.fixture(scope="module", params=["classes", "frames"])
def written(
    request: pytest.FixtureRequest,
    models: dict[str, Path],
    clip: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with the files of the clip, of `classes` or `frames`."""
    out = tmp_path_factory.mktemp(request.param)
    words = ["--model", str(models[request.param]), "--out", str(out), "--explain"]
    assert main(["predict", str(clip), *words]) == 0
    return out


def explained(path: Path, model: Path, **options: Any) -> Explanation:
    found = affuse.predict(path, model, low_quality="keep", explain=True, **options).explanation
    assert found is not None
    return found


def numbers(value: Any) -> list[float]:
    """All numbers of JSON values."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [x for one in value for x in numbers(one)]
    return [value] if isinstance(value, int | float) else []


def test_two_more_files_say_what_it_rests_on(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == FILES | MORE
    facts = json.loads((written / "clip-explained.json").read_text())
    assert np.isfinite(numbers(facts)).all()
    moments, whole = facts["moments"], facts["recording"]
    for name in facts["outputs"]:
        columns = [moments["baseline"][name], *(x[name] for x in moments["contributions"].values())]
        for *parts, output in zip(*columns, moments["output"][name], strict=True):
            assert (output is None) == (None in parts)
            assert output is None or sum(parts) == pytest.approx(output, abs=3e-6)
        parts = [whole["baseline"][name], *(x[name] for x in whole["contributions"].values())]
        assert sum(parts) == pytest.approx(whole["output"][name], abs=3e-6)
    assert {*moments["contributions"]} == {*facts["stretches"]["falls"]} == {"audio", "video"}
    assert {part["what"] for part in facts["parts"]} == {"region", "band"}
    assert {"mouth", "eyes", "nose"} < {part["name"] for part in facts["parts"]}
    assert len(facts["sentences"]) >= 1 and facts["not_available"] == {}


def test_the_table_and_the_timeline_say_the_same(written: Path) -> None:
    rows = list(csv.DictReader((written / "clip-explained.csv").open()))
    assert [*rows[0]] == ["of", "start", "end", "what", "modality", "part", "output", "value"]
    facts = json.loads((written / "clip-explained.json").read_text())
    for row in rows[: 4 * len(facts["outputs"])]:
        assert row["of"] == "recording"
        modality, name = row["modality"], row["output"]
        whole = facts["recording"]
        found = whole["contributions"][modality] if modality else whole[row["what"]]
        assert float(row["value"]) == pytest.approx(found[name], abs=2e-6)
    timeline = json.loads((written / "clip.json").read_text())
    if "windows" in timeline:
        said = [x["probabilities"]["happy"] for x in timeline["windows"] if x["probabilities"]]
    else:
        said = [x for x in timeline["values"]["valence"] if x is not None]
    name = "happy" if "windows" in timeline else "valence"
    outputs = [float(x["value"]) for x in rows if (x["what"], x["output"]) == ("output", name)]
    assert outputs[1:] == pytest.approx(said, abs=2e-6)


def test_the_page_says_it_in_words_and_needs_nothing_else(written: Path) -> None:
    page = (written / "clip.html").read_text()
    sentences = json.loads((written / "clip-explained.json").read_text())["sentences"]
    assert all(sentence in page for sentence in sentences)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    drawings = re.findall(r'<img alt="([^"]*)" src="data:image/png', page)
    assert drawings and all("mouth" in words for words in drawings)
    frames = re.findall(r'<img alt="([^"]*)" style', page)
    assert any("mouth" in words for words in frames) and not re.search(
        r"\bnan\b", page, re.IGNORECASE
    )


def test_without_it_everything_is_as_it_was(
    written: Path, models: dict[str, Path], clip: Path, tmp_path: Path
) -> None:
    model = models[written.name.rstrip("0123456789")]
    words = ["predict", "--model", str(model), "--out", str(tmp_path / "a")]
    assert main([*words, str(clip)]) == 0
    assert {path.name for path in (tmp_path / "a").iterdir()} == FILES
    for name in ("clip.csv", "clip.json"):
        rows = [(folder / name).read_text() for folder in (tmp_path / "a", written)]
        path = [re.sub(r'"path": ".*"', "", text) for text in rows]
        assert path[0] == path[1]
    found = affuse.predict(clip, model, explain=True)
    plain = replace(found, explanation=None)
    assert timeline_page(plain) == (tmp_path / "a" / "clip.html").read_text()
    # the same again to the bit, from Python too
    write_people([found], written.parent / "again", "clip")
    for name in sorted(FILES | MORE):
        assert (written.parent / "again" / name).read_bytes() == (written / name).read_bytes(), name
    # an explanation is no recording, and does not outlive what it explains
    assert not find_inputs([written.parent / "again"], None).names
    assert find_inputs([written.parent / "again"], None).left_out[written.parent / "again"] == []
    write_people([plain], written.parent / "again", "clip")
    assert {path.name for path in (written.parent / "again").iterdir()} == FILES


def test_key_frames_are_tinted_where_the_face_is_and_nowhere_else(
    models: dict[str, Path], clip: Path
) -> None:
    prediction = affuse.predict(clip, models["classes"], explain=True, low_quality="keep")
    heated = heated_frames(prediction)
    changed = [
        (x.picture != y.picture).any() for x, y in zip(heated, prediction.key_frames, strict=True)
    ]
    times = [frame.time for frame in heated]
    assert any(changed) and not any(c for c, t in zip(changed, times, strict=True) if t > 2.2)
    hidden = [frame for frame in prediction.key_frames if frame.time > 2.2]
    assert all(words_at(prediction, frame) == f"{frame.time:.1f} s" for frame in hidden)


def test_bands_of_sound_whose_frames_have_none_are_taken_out_of_the_sound(tmp_path: Path) -> None:
    """MFCCs: a band counts by what is said about the recording that lacks it."""
    torch.manual_seed(1)
    network = affuse.create_model("audio-only", ["audio/mfcc10"], 3)
    statistics = {"audio/mfcc10": Normalisation((-20.0,), (30.0,))}
    specs = {"audio/mfcc10": stream_spec("audio/mfcc10")}
    spec = ModelSpec("audio-only", {}, specs, statistics, CLASSES, "classification", 2.0)
    model = tmp_path / "model.safetensors"
    save_model(model, network, spec)

    def recording(name: str, sound: np.ndarray) -> Path:
        return write_recording(
            tmp_path / name, None, sound[None], rate=22050, audio_codec="pcm_f32le"
        )

    sound = np.random.default_rng(0).normal(0, 0.1, 5 * 22050).astype(np.float32)
    found = explained(recording("whole.wav", sound), model)
    assert found.missing == {} and len(found.parts) == 8
    for number, band in ((0, Band(0, 260)), (3, Band(1100, 1770))):
        stop = BandStop(band, 22050)
        lacking = np.concatenate([stop.push(sound), stop.finish()])
        less = affuse.predict(recording(f"{number}.wav", lacking), model, low_quality="keep")
        fall = found.output - vars(less)["probabilities"]
        part = found.parts[number]
        assert part.name == str(band) and np.abs(part.falls).max() > 1e-3
        np.testing.assert_allclose(part.falls, fall, atol=1e-5)


@pytest.mark.parametrize("head", ["classes", "frames"])
def test_a_recording_without_a_face_or_sound_has_nothing_from_them(
    head: str, models: dict[str, Path], clip: Path, tmp_path: Path
) -> None:
    pictures = [(k / 25, grey(90 + k % 3)) for k in range(50)]
    sound = beep(2.0, 0.5, 16000)
    faceless = write_recording(tmp_path / "faceless.mkv", pictures, sound)
    if head == "classes":
        found = explained(faceless, models[head])
        assert (found.contributions["video"] == 0).all() and found.known.all()
        assert (found.contributions["audio"] != 0).any()
        assert all((part.falls == 0).all() for part in found.parts if part.what == "region")
        assert (found.falls["video"] == 0).all()
    mute = rewrite(clip, tmp_path / "mute.mkv", silent=0.0, codec="ffv1")
    found = explained(mute, models[head])
    assert all(np.isfinite(x[found.known]).all() for x in found.contributions.values())
    assert (found.contributions["video"][found.known] != 0).any()


def test_of_an_image_the_face_has_the_whole_effect(models: dict[str, Path], clip: Path) -> None:
    from PIL import Image

    from affuse.media.video import read_frames

    image = clip.with_suffix(".png")
    Image.fromarray(next(iter(read_frames(clip))).rgb()).save(image)
    found = explained(image, models["classes"])
    assert (found.contributions["audio"] == 0).all()
    np.testing.assert_allclose(found.contributions["video"], found.output - found.baseline)


def test_what_cannot_be_is_refused(models: dict[str, Path], clip: Path, tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match=r"a stretch of 0.01 s: expected 0.1 s or more"):
        affuse.predict(clip, models["classes"], explain=True, stretch=0.01)
    words = ["predict", str(clip), "--model", str(models["classes"]), "--out", str(tmp_path)]
    assert main([*words, "--stretch", "1"]) == 2
    assert main([*words, "--stretch", "0", "--explain"]) == 2
    found = explained(clip, models["classes"], stretch=1.0)
    assert found.stretches[:3].tolist() == [0.0, 1.0, 2.0] and found.stretch == 1.0
