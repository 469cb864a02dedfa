"""`--hop` is the distance between the rows of every recording."""

import csv
import wave
from pathlib import Path

import numpy as np
import pytest

from affuse.cli.main import main
from affuse.inference.predictor import Predictor
from affuse.models.bundled import BUNDLED
from affuse.tasks.timeline import Timeline

DURATIONS = (2.0, 5.0, 7.3, 8.05)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("voices")
    random = np.random.default_rng(0)
    for seconds in DURATIONS:
        noise = random.normal(0, 4000, round(seconds * 16000)).astype("<i2")
        with wave.open(str(folder / f"{seconds}.wav"), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes(noise.tobytes())
    return [folder / f"{seconds}.wav" for seconds in DURATIONS]


def test_rows_lie_on_one_grid_and_reach_the_end(voices: list[Path], tmp_path: Path) -> None:
    words = ["predict", *map(str, voices), "--out", str(tmp_path), "--hop", "0.8"]
    assert main(words) == 0
    window = Predictor(BUNDLED).window
    for path, seconds in zip(voices, DURATIONS, strict=True):
        rows = list(csv.DictReader((tmp_path / f"{path.stem}.csv").open()))
        starts = [float(row["start"]) for row in rows]
        assert starts == pytest.approx([0.8 * k for k in range(len(rows))], abs=1e-3)
        assert float(rows[-1]["end"]) == pytest.approx(seconds, abs=0.01)
        assert len(rows) == 1 + max(0, int(np.ceil((seconds - window) / 0.8)))
        assert all(row["emotion"] for row in rows)


def test_a_window_says_the_same_at_any_hop_and_in_a_longer_recording(voices: list[Path]) -> None:
    coarse: Timeline
    fine: Timeline
    coarse, fine = (Predictor(BUNDLED, hop).read(voices[3])[0] for hop in (1.2, 0.6))
    whole = coarse.ends - coarse.starts > 2.99
    np.testing.assert_allclose(
        coarse.probabilities[whole], fine.probabilities[::2][: whole.sum()], atol=1e-5
    )


def test_shares_are_of_what_lies_inside_the_recording(voices: list[Path]) -> None:
    for path in voices:
        timeline: Timeline
        (timeline,) = Predictor(BUNDLED, 0.8).read(path)
        assert timeline.window_presence["audio"].min() > 0.95


@pytest.mark.parametrize("hop", ["0", "-1", "nan", "inf", "3.1"])
def test_a_hop_that_leaves_something_out_is_refused(
    voices: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], hop: str
) -> None:
    assert main(["predict", str(voices[0]), "--out", str(tmp_path / "o"), f"--hop={hop}"]) == 2
    said = capsys.readouterr().err
    assert "hop" in said.splitlines()[-1] and "Traceback" not in said
    assert not (tmp_path / "o").exists()
