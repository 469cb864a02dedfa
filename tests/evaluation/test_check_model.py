"""Checks of models: a planted fault fails its own check, a good model none."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.checked import tone_corpus, tones_model
from tests.commands import refused, run
from tests.toy import AUDIO, VIDEO, timed_store

from affuse.evaluation.checks.face_sizes import halves
from affuse.evaluation.checks.groups import GROUPINGS
from affuse.evaluation.checks.outcome import NotApplicable
from affuse.evaluation.checks.registry import _GROUPINGS, CHECKS
from affuse.evaluation.checks.run import check_model
from affuse.features.batch import Normalisation
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import MODELS, ModelEntry

#: Of the good model, those that apply to sound alone with recordings.
APPLY = {"uar", "recall", "precision", "balance", "speaker-average"}
APPLY |= {"fair-sex", "fair-sex-recall", "fair-age", "fair-age-recall"}
APPLY |= {
    "louder",
    "quieter",
    "white-noise",
    "codec",
    "shift",
    "audio-features",
    "telephone",
    "room",
}
APPLY |= {"silence", "no-speech", "batch", "order", "threads", "empty"}
#: What needs no recordings, but for the loudness of sounds.
QUICK = ["correctness", "speakers", "fairness", "silence", "independence", "louder"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings `wav` and their `store`; not to be written to."""
    folder = tmp_path_factory.mktemp("tones")
    tone_corpus(folder)
    return folder


def checked(
    corpus: Path, model: Path, only: list[str] | None = None, root: str = "wav"
) -> dict[str, Any]:
    found = check_model(
        model, corpus / "store", only or (), root=corpus / root if root else None, clips=32
    )
    return {row["name"]: row for row in found["checks"]}


def failed(rows: dict[str, Any]) -> set[str]:
    return {name for name, row in rows.items() if row["verdict"] == "FAIL"}


def test_a_good_model_passes_and_every_check_says_what_and_why(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tones_model(tmp_path / "good.safetensors", corpus / "store", monkeypatch)
    rows = checked(corpus, model)
    assert failed(rows) == set()
    assert {name for name, row in rows.items() if row["verdict"] == "pass"} - {"device"} == APPLY
    for row in rows.values():
        if row["verdict"] == "pass":
            assert row["said"] and row["why"] and row["limit"] is not None
        else:
            assert row["reason"]
    assert "of recordings" in rows["shift"]["said"]
    assert rows["recall"]["measured"] == pytest.approx(0.9375)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("men", {"fair-sex", "fair-sex-recall"}),
        ("gain", {"louder"}),
        ("silence", {"silence"}),
        ("batch", {"batch"}),
        ("memory", {"batch", "order", "threads"}),
        ("no number", {"empty"}),
    ],
)
def test_a_planted_fault_fails_its_own_check(
    fault: str, expected: set[str], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tones_model(tmp_path / "bad.safetensors", corpus / "store", monkeypatch, fault)
    assert failed(checked(corpus, model, QUICK)) == expected


def test_without_recordings_features_are_changed_and_the_rest_does_not_apply(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tones_model(tmp_path / "good.safetensors", corpus / "store", monkeypatch)
    rows = checked(corpus, model, ["consistency", "robustness"], root="")
    assert (
        "of features" in rows["shift"]["said"] and "of features" in rows["audio-features"]["said"]
    )
    assert rows["louder"]["reason"] == rows["room"]["reason"] == "needs the recordings: --root"


def test_continuous_values_are_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS._own, "level", ModelEntry("tests.checked:TwoLevels"))
    timed_store(tmp_path)
    specs = {spec.name: spec for spec in (AUDIO, VIDEO)}
    statistics = dict.fromkeys(specs, Normalisation())

    def verdicts(fault: str, *only: str) -> dict[str, Any]:
        options = {"head": "frames", "fault": fault}
        names = ["valence", "arousal"]
        spec = ModelSpec(
            "level", options, specs, statistics, names, "valence-arousal", 2.0, smoothing=0.3
        )
        save_model(tmp_path / "level.safetensors", spec.build(), spec)
        return checked(tmp_path, tmp_path / "level.safetensors", [*only], root="")

    good = verdicts("")
    assert failed(good) == set()
    passed = {name for name, row in good.items() if row["verdict"] == "pass"}
    assert passed >= {"ccc", "balance", "shift", "audio-features", "lost-frames", "absent", "batch"}
    assert good["uar"]["reason"] == "the model gives continuous values, not classes"
    assert failed(verdicts("length", "independence")) == {"absent"}
    assert failed(verdicts("guesses", "correctness")) == {"ccc"}


def test_command_writes_results_and_tells_by_its_exit_code(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = tones_model(tmp_path / "good.safetensors", corpus / "store", monkeypatch)
    bad = tones_model(tmp_path / "bad.safetensors", corpus / "store", monkeypatch, "men")
    words = ("--store", corpus / "store", "--only", "correctness", "fair-sex")
    assert run("check-model", good, *words) == 0
    table = capsys.readouterr().out
    assert "fair-sex" in table and "5 passed, 0 failed, 1 not applicable" in table
    assert run("check-model", bad, *words, "--json", "--out", tmp_path / "out") == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out/check-model.json").read_text())
    assert printed["failed"] == 1 and printed["clips"] == 96 and printed["speakers"] == 16
    with (tmp_path / "out/check-model.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["fair-sex"]["verdict"] == "FAIL" and float(rows["fair-sex"]["measured"]) > 0.4
    page = (tmp_path / "out/check-model.html").read_text()
    assert "Is the model as often right whatever the sex of the speaker?" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def test_bad_input_is_one_line(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tones_model(tmp_path / "good.safetensors", corpus / "store", monkeypatch)
    words = ("check-model", model, "--store", corpus / "store")
    assert "no check named 'fair-sax'" in refused(capsys, *words, "--only", "fair-sax")
    told = refused(capsys, *words, "--root", tmp_path)
    assert "is it the root of folder?" in told


def test_checks_are_listed_and_their_groups_of_clips_are_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("check-model", "--list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["check"] for row in listed] == [*CHECKS]
    assert all(row["asks"].endswith("?") and row["group"] for row in listed)
    assert _GROUPINGS.keys() == GROUPINGS.keys()
    for entry in CHECKS.values():
        assert callable(entry.load())


def test_faces_are_grouped_by_size_where_sizes_differ() -> None:
    assert halves({"a": 40, "b": 90, "c": 45, "d": 100}) == {
        "a": "smaller half",
        "b": "larger half",
        "c": "smaller half",
        "d": "larger half",
    }
    with pytest.raises(NotApplicable, match="all about 41 pixels"):
        halves({"a": 40, "b": 41, "c": 42})


def test_the_same_results_again(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tones_model(tmp_path / "good.safetensors", corpus / "store", monkeypatch)
    only = ["correctness", "fair-sex", "audio-features"]
    assert checked(corpus, model, only) == checked(corpus, model, only)
