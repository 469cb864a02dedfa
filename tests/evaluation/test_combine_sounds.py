"""A voice and a face model as one that tells by itself where nobody is heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.test_combine import make_runs, part, toy_batch
from tests.toy import AUDIO, CLASSES, VIDEO, Toy

from affuse.cli.main import main
from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.combine import Combination, combine
from affuse.features.batch import Batch, collate, normalise
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.models.applied import LEAST_VOICE
from affuse.models.base import Output
from affuse.models.modelfile import load_model


class Hum(Toy):
    """Hardly anything moves, far from where voices are."""

    def extract(self, clip: Clip) -> Stream:
        values = np.random.default_rng(int(clip.id)).normal(-4, 0.3, (60, *self.spec.shape))
        return Stream(values.astype(np.float32), np.ones(60, bool))


def sounds(folder: Path, count: int = 40, spec: StreamSpec = AUDIO) -> Path:
    """A store of sounds, each of which is a speaker of its own."""
    rows = [Clip(f"{k:03d}", speaker=f"sound{k}", label="hum") for k in range(count)]
    prepare(Corpus("folder", folder, rows, ("hum",), "CC0, hummed"), folder / "sounds", [Hum(spec)])
    return folder / "sounds"


def combined(runs: Path, out: Path, store: Path | None) -> Combination:
    return combine(part(runs, "audio"), part(runs, "video"), out, sounds=store)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of both modalities, a store `sounds`, and what they make; not to write."""
    folder = make_runs(tmp_path_factory.mktemp("sounds"))
    sounds(folder)
    combined(folder, folder / "plain.safetensors", None)
    return folder


@pytest.fixture(scope="module")
def found(runs: Path) -> Combination:
    return combined(runs, runs / "both.safetensors", runs / "sounds")


def says(file: Path, batch: Batch) -> Output:
    model, spec = load_model(file)
    with torch.no_grad():
        output: Output = model(normalise(batch, spec.normalisation))
    return output


def humming(runs: Path, faces: Batch) -> Batch:
    """The faces of a batch, with a hum instead of the voice."""
    stream = Store(runs / "sounds").stream(AUDIO.name)
    samples = [{AUDIO.name: stream[f"{k % 40:03d}"]} for k in range(len(faces.masks[VIDEO.name]))]
    hums = collate(samples, {AUDIO.name: AUDIO})
    return replace(faces, streams=faces.streams | hums.streams, masks=faces.masks | hums.masks)


def test_it_tells_voices_from_the_sounds(runs: Path, found: Combination) -> None:
    assert found.voices is not None
    assert found.voices.found > 0.95 and found.voices.mistaken < 0.05
    speech, _ = toy_batch(runs)  # of speakers that nothing was learned from
    voices = says(runs / "both.safetensors", speech).voice
    hums = says(runs / "both.safetensors", humming(runs, speech)).voice
    assert voices is not None and hums is not None
    assert (voices >= LEAST_VOICE).float().mean() > 0.95 and (hums < LEAST_VOICE).all()
    gone = says(runs / "both.safetensors", speech.without("audio")).voice
    assert gone is not None and gone.isnan().all()


def test_a_hum_leaves_the_face_alone_and_a_voice_what_it_was(
    runs: Path, found: Combination
) -> None:
    both, plain = runs / "both.safetensors", runs / "plain.safetensors"
    speech, _ = toy_batch(runs)
    hums, heard = humming(runs, speech), says(both, speech).voice
    assert heard is not None
    rows = heard >= LEAST_VOICE
    for file, batch, other in (
        (both, hums, speech.without("audio")),  # as if there were no sound
        (both, hums.without("video"), speech.without("audio").without("video")),
    ):
        torch.testing.assert_close(says(file, batch).logits, says(plain, other).logits)
    assert torch.equal(says(both, speech).logits[rows], says(plain, speech).logits[rows])
    told = says(plain, hums.without("video")).logits.softmax(-1)
    assert (told - 1 / 3).abs().max() > 0.05, "which the model without that takes for a voice"


def test_calibration_and_weights_are_those_without_sounds(runs: Path, found: Combination) -> None:
    plain = combined(runs, runs / "again.safetensors", None)
    assert plain.voices is None
    assert plain.calibration == found.calibration and plain.temperatures == found.temperatures
    (one, spec), (other, own) = (
        load_model(runs / f"{name}.safetensors") for name in ("plain", "both")
    )
    state = other.state_dict()
    assert {*state} - {*one.state_dict()} == {"voice.score.weight", "voice.score.bias"}
    assert all(torch.equal(x, state[name]) for name, x in one.state_dict().items())
    assert "voice" not in spec.options and "voice" not in spec.training
    assert own.options["voice"] is True


def test_the_model_file_says_what_it_learned_no_voice_from(runs: Path, found: Combination) -> None:
    assert found.voices is not None
    training = load_model(runs / "both.safetensors")[1].training
    assert training["voice"] == {
        "sounds": "folder",
        "clips": 40,
        "found": round(found.voices.found, 4),
        "mistaken": round(found.voices.mistaken, 4),
    }
    assert training["licence"].endswith("sounds: CC0, hummed")
    again = runs / "again.safetensors"
    combined(runs, again, runs / "sounds")
    assert again.read_bytes() == (runs / "both.safetensors").read_bytes()


def test_sounds_that_are_like_voices_are_mistaken_and_it_says_so(
    runs: Path, tmp_path: Path
) -> None:
    rows = [Clip(f"9{k:02d}", speaker=f"p{k}", label=CLASSES[k % 4]) for k in range(40)]
    prepare(Corpus("folder", tmp_path, rows, CLASSES, "x"), tmp_path / "speech", [Toy(AUDIO)])
    told = combined(runs, tmp_path / "both.safetensors", tmp_path / "speech").voices
    assert told is not None and told.mistaken > 0.3


def test_too_few_sounds_are_refused_in_one_line(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, out = sounds(tmp_path, 9), tmp_path / "both.safetensors"
    words = ["combine", "--audio", str(runs / "audio"), "--video", str(runs / "video")]
    assert main([*words, "--sounds", str(few), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("sounds: has 9 sounds; too few to learn what is no voice")
    assert not out.exists()


def test_streams_made_in_another_way_or_not_at_all_are_refused(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.safetensors"
    other = sounds(tmp_path / "other", spec=replace(AUDIO, recipe={"hop": "shorter"}))
    with pytest.raises(AffuseError, match="audio/mfcc10"):
        combined(runs, out, other)
    with pytest.raises(BadInput, match="audio/mfcc10"):
        combined(runs, out, sounds(tmp_path / "none", spec=replace(AUDIO, name="audio/level")))
    assert not out.exists()


def test_by_command(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["combine", "--audio", str(runs / "audio"), "--video", str(runs / "video")]
    words += ["--sounds", str(runs / "sounds"), "--out", str(tmp_path / "both.safetensors")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "voice: heard in 100.0% of clips of speech, and in 0.0% of 40 other sounds" in said
