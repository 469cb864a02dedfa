"""Rows of published tables: what they name exists, what is absent is said, and a rehearsal runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused, run

from affuse.audit.leaks import KINDS
from affuse.corpora.protocols.load import list_protocols
from affuse.corpora.registry import CORPORA
from affuse.errors import AffuseError
from affuse.evaluation.conditions import condition
from affuse.evaluation.reproduce.rows import WAYS, Row, Score, find_row, load_rows
from affuse.evaluation.reproduce.run import read_score
from affuse.evaluation.reproduce.table import list_table, result_table
from affuse.features.catalogue import STREAMS, imported_streams, pattern_of
from affuse.models.registry import MODELS
from affuse.tasks.published_rules import Track, compare_rules

ROWS = load_rows()
DONE = [row for row in ROWS.values() if row.ways]
_TRACK = Track(*(np.zeros(4), np.zeros(4), np.arange(4.0), np.ones(4, bool)))
RULES = compare_rules({"valence": [_TRACK]})
METRICS = ("accuracy", "uar", "macro_f1", "ccc")


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_every_row_says_what_it_is(row: Row) -> None:
    assert row.scores and row.paper and row.place and row.source
    assert bool(row.ways) != bool(row.not_here), "either it can be done, or the reason is said"
    for score in row.scores:
        assert score.metric in METRICS
        assert score.value is None or 0 < score.value < 1, "shares, not percent"


@pytest.mark.parametrize("row", DONE, ids=lambda row: row.name)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rehearsal", [False, True])
def test_what_a_row_names_exists(row: Row, way: str, rehearsal: bool) -> None:
    doing = row.ways[way]
    assert row.corpus in CORPORA and set(doing.allow) <= set(KINDS)
    assert doing.rule in ("", *RULES)
    for score in row.scores:
        recipe = row.recipe(way, score, rehearsal=rehearsal)
        assert recipe.corpus == row.corpus and recipe.model["name"] in MODELS
        assert recipe.protocol in list_protocols()
        assert all(pattern_of(name) in STREAMS for name in recipe.streams)
        condition(score.condition, recipe.streams)
        assert (
            (recipe.task == "valence-arousal") == (score.metric == "ccc") == bool(score.dimension)
        )
        if score.dimension:
            assert score.dimension in (recipe.over_time.dimensions or (score.dimension,))
        needed = [n for n in recipe.streams if pattern_of(n) in imported_streams()]
        if rehearsal:
            assert not needed and recipe.epochs <= 2 and 0 < recipe.limit <= 4
        else:
            assert set(needed) <= set(row.weights), "who has the weights is said"


@pytest.mark.parametrize("row", DONE, ids=lambda row: row.name)
def test_the_default_way_selects_nothing_on_test_clips(row: Row) -> None:
    doing = row.ways["default"]
    assert doing.role == "test" and not doing.rule and not doing.allow
    recipe = row.recipe("default", row.scores[0])
    assert recipe.protocol in ("ravdess/6fold", "cremad/5fold", "affwild2/6fold-groups")


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(AffuseError, match="chumachenko-ravdess"):
        find_row("chumachenko-ravdes")


class TestScores:
    def test_values_and_intervals_are_those_of_evaluate(self) -> None:
        part = {"accuracy": 0.5, "accuracy_interval_95": [0.4, 0.6]}
        found = {"conditions": {"av": part}}
        assert read_score(found, Score("accuracy")) == (0.5, [0.4, 0.6])
        part["accuracy_interval_95"] = [None, None]
        assert read_score(found, Score("accuracy")) == (0.5, None)

    def test_a_published_rule_has_a_value_of_its_own(self) -> None:
        found = {
            "conditions": {
                "av": {"dimensions": {"valence": {"ccc": 0.3, "ccc_interval_95": [0.1, 0.5]}}}
            },
            "rules": {"ccc": {"published, RJCA": {"valence": 0.7}}},
        }
        score = Score("ccc", dimension="valence")
        assert read_score(found, score) == (0.3, [0.1, 0.5])
        assert read_score(found, score, "published, RJCA") == (0.7, None)

    def test_what_nobody_read_is_not_a_number(self) -> None:
        row = find_row("auxformer-cremad")
        results = {
            "row": {"corpus": "cremad"},
            "rehearsal": False,
            "folds": [0],
            "ways": {"default": {"macro_f1 av": {"value": 0.61, "interval_95": [0.5, 0.7]}}},
        }
        line, _ = result_table(row, results)
        assert line == {
            "score": "macro_f1 av",
            "paper": "not read",
            "ours as published": "",
            "ours as published, 95 %": "",
            "ours by default": "0.610",
            "ours by default, 95 %": "0.500 to 0.700",
            "data": "cremad, fold 0 only",
        }


class TestAbsent:
    @pytest.fixture
    def sound_alone(self, tmp_path: Path) -> Path:
        (tmp_path / "ravdess/Actor_01").mkdir(parents=True)
        (tmp_path / "ravdess/Actor_01/03-01-01-01-01-01-01.wav").touch()
        return tmp_path / "ravdess"

    def test_images_and_weights_are_named_in_one_line(
        self, sound_alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["reproduce", "chumachenko-ravdess", "--root", sound_alone, "--out", tmp_path / "o"]
        told = refused(capsys, *words)
        assert "images of ravdess for video/faces224-published, video/faces224" in told
        assert "affuse fetch ravdess" in told and "backbone=FILE: EfficientFace" in told
        assert "--synthetic" in told and not (tmp_path / "o").exists()
        told = refused(capsys, *words, "backbone=", "--only", "default")
        assert "backbone=FILE" not in told and "video/faces224:" in told

    def test_the_corpus_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name in (row.name for row in DONE):
            told = refused(capsys, "reproduce", name, "--out", tmp_path / "o")
            assert f"affuse fetch {ROWS[name].corpus}" in told and "--synthetic" in told

    def test_weights_of_streams_are_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "cremad/AudioWAV").mkdir(parents=True)
        (tmp_path / "cremad/AudioWAV/1001_DFA_ANG_XX.wav").touch()
        words = ["reproduce", "auxformer-cremad", "--root", tmp_path / "cremad"]
        told = refused(capsys, *words, "--out", tmp_path / "o")
        assert "--source audio/wav2vec2=FILE: final_wav2vec.pt" in told
        assert "--source video/emoca50=FILE" in told

    def test_a_row_that_is_quoted_only_says_why(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        told = refused(capsys, "reproduce", "hicmae-cremad", "--out", tmp_path / "o")
        assert "quoted only: the system is not in affuse" in told
        assert "--out" in refused(capsys, "reproduce", "auxformer-cremad")

    def test_real_recordings_without_images(
        self, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        root = shared_data / "ravdess_speech"
        words = ["reproduce", "chumachenko-ravdess", "--root", root, "--out", tmp_path / "o"]
        assert f"{root} holds none" in refused(capsys, *words)


def test_the_list_names_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("reproduce", "--list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == list_table() and [row["name"] for row in told] == list(ROWS)


def rehearsed(name: str, out: Path, *words: object) -> dict[str, bytes]:
    """Results of a rehearsal, file -> content."""
    assert run("reproduce", name, "--synthetic", "--workers", 1, "--out", out, *words) == 0
    folder = out / "rehearsal"
    return {path.name: path.read_bytes() for path in folder.glob("results.*")}


@pytest.mark.slow
def test_a_rehearsal_runs_is_marked_and_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = rehearsed("auxformer-cremad", tmp_path, "--only", "published")
    told = capsys.readouterr().out
    assert "A REHEARSAL" in told and "synthetic (rehearsal)" in told and "deviation:" in told
    results = json.loads(first["results.json"])
    metrics = json.loads((tmp_path / "rehearsal/published/evaluation/metrics.json").read_text())[
        "conditions"
    ]["av"]
    found = results["ways"]["published"]
    assert results["rehearsal"] and list(results["ways"]) == ["published"]
    for score in ("macro_f1", "accuracy"):
        assert found[f"{score} av"]["value"] == metrics[score]
    rows = list(csv.DictReader(first["results.csv"].decode().splitlines()))
    assert [row["data"] for row in rows] == ["synthetic (rehearsal)"] * 2
    assert rows[0]["ours by default"] == "" and rows[0]["ours as published"] != ""
    assert b"A REHEARSAL" in first["results.md"]

    model = tmp_path / "rehearsal/published/fold0/model.safetensors"
    before = model.stat().st_mtime_ns
    again = rehearsed("auxformer-cremad", tmp_path, "--only", "published")
    assert model.stat().st_mtime_ns == before and again == first


@pytest.mark.slow
@pytest.mark.parametrize("row", DONE, ids=lambda row: row.name)
def test_every_row_can_be_rehearsed(row: Row, tmp_path: Path) -> None:
    results = json.loads(rehearsed(row.name, tmp_path)["results.json"])
    for way in WAYS:
        assert list(results["ways"][way]) == [score.title for score in row.scores]
        recipe = row.recipe(way, row.scores[0])
        assert {one["recipe"] for one in results["ways"][way].values()} == {recipe.name}
