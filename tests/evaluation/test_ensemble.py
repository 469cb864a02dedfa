"""Folds fused into the files of a challenge, and these files checked."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.affwild2 import HIDDEN, TESTED, train_affwild2

from affuse.corpora.affwild2 import read as read_affwild2
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.ensemble import FUSIONS, fuse
from affuse.evaluation.submission import submission_problems, submission_text
from affuse.media.timestamps import picture_times


@pytest.fixture(scope="module")
def made(affwild2_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fused") / "out"
    fuse([affwild2_run / "run"], out, corpus=affwild2_run / "synthetic")
    return out


def values(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1)


def folds_of(out: Path, clip: str) -> list[np.ndarray]:
    """(T, 2) at 30 Hz of each fold."""
    return [np.load(path)["values"] for path in sorted((out / "folds").rglob(f"{clip}.npz"))]


def test_a_file_has_a_row_per_picture_at_the_time_of_the_picture(
    affwild2_run: Path, made: Path
) -> None:
    (path,) = made.glob("*.txt")
    assert path.stem == HIDDEN
    times = picture_times(affwild2_run / "synthetic/videos" / f"{HIDDEN}.avi")
    found = values(path)
    assert len(found) == len(times) and times[1] == pytest.approx(1 / 25)
    parts = folds_of(made, HIDDEN)
    grid = np.arange(len(parts[0])) / 30
    assert len(parts) == 2
    mean = np.mean([[np.interp(times, grid, x) for x in part.T] for part in parts], 0).T
    # The centred fusion is the mean at another level, until it is cut off.
    moved = found - mean
    inside = np.abs(found) < 1
    for d in range(2):
        assert np.ptp(moved[inside[:, d], d]) < 2e-5
    (row,) = csv.DictReader((made / "summary.csv").open())
    assert (row["clip"], row["folds_valence"], row["folds_arousal"]) == (HIDDEN, "2", "2")
    assert submission_problems(made, read_affwild2(affwild2_run / "synthetic")) == ([], [])


def test_without_videos_there_are_30_rows_per_second(affwild2_run: Path, tmp_path: Path) -> None:
    result = fuse([affwild2_run / "run"], tmp_path, "mean")
    assert result.without_video == [HIDDEN] and not result.scores
    parts = folds_of(tmp_path, HIDDEN)
    assert values(tmp_path / f"{HIDDEN}.txt") == pytest.approx(np.mean(parts, 0), abs=6e-6)


def test_development_clips_come_from_the_fold_that_held_them_so(
    affwild2_run: Path, tmp_path: Path
) -> None:
    run = affwild2_run / "run"
    result = fuse([run], tmp_path, "mean", "development", affwild2_run / "synthetic")
    assert result.clips == sorted(TESTED) and set(result.scores) > {"fused"}
    for clip in TESTED:
        assert len(folds_of(tmp_path, clip)) == 1
    with pytest.raises(AffuseError, match="weigh folds by the clips that are judged"):
        fuse([run], tmp_path, "weighted", "development")


def test_weights_are_the_scores_on_development_clips_alone(
    affwild2_run: Path, tmp_path: Path
) -> None:
    run = affwild2_run / "run"
    development = fuse([run], tmp_path / "a", "mean", "development").scores
    weighted = fuse([run], tmp_path / "b", "weighted", truth=affwild2_run / "synthetic/truth")
    assert set(weighted.weights) == set(development) - {"fused"}
    for fold, own in weighted.weights.items():
        assert own == pytest.approx(development[fold])
        assert own != pytest.approx(weighted.scores[fold])
    shares = np.array([list(own.values()) for own in weighted.weights.values()]).clip(0)
    shares = np.where(shares.any(0), shares, 1)
    parts = np.stack(folds_of(tmp_path / "b", HIDDEN))
    wanted = (parts * shares[:, None]).sum(0) / shares.sum(0)
    assert values(tmp_path / "b" / f"{HIDDEN}.txt") == pytest.approx(wanted, abs=6e-6)


def test_an_interrupted_fusion_goes_on_to_the_same_bytes(
    affwild2_run: Path, made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(made, out)
    kept, gone = sorted((out / "folds").rglob("*.npz"))
    before = kept.stat().st_mtime_ns, gone.read_bytes()
    gone.write_bytes(b"half")
    (out / f"{HIDDEN}.txt").unlink()
    fuse([affwild2_run / "run"], out, corpus=affwild2_run / "synthetic")
    assert (kept.stat().st_mtime_ns, gone.read_bytes()) == before
    for path in (path for path in made.rglob("*") if path.is_file()):
        assert (out / path.relative_to(made)).read_bytes() == path.read_bytes()


def test_a_clip_of_which_nothing_is_known_fails_alone(
    affwild2_run: Path, made: Path, tmp_path: Path
) -> None:
    run, out = affwild2_run / "run", tmp_path / "out"
    fuse([run], out, "mean", "development")
    path = next((out / "folds").rglob(f"{TESTED[0]}.npz"))
    with np.load(path) as file:
        content = dict(file)
    content["mask"][:] = False
    np.savez(path, **content)
    (out / f"{TESTED[0]}.txt").unlink()
    result = fuse([run], out, "mean", "development")
    assert result.clips == [TESTED[1]] and not (out / f"{TESTED[0]}.txt").exists()
    assert "knows nothing in any frame" in result.failures[TESTED[0]]
    (row,) = csv.DictReader((out / "failures.csv").open())
    assert row["clip"] == TESTED[0]


def test_one_run_may_know_valence_and_another_arousal(affwild2_run: Path, tmp_path: Path) -> None:
    for name in ("store", "split.csv"):
        (tmp_path / name).symlink_to(affwild2_run / name)
    runs = [
        train_affwild2(tmp_path, name, f"over_time.dimensions=[{name}]", "fold=0")
        for name in ("arousal", "valence")
    ]
    with pytest.raises(AffuseError, match="predict arousal only; name a run for valence too"):
        fuse(runs[:1], tmp_path / "out")
    truth = affwild2_run / "synthetic/truth"
    result = fuse(runs, tmp_path / "out", "mean", truth=truth)
    assert [sorted(own) for own in result.scores.values()] == [
        ["arousal", "valence"],
        ["arousal"],
        ["valence"],
    ]
    arousal, valence = (x[:, 0] for x in folds_of(tmp_path / "out", HIDDEN))
    found = values(tmp_path / "out" / f"{HIDDEN}.txt")
    assert found == pytest.approx(np.stack([valence, arousal], 1), abs=6e-6)
    for who, own in result.scores.items():
        assert all(own[n] == pytest.approx(result.scores["fused"][n], abs=1e-6) for n in own), who

    from affuse.evaluation.evaluate import evaluate

    judged = evaluate(runs[0], ["av"], truth=truth)
    assert judged["dimensions"] == ["arousal"]
    conditions = judged["conditions"]["av"]["dimensions"]
    assert set(conditions) == set(judged["rules"]["ccc"]["default"]) == {"arousal"}


def test_runs_that_cannot_be_fused(affwild2_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(affwild2_run / "run", run)
    with pytest.raises(AffuseError, match="named twice"):
        fuse([run, run], tmp_path / "out")
    with pytest.raises(BadInput, match="is not a run"):
        fuse([tmp_path], tmp_path / "out")
    split = run / "fold0/split.json"
    split.write_text(json.dumps(json.loads(split.read_text()) | {"test": [TESTED[0]]}))
    with pytest.raises(AffuseError, match="no clip is tested in every fold"):
        fuse([run], tmp_path / "out")


def test_mistakes_in_a_submission_are_named_with_file_and_line(
    affwild2_run: Path, made: Path, tmp_path: Path
) -> None:
    corpus = read_affwild2(affwild2_run / "synthetic")
    path = tmp_path / f"{HIDDEN}.txt"
    good = (made / path.name).read_text()

    def problems(text: str) -> list[str]:
        path.write_text(text)
        found, _ = submission_problems(tmp_path, corpus)
        assert all(str(path) in line for line in found)
        return found

    lines = good.splitlines(keepends=True)
    assert problems(good) == []
    (line,) = problems("".join(["arousal,valence\n", *lines[1:]]))
    assert "line 1: 'arousal,valence', expected valence,arousal" in line
    for row, reason in {
        "0.1\n": "not 2 values",
        "0.1,x\n": "not numbers",
        "nan,0.1\n": "not finite",
        "0.1,-1.00001\n": "not within -1 and 1",
    }.items():
        (line,) = problems("".join([*lines[:4], row, row, *lines[6:]]))
        assert "line 5" in line and reason in line
    (line,) = problems("".join(lines[:-2]))
    assert f"line {len(lines) - 2}: {len(lines) - 3} rows" in line
    assert f"has {len(lines) - 1} images" in line
    assert problems("")
    path.unlink()
    (tmp_path / "other.txt").write_text(good)
    missing, stranger = submission_problems(tmp_path, corpus)[0]
    assert "is missing" in missing and "of no test trial" in stranger
    with pytest.raises(BadInput, match="no such folder"):
        submission_problems(tmp_path / "nowhere", corpus)


def test_a_file_says_five_digits() -> None:
    text = submission_text(("valence", "arousal"), np.array([[0.5, -1.0], [1 / 3, 1e-9]]))
    assert text == "valence,arousal\n0.50000,-1.00000\n0.33333,0.00000\n"
    assert set(FUSIONS) == {"centred", "mean", "weighted"}
