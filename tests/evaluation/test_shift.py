"""Models of one corpus tested on others, and columns of other stores."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from tests.commands import refused, run
from tests.toy import AUDIO, VIDEO, Toy, toy_recipe

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.made import SPEAKERS_5FOLD
from affuse.errors import AffuseError
from affuse.evaluation.evaluate import evaluate
from affuse.evaluation.table.scoring import labels_elsewhere
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream

#: Corpus -> the class that is generated -> what the corpus calls it.
WORDS = {
    "cremad": {"neutral": "neutral", "happy": "happiness", "sad": "sad", "calm": "boredom"},
    "emovo": {"neutral": "neutral", "happy": "happy", "sad": "sadness"},
    "ferplus": {"neutral": "calm", "happy": "happy", "sad": "sad"},
}


class Worded(Toy):
    """A toy stream of a corpus with words of its own; in `emovo` the classes sound otherwise."""

    corpus: str = ""

    def extract(self, clip: Clip) -> Stream:
        known = {word: name for name, word in WORDS[self.corpus].items()}
        label = known[str(clip.label)]
        if self.corpus == "emovo":
            label = {"neutral": "happy", "happy": "neutral"}.get(label, label)
        stream = super().extract(replace(clip, label=label))
        own = np.random.default_rng(int(clip.id)).normal(0, 0.8)  # so that no score is perfect
        return replace(stream, values=(stream.values + own).astype(np.float32))


def make(folder: Path, corpus: str, first: int, named: bool = True) -> Path:
    """A store of a corpus: five speakers say every class once."""
    labels = [*WORDS[corpus].values()]
    clips = [
        Clip(str(first + k), speaker=f"s{k % 5}" if named else None, label=labels[k // 5])
        for k in range(5 * len(labels))
    ]
    parts = [Worded(AUDIO), Worded(VIDEO)]
    for part in parts:
        part.corpus = corpus
    prepare(Corpus(corpus, folder, clips, tuple(labels), "none"), folder / corpus, parts)
    return folder / corpus


def table_file(folder: Path, **changes: Any) -> Path:
    values = {
        "name": "Corpora",
        "store": [*WORDS],
        "shift": {"recipe": "recipe.yaml", "protocols": one_fold(folder, "cremad", "ferplus")},
        **changes,
    }
    path = folder / "shift.yaml"
    path.write_text(yaml.safe_dump({k: x for k, x in values.items() if x is not None}))
    return path


def one_fold(folder: Path, *corpora: str) -> dict[str, str]:
    """Protocols of one fold, written beside the stores."""
    found = {}
    for corpus in corpora:
        clips = Store(folder / corpus).clips
        rows = [f"{c.id},{c.speaker or ''},{('train', 'test')[int(c.id) % 5 > 1]}" for c in clips]
        path = folder / f"{corpus}.csv"
        path.write_text("\n".join([f"# corpus: {corpus}", "clip,speaker,fold0", *rows]) + "\n")
        found[corpus] = str(path)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three stores and what became of them."""
    folder = tmp_path_factory.mktemp("shift")
    for number, corpus in enumerate(WORDS, 1):
        make(folder, corpus, 100 * number, corpus != "ferplus")
    toy_recipe(
        folder,
        corpus="any",
        model={"name": "late", "pooling": "mean"},
        epochs=2,
        selection="last",
        optimiser={"name": "adam", "lr": 0.003, "weight_decay": 0.0},
    )
    words = ["table", table_file(folder), "--out", folder / "out", "--allow", "unnamed"]
    assert run(*words) == 0
    return folder


def result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out/table.json").read_text()))


def cells(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row["cells"] for row in result(folder)["rows"]}


def test_every_corpus_is_tested_by_the_models_of_every_other(made: Path) -> None:
    found = cells(made)
    assert [*found] == sorted(WORDS)
    for row, own in found.items():
        for corpus in WORDS:
            tested = 9 if row == corpus != "emovo" else 15
            assert own[corpus]["clips"] == tested
            # at home all folds are one score, elsewhere each of the models has its own
            assert len(own[corpus]["each"]) == (5 if row == "emovo" != corpus else 1)
    assert found["cremad"]["cremad"]["value"] > found["emovo"]["cremad"]["value"]


def test_a_cell_elsewhere_is_what_evaluate_says_of_each_model(made: Path, tmp_path: Path) -> None:
    models = [made / f"out/runs/emovo/seed1/fold{k}/model.safetensors" for k in (0, 4)]
    labels = {"map": {"happiness": "happy"}, "classes": ["neutral", "happy", "sad"]}
    own = [
        evaluate(x, ["av"], made / "cremad", labels=labels, out=tmp_path)["conditions"]["av"]
        for x in models
    ]
    each = cells(made)["emovo"]["cremad"]["each"]
    assert each[::4] == pytest.approx([x["uar"] for x in own])
    assert {x["clips"] for x in own} == {15} and own[0]["speakers"] == 5


def test_the_classes_are_those_of_all_and_the_maps_are_written_down(made: Path) -> None:
    changes = {row["name"]: row["changes"] for row in result(made)["rows"]}
    maps = {name: own["labels.map"] for name, own in changes.items()}
    assert maps == {
        "cremad": {"happiness": "happy"},
        "emovo": {"sadness": "sad"},
        "ferplus": {"calm": "neutral"},
    }
    assert {tuple(own["labels.classes"]) for own in changes.values()} == {
        ("neutral", "happy", "sad")
    }
    assert changes["emovo"]["protocol"] == SPEAKERS_5FOLD


def test_where_nobody_is_named_there_is_no_interval_and_a_reason(made: Path) -> None:
    for own in cells(made).values():
        assert own["ferplus"]["interval_95"] == [None, None]
        assert "speaker" in own["ferplus"]["no_interval"]
        assert None not in own["cremad"]["interval_95"] and own["cremad"]["speakers"] >= 3


def test_the_means_are_over_other_corpora(made: Path) -> None:
    found, means = cells(made), []
    for row, own in found.items():
        means.append(np.mean([own[corpus]["value"] for corpus in WORDS if corpus != row]))
        assert own["others"]["value"] == pytest.approx(means[-1])
    assert result(made)["mean_of_others"] == pytest.approx(np.mean(means))
    with (made / "out/table.csv").open(encoding="utf-8") as file:
        (first, *_) = csv.DictReader(file)
    assert [*first] == ["row", *sorted(WORDS), "others"]
    picture = cv2.imread(str(made / "out/shift.png"))
    assert picture is not None and min(picture.shape[:2]) > 200


def test_run_again_nothing_is_left_to_do(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("table", made / "shift.yaml", "--out", made / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "emovo: 5 of 5 folds trained, 0 of 1 runs to score" in said
    assert "to do: 0 folds to train" in said


def test_any_row_may_be_scored_on_another_store(made: Path) -> None:
    """The column `on` of any table."""
    row = next(row for row in result(made)["rows"] if row["name"] == "emovo")
    rows = [{"name": "emovo", "recipe": "recipe.yaml", "changes": row["changes"], "store": "emovo"}]
    columns = [{"metric": "uar", "on": "cremad"}, {"metric": "uar", "on": "emovo"}]
    file = table_file(made, rows=rows, columns=columns, shift=None, store=None)
    assert run("table", file, "--out", made / "out") == 0
    found = cells(made)["emovo"]
    assert len(found["uar, av, on cremad"]["each"]) == 5
    assert len(found["uar, av, on emovo"]["each"]) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"store": ["emovo"]}, "shift needs stores of different corpora"),
        ({"store": ["emovo", "emovo"]}, "shift needs stores of different corpora"),
        (
            {"shift": {"recipe": "recipe.yaml"}},
            "ferplus does not name its speakers: say shift.prot",
        ),
        ({"shift": {"recipe": "recipe.yaml", "protocol": {}}}, "shift: no key named 'protocol'"),
        ({"shift": {"recipe": "recipe.yaml", "metric": "uaar"}}, "shift: no metric named 'uaar'"),
        (
            {"shift": {"recipe": "recipe.yaml", "protocols": {"nemo": "nemo/5fold"}}},
            "no corpus in shift.protocols named 'nemo'",
        ),
        ({"rows": []}, "rows and shift exclude each other"),
        ({"common": {"labels": {"classes": ["happy", "bored"]}}}, "cremad has no class 'bored'"),
    ],
)
def test_mistakes_are_one_line(
    made: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    assert said in refused(capsys, "table", table_file(made, **changes), "--out", made / "never")


def test_an_emotion_counts_as_the_output_that_is_the_same() -> None:
    outputs = ["neutral", "calm", "anger"]
    found = labels_elsewhere(outputs, ["calm", "angry", "joy", "bored"], {"bored": "neutral"})
    assert found["map"] == {"angry": "anger", "bored": "neutral"}
    assert found["classes"] == outputs


def test_five_folds_of_whole_speakers() -> None:
    clips = [Clip(str(k), speaker=f"s{k % 7}") for k in range(21)]
    folds = load_protocol(SPEAKERS_5FOLD, clips).folds
    tested = [name for fold in folds for name, roles in fold.items() if roles == ("test",)]
    assert sorted(tested) == sorted({clip.speaker for clip in clips}) and len(folds) == 5
    assert {roles for fold in folds for roles in fold.values()} == {("test",), ("train",)}
    with pytest.raises(AffuseError, match="needs five speakers, there are 4"):
        load_protocol(SPEAKERS_5FOLD, clips[:4])
