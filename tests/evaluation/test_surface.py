"""Models scored over changes of the recordings and how strong they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.commands import refused, run
from tests.folders import tree
from tests.melodies import melody_corpus, train_melodies
from tests.toy import AUDIO, VIDEO, toy_store

from affuse.cli.main import main
from affuse.corpora.synthetic.ravdess import synthesise
from affuse.errors import AffuseError
from affuse.evaluation.surface.measure import _axes
from affuse.evaluation.surface.points import Points
from affuse.evaluation.surface.result import areas_of, below_floor
from affuse.evaluation.surface.spec import DEFAULT, Axis, axes_of
from affuse.evaluation.surface.stores import ChangedStores
from affuse.features.store import Store
from affuse.media.changes.registry import CHANGES, Change, modality_of

STREAMS = "audio/mfcc10,video/faces48"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of three actors, its store, and a run of one epoch."""
    folder = tmp_path_factory.mktemp("surface")
    once = {"intensities": (1,), "statements": (1,), "repetitions": (1,)}
    synthesise(folder / "ravdess", actors=[1, 11, 5], seconds=1.0, **once)
    store = folder / "store"
    words = ["ravdess", folder / "ravdess", "--store", store, "--streams", STREAMS]
    assert run("prepare", *words, "--workers", 1) == 0
    words = ["demo", "epochs=1", "--store", store, "--out", folder / "run", "--allow"]
    words.append("missing,near-audio")
    assert run("train", *words) == 0
    return folder


def measure(folder: Path, *words: object, out: str = "results") -> Path:
    """Measure the surface of the run; the folder of its results."""
    root = ["--root", folder / "ravdess", "--workers", 1, "--out", folder / out]
    assert run("evaluate", folder / "run", "--surface", *words, *root) == 0
    return folder / out / "surface"


def predictions(surface: Path, point: str, condition: str) -> pd.DataFrame:
    table = pd.read_csv(surface / f"points/{point}/predictions.csv")
    return table[table["condition"] == condition].drop(columns="condition").reset_index(drop=True)


def test_the_clips_are_the_same_at_every_point(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    surface = measure(trained, "white-noise=0", "lost-frames=1", "delay=-0.9,0.5")
    printed = capsys.readouterr()
    assert "2 of 4: lost-frames=1" in printed.err
    assert (
        "a change leaves nothing of up to 8 clips" in printed.out and "below_floor" in printed.out
    )
    points = [path.name for path in sorted((surface / "points").iterdir())]
    assert points == ["delay=-0.9", "delay=0.5", "lost-frames=1", "unchanged", "white-noise=0"]
    for point in points:
        for condition in ("av", "audio", "video"):
            clips = predictions(surface, point, condition)["clip"]
            assert list(clips) == list(predictions(surface, "unchanged", "av")["clip"])
    for point, condition, like in (
        ("white-noise=0", "video", "video"),  # what is not changed stays
        ("lost-frames=1", "audio", "audio"),
        ("lost-frames=1", "av", "audio"),  # without images it is as if they lacked
        ("delay=-0.9", "av", "video"),  # less than half a second of sound is left
    ):
        pd.testing.assert_frame_equal(
            predictions(surface, point, condition), predictions(surface, "unchanged", like)
        )
    heard = [predictions(surface, point, "audio") for point in ("white-noise=0", "unchanged")]
    assert not heard[0].equals(heard[1])
    assert not (surface / "stores").exists()


def test_tables_and_figure_say_the_same(trained: Path) -> None:
    surface = measure(trained, "packet-loss=0,0.9", out="tables")
    table = pd.read_csv(surface / "surface.csv")
    told = json.loads((surface / "surface.json").read_text())
    assert list(table)[:9] == (
        ["modality", "change", "value", "condition", "metric", "score", "low", "high", "clips"]
    )
    assert set(table["clips"]) == {8} and (surface / "surface.png").stat().st_size > 1000
    main_rows = table[table["metric"] == "accuracy"].set_index(["value", "condition"])["score"]
    (change,) = told["changes"]
    for name, scores in change["scores"].items():
        for value, one in zip(change["values"], scores, strict=True):
            assert main_rows[value, name] == pytest.approx(one["score"])
            metrics = surface / f"points/packet-loss={value:g}/metrics.json"
            there = json.loads(metrics.read_text())["conditions"][name]["accuracy"]
            assert one["score"] == there
    area = sum(one["score"] for one in change["scores"]["av"]) / 2
    assert change["relative_area"] == pytest.approx(area / told["unchanged"]["av"]["score"])


def test_what_changes_nothing_predicts_the_same(trained: Path) -> None:
    surface = measure(trained, "delay=0", "lost-frames=0", "covered-eyes=0", out="same")
    points = {path.name: path / "predictions.csv" for path in (surface / "points").iterdir()}
    assert len(points) == 4
    assert len({path.read_bytes() for path in points.values()}) == 1


def test_a_surface_that_was_interrupted_goes_on(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("white-noise=10", "darkness=4")
    whole = measure(trained, *words, out="whole")
    measured: list[Change | None] = []
    real = Points.measure

    def once(self: Points, change: Change | None, data: Store) -> dict[str, Any]:
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(change)
        return real(self, change, data)

    monkeypatch.setattr(Points, "measure", once)
    root = ["--root", str(trained / "ravdess"), "--workers", "1"]
    out = ["--out", str(trained / "killed")]
    assert main(["evaluate", str(trained / "run"), "--surface", *words, *root, *out]) == 130
    assert not (trained / "killed/surface/surface.json").exists()
    assert (trained / "killed/surface/stores/darkness=4").is_dir()
    before = (trained / "killed/surface/points/white-noise=10/metrics.json").stat()
    monkeypatch.undo()
    resumed = measure(trained, *words, out="killed")
    kept = (resumed / "points/white-noise=10/metrics.json").stat()
    assert kept.st_mtime_ns == before.st_mtime_ns
    assert tree(resumed) == tree(whole)


def test_models_can_share_the_stores(trained: Path) -> None:
    shared = trained / "shared"
    words = ["blur=0.01", "--surface-stores", shared]
    measure(trained, *words, out="first")
    stream = shared / "blur=0.01/video/faces48.safetensors"
    before = stream.stat()
    assert not (shared / "blur=0.01/audio").exists()
    measure(trained, *words, out="second")
    assert stream.stat().st_mtime_ns == before.st_mtime_ns
    measure(trained, *words, "--role", "development", out="third")
    clips = Store(shared / "blur=0.01").stream("video/faces48").clips
    assert len(clips) == 16  # those of both roles stay


def test_points_can_be_compared(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    surface = measure(trained, "gain=-20", out="compared")
    capsys.readouterr()
    tables = [surface / f"points/{point}/predictions.csv" for point in ("unchanged", "gain=-20")]
    assert run("compare", *tables) == 0
    assert "accuracy, condition av, 8 clips" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["noise=5"], "no change named 'noise'"),
        (["white-noise=500"], "change white-noise=500: expected white-noise=VALUE"),
        (["white-noise=0:20"], "one value after the other, not LOW:HIGH"),
        (["white-noise=5,5"], "a value is named twice"),
        (["blur", "blur=0.1"], "blur is named twice"),
        (["gain"], "say how strong: gain=VALUE"),
        (["blur", "--conditions", "av"], "--surface has conditions of its own"),
    ],
)
def test_what_is_no_surface_is_said(
    trained: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    root = ["--root", trained / "ravdess", "--out", trained / "none"]
    assert said in refused(capsys, "evaluate", trained / "run", "--surface", *words, *root)
    assert not (trained / "none").exists()


def test_the_recordings_must_be_there(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", trained / "run"]
    assert "say where the corpus lies: --root" in refused(capsys, *words, "--surface")
    line = refused(capsys, *words, "--surface", "--root", trained)
    assert "lacks" in line and "is it the root of ravdess?" in line
    assert "--root is for --surface" in refused(capsys, *words, "--root", trained)
    assert "--workers is for --surface" in refused(capsys, *words, "--workers", 1)


def test_models_of_one_modality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    melody_corpus(tmp_path)
    assert train_melodies(tmp_path, "run") == 0
    words = ["evaluate", tmp_path / "run", "--root", tmp_path / "wav", "--surface"]
    for change, kind in (("blur", "images"), ("delay=1", "sound and images")):
        line = refused(capsys, *words, change)
        assert f"is a change of {kind}; the model reads sound alone" in line
    assert run(*words, "white-noise=0", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["unchanged"]) == ["audio"] and told["changes"][0]["below_floor"] == []
    shutil.copytree(tmp_path / "plain", tmp_path / "other")
    index = json.loads((tmp_path / "other/store.json").read_text())
    for key in ("digest", "clips"):
        del index[key]
    changed = json.dumps(index | {"changes": ["gain=6"]})
    (tmp_path / "other/store.json").write_text(changed)
    more = ["--store", tmp_path / "other", "--out", tmp_path / "out"]
    assert "name the store of the recordings as they are" in refused(capsys, *words, *more)


def test_what_is_imported_is_left_out_or_refused(tmp_path: Path) -> None:
    store = Store(toy_store(tmp_path, clips=8))
    streams = {spec.name: spec for spec in (AUDIO, VIDEO)}
    told: list[str] = []
    assert {axis.modality for axis in _axes([], streams, told.append)} == {"audio", "both"}
    assert told == ["stream video/openface is imported: changes that touch it are left out"]
    changed = ChangedStores(store, store.clips, streams, tmp_path, tmp_path / "changed", {})
    with pytest.raises(AffuseError, match="video/openface is imported"):
        changed.touched(Change.parse("blur=0.01"))
    with pytest.raises(AffuseError, match="no recording to change"):
        _axes([], {VIDEO.name: VIDEO}, told.append)


def test_the_default_is_of_what_is_read() -> None:
    assert {*DEFAULT} <= {*CHANGES}
    both = axes_of([], {"audio", "video"})
    assert [axis.name for axis in both] == [*DEFAULT]
    for modality in ("audio", "video"):
        names = [axis.name for axis in axes_of([], {modality})]
        assert names == [name for name in DEFAULT if modality_of(name) == modality]
    assert all(3 <= len(axis.values) <= 4 for axis in both)


shares = st.floats(0.01, 1)


@given(shares, st.lists(st.tuples(shares, shares, shares), min_size=1, max_size=5))
def test_areas_and_floors(before: float, scores: list[tuple[float, float, float]]) -> None:
    def result(*three: float) -> dict[str, Any]:
        names = ("av", "audio", "video")
        named = dict(zip(names, three, strict=True))
        return {"conditions": {n: {"accuracy": x} for n, x in named.items()}, "lost": []}

    values = list(range(len(scores)))
    axis = Axis.of("gain", values)
    points = {f"gain={k}": result(*three) for k, three in enumerate(scores)}
    (told,) = areas_of(result(before, 0.5, 0.5), [axis], points, "accuracy")
    mean = sum(av for av, _, _ in scores) / len(scores)
    assert told["relative_area"] == pytest.approx(mean / before)
    below = [k for k, (av, *single) in enumerate(scores) if av < max(single) - 0.01]
    assert told["below_floor"] == below
    assert [below_floor(points[f"gain={k}"], "accuracy") for k in values] == [
        k in below for k in values
    ]


@pytest.mark.slow
def test_valence_and_arousal_too(affwild2_run: Path, tmp_path: Path) -> None:
    corpus = next(path for path in affwild2_run.iterdir() if (path / "videos").exists())
    words = ["--root", corpus, "--out", tmp_path, "--workers", 1]
    assert run("evaluate", affwild2_run / "run", "--surface", "white-noise=0", *words) == 0
    table = pd.read_csv(tmp_path / "surface/surface.csv")
    assert set(table["metric"]) == {"ccc", "ccc_valence", "ccc_arousal"}
    assert table["clips"].nunique() == 1
