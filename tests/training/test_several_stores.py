"""Training on several corpora at once, and testing on one that was left out."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.toy import AUDIO, SOUND30, VIDEO, Toy, timed_store, toy_recipe
from torch import Tensor, equal

from affuse.cli.main import main
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.labels import Labels, label_clips
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.made import LEAVE_ONE_CORPUS_OUT
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.evaluate import evaluate
from affuse.features.batch import Batch
from affuse.features.joined import open_stores
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.models.modelfile import load_model, read_spec
from affuse.training.batches import EpochSampler
from affuse.training.data import ClipDataset
from affuse.training.learner import Learner
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe
from affuse.training.sampling import balanced_order
from affuse.training.train import train

#: Corpus -> the class that is generated -> what the corpus calls it.
WORDS: dict[str, dict[str, str]] = {
    "cremad": {"neutral": "neutral", "calm": "boredom", "happy": "happiness", "sad": "sad"},
    "emovo": {"neutral": "neutral", "happy": "happy", "sad": "sadness"},
    "nemo": {"neutral": "calm", "happy": "happy"},
}
SIZES = {"cremad": 48, "emovo": 36, "nemo": 12}
SPACE = ["neutral", "happy", "sad"]


@dataclass
class Worded(Toy):
    """A toy stream of a corpus with words of its own."""

    words: Mapping[str, str]

    def extract(self, clip: Clip) -> Stream:
        known = {word: name for name, word in self.words.items()}
        return super().extract(replace(clip, label=known[str(clip.label)]))


def make(folder: Path, name: str, first: int, specs: tuple[StreamSpec, ...] = (AUDIO,)) -> Path:
    """A store of a corpus: its clips have the numbers from `first` on."""
    words, speakers = WORDS[name], 6 if SIZES[name] > 12 else 3
    labels = [*words.values()]
    clips = [
        Clip(
            f"{first + k:04d}",
            speaker=f"s{k % speakers}",
            label=labels[k // speakers % len(labels)],
        )
        for k in range(SIZES[name])
    ]
    corpus = Corpus(name, folder, clips, tuple(labels), f"licence of {name}")
    prepare(corpus, folder / name, [Worded(spec, words) for spec in specs])
    return folder / name


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("stores")
    return [make(folder, name, 1000 * k) for k, name in enumerate(WORDS, 1)]


def recipe(folder: Path, **changes: object) -> Recipe:
    given: dict[str, Any] = {
        "corpus": "nemo+emovo+cremad",
        "protocol": LEAVE_ONE_CORPUS_OUT,
        "labels": {"classes": SPACE},
        "streams": ["audio/mfcc10"],
        "model": {"name": "audio-only"},
        "epochs": 2,
        "batch_size": 32,
    }
    return load_recipe(toy_recipe(folder, **(given | changes)))


@pytest.fixture(scope="module")
def run(stores: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    list(train(recipe(folder), stores, folder / "run"))
    return folder / "run"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# The stores.


def test_stores_together_hold_what_each_of_them_holds(stores: list[Path]) -> None:
    data = open_stores([stores[2], stores[0], stores[1]])
    assert data.corpus == "cremad+emovo+nemo" and data.task == "classification"
    for path in stores:
        one = Store(path)
        mine = [clip for clip in data.clips if clip.corpus == one.corpus]
        assert [clip.id for clip in mine] == [f"{one.corpus}/{clip.id}" for clip in one.clips]
        assert mine[0].speaker == f"{one.corpus}/{one.clips[0].speaker}"
        for clip, own in zip(mine, one.clips, strict=True):
            there, here = (s.stream("audio/mfcc10")[c.id] for s, c in ((data, clip), (one, own)))
            assert np.array_equal(there.values, here.values)
            assert np.array_equal(there.mask, here.mask) and there.start == here.start
    alone, together = (vars(s.stream("audio/mfcc10")) for s in (Store(stores[0]), data))
    assert {name for name in alone if not name.startswith("_")} <= {*together}
    assert [c.id for c in data.usable(["audio/mfcc10"])] == [clip.id for clip in data.clips]
    assert data.clips == open_stores(stores).clips


def test_one_store_is_itself(stores: list[Path]) -> None:
    assert type(open_stores(stores[0])) is type(open_stores(stores[:1])) is Store


def test_stores_that_do_not_go_together_are_refused_by_name(
    stores: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"nemo: is a store of nemo, and so is .*nemo"):
        open_stores([stores[2], stores[2]])
    other = make(tmp_path, "nemo", 5000, (SOUND30, VIDEO))
    data = open_stores([stores[0], other])
    with pytest.raises(BadInput, match=r"nemo/audio/mfcc10.*rate 30.0; that of .*cremad.* 40.0"):
        data.stream("audio/mfcc10")
    assert data.has("audio/mfcc10") and not data.has("video/openface")
    with pytest.raises(BadInput, match=r"cremad: has no stream video/openface"):
        data.stream("video/openface")
    timed_store(tmp_path)
    with pytest.raises(BadInput, match="store: has no classes"):
        open_stores([stores[0], tmp_path / "store"])


def test_the_digest_of_a_store_tells_its_content(stores: list[Path], tmp_path: Path) -> None:
    digest = Store(stores[2]).digest(["audio/mfcc10"])
    assert digest == Store(make(tmp_path / "a", "nemo", 3000)).digest(["audio/mfcc10"])
    assert digest != Store(make(tmp_path / "b", "nemo", 3001)).digest(["audio/mfcc10"])


# The label space.


def test_labels_of_several_corpora_are_one_space_that_is_written_down(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text())
    assert "store" not in facts
    told = {one["corpus"]: one["labels"] for one in facts["stores"]}
    assert told["cremad"] == {
        "neutral": {"class": "neutral", "clips": 12},
        "boredom": {"class": None, "clips": 12},
        "happiness": {"class": "happy", "clips": 12},
        "sad": {"class": "sad", "clips": 12},
    }
    assert told["nemo"]["calm"] == {"class": "neutral", "clips": 6}
    assert facts["clips"]["unused"] == {"of other classes": 12}
    assert facts["clips"]["learned"] == sum(one["learned"] for one in facts["stores"]) == 84
    written = yaml.safe_load((run / "recipe.yaml").read_text())["labels"]
    assert written["map"] == {"calm": "neutral", "happiness": "happy", "sadness": "sad"}
    assert written["classes"] == SPACE


def test_a_recipe_may_map_labels_otherwise(stores: list[Path], tmp_path: Path) -> None:
    own = {"calm": "calm", "boredom": "calm"}
    chosen = recipe(tmp_path, labels={"map": own}, epochs=1)
    ((_, path),) = train(chosen, stores, tmp_path / "run", [0])
    assert {*read_spec(path).outputs} == {"neutral", "calm", "happy", "sad"}
    kept = read_spec(path).training["labels"]["map"]
    assert kept == own | {"happiness": "happy", "sadness": "sad"}


def test_a_map_holds_for_one_store_too(toy: Path) -> None:
    chosen = recipe(
        toy,
        corpus="folder",
        protocol=str(toy / "protocol.csv"),
        labels={"map": {"calm": "neutral"}},
        epochs=1,
    )
    ((_, path),) = train(chosen, toy / "store", toy / "run", [0])
    assert read_spec(path).outputs == ["neutral", "happy", "sad"]
    facts = json.loads((toy / "run/run.json").read_text())
    assert facts["store"] == str((toy / "store").resolve()) and "stores" not in facts


def test_a_class_that_no_corpus_has_is_no_word_of_a_map(stores: list[Path], tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match=r"labels\.map named 'clam'; did you mean 'calm'"):
        list(train(recipe(tmp_path, labels={"map": {"clam": "x"}}), stores, tmp_path / "run"))
    with pytest.raises(BadInput, match=r"labels\.map and labels\.file exclude each other"):
        recipe(tmp_path, labels={"map": {"calm": "x"}, "file": "table.csv"})


def test_votes_for_classes_that_are_one_add_up() -> None:
    clip = Clip("a", votes={"audio": {"calm": 2, "neutral": 2, "happy": 3}})
    labels = Labels("plurality", "audio", map={"calm": "neutral"})
    found = label_clips([clip], ["happy", "calm", "neutral"], labels)
    assert found.classes == ("happy", "neutral")
    assert found.votes is not None and found.votes.tolist() == [[3, 4]]


# The protocol.


def test_each_corpus_is_tested_once_and_development_speakers_are_of_the_others(
    stores: list[Path],
) -> None:
    clips = open_stores(stores).clips
    protocol = load_protocol(LEAVE_ONE_CORPUS_OUT, clips)
    assert len(protocol.folds) == 3
    chosen = set()
    for fold, out in enumerate(sorted(WORDS)):
        roles = dict(zip([c.id for c in clips], protocol.roles(fold, clips), strict=True))
        assert {c.corpus for c in clips if roles[c.id] == ("test",)} == {out}
        assert all(roles[c.id] == ("test",) for c in clips if c.corpus == out)
        by_speaker = defaultdict(set)
        for clip in clips:
            by_speaker[clip.speaker].add(roles[clip.id])
        assert all(len(has) == 1 for has in by_speaker.values())
        developing = {str(s) for s, has in by_speaker.items() if has == {("development",)}}
        assert Counter(s.partition("/")[0] for s in developing) == dict.fromkeys(
            {*WORDS} - {out}, 1
        )
        chosen |= developing
    assert len(chosen) == 3, "the same speakers in all folds"


def test_each_corpus_may_have_a_protocol_of_its_own(stores: list[Path], tmp_path: Path) -> None:
    own, roles = [], {"s0": ("train", "test"), "s1": ("development", "train")}
    for path in stores[:2]:
        data = Store(path)
        rows = [
            f"{c.id},{c.speaker},{','.join(roles.get(str(c.speaker), ('test', 'train')))}"
            for c in data.clips
        ]
        own.append(tmp_path / f"{data.corpus}.csv")
        text = [f"# corpus: {data.corpus}", "clip,speaker,fold0,fold1", *rows]
        own[-1].write_text("\n".join(text) + "\n")
    files = []
    for name, parts in (("one", own), ("other", own[::-1])):
        chosen = recipe(tmp_path, corpus="cremad+emovo", protocol="+".join(map(str, parts)))
        ((_, file),) = train(chosen, stores[:2], tmp_path / name, [0])
        files.append(load_model(file)[0].state_dict())
        split = json.loads((tmp_path / name / "fold0/split.json").read_text())
        of = {clip.id: clip for clip in open_stores(stores[:2]).clips}
        for role, speakers in (("train", {"s0"}), ("development", {"s1"})):
            people = {str(of[clip].speaker) for clip in split[role]}
            assert people == {f"{corpus}/{s}" for corpus in ("cremad", "emovo") for s in speakers}
    assert all(equal(files[0][name], files[1][name]) for name in files[0])
    with pytest.raises(AffuseError, match="stores of emovo, cremad; at hand: cremad, emo"):
        list(train(replace(chosen, corpus="nemo+emovo+cremad"), stores, tmp_path / "three"))


def test_clips_of_one_corpus_cannot_leave_one_out(stores: list[Path]) -> None:
    with pytest.raises(AffuseError, match="needs several corpora"):
        load_protocol(LEAVE_ONE_CORPUS_OUT, Store(stores[0]).clips)
    unnamed = [*open_stores(stores).clips, Clip("emovo/x", corpus="emovo")]
    with pytest.raises(AffuseError, match="a speaker for every clip: emovo/x"):
        load_protocol(LEAVE_ONE_CORPUS_OUT, unnamed)


# A run.


def test_a_model_names_what_it_learned_from_and_all_terms(run: Path) -> None:
    for fold, learned in enumerate(["emovo+nemo", "cremad+nemo", "cremad+emovo"]):
        told = read_spec(run / f"fold{fold}/model.safetensors").training
        assert told["corpus"] == learned
        for name in WORDS:
            assert f"{name}: licence of {name}" in told["licence"]
        split = json.loads((run / f"fold{fold}/split.json").read_text())
        corpora = {role: {clip.partition("/")[0] for clip in ids} for role, ids in split.items()}
        assert corpora["train"] == corpora["development"] == {*learned.split("+")}
        assert corpora["test"] == {*WORDS} - corpora["train"]


def test_evaluation_tells_the_corpora(run: Path) -> None:
    result = evaluate(run, ["audio"])
    table = rows(run / "evaluation/predictions.csv")
    assert Counter(row["corpus"] for row in table) == {"cremad": 36, "emovo": 36, "nemo": 12}
    scores = result["conditions"]["audio"]["corpora"]
    assert [*scores] == ["cremad", "emovo", "nemo"]
    for name, own in scores.items():
        recalls: dict[str, list[bool]] = defaultdict(list)
        for row in table:
            if row["corpus"] == name:
                recalls[row["label"]].append(row["label"] == row["predicted"])
        assert own["uar"] == pytest.approx(np.mean([np.mean(hits) for hits in recalls.values()]))
        assert own["clips"] == sum(map(len, recalls.values()))
    assert {*recalls} == {"neutral", "happy"}, "nemo has two of the three classes"
    assert scores["nemo"]["per_class"]["sad"]["recall"] is None


def test_the_order_of_stores_and_an_interruption_change_nothing(
    stores: list[Path], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    balanced = recipe(tmp_path, balance=["corpus", "class"])
    ((_, first),) = train(balanced, stores, tmp_path / "a", [1])
    ((_, second),) = train(balanced, stores[::-1], tmp_path / "b", [1])
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != (run / "fold1/model.safetensors").read_bytes()
    step = Learner.training_step

    def killed(self: Learner, batch: Batch, index: int) -> Tensor:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        list(train(balanced, stores, tmp_path / "c", [1]))
    monkeypatch.setattr(Learner, "training_step", step)
    ((_, again),) = train(balanced, stores, tmp_path / "c", [1], resume=True)
    assert again.read_bytes() == first.read_bytes()


def test_stores_may_move(run: Path, stores: list[Path], tmp_path: Path) -> None:
    moved = [path.rename(path.with_name(f"moved-{path.name}")) for path in stores]
    try:
        with pytest.raises(BadInput, match="is not a store"):
            evaluate(run, ["audio"], out=tmp_path / "out")
        assert evaluate(run, ["audio"], moved, out=tmp_path / "out")["folds"] == 3
    finally:
        for path, home in zip(moved, stores, strict=True):
            path.rename(home)


def test_another_set_of_stores_is_refused(stores: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"is a store of cremad\+emovo; recipe toy needs"):
        list(train(recipe(tmp_path), stores[:2], tmp_path / "run"))


def test_a_recording_in_two_corpora_is_a_leak(stores: list[Path], tmp_path: Path) -> None:
    copied = make(tmp_path, "nemo", 2000)  # numbers of emovo: neutral and happy clips are the same
    with pytest.raises(AffuseError, match=r"equal features have clip emovo/.* and nemo/"):
        list(train(recipe(tmp_path), [*stores[:2], copied], tmp_path / "run"))


def test_a_model_is_warned_of_on_corpora_that_it_knows(
    run: Path, stores: list[Path], tmp_path: Path
) -> None:
    file = run / "fold2/model.safetensors"  # nemo was left out
    for path, known in zip(stores, (True, True, False), strict=True):
        result = evaluate([file], ["audio"], path, out=tmp_path / path.name)
        assert bool(result["warnings"]) == known, path.name
    one = evaluate(
        [file], ["audio"], stores, protocol=LEAVE_ONE_CORPUS_OUT, fold=2, out=tmp_path / "two"
    )
    assert one["warnings"] == [] and one["conditions"]["audio"]["clips"] == 12
    (line,) = evaluate(
        [file], ["audio"], stores, protocol=LEAVE_ONE_CORPUS_OUT, fold=0, out=tmp_path / "zero"
    )["warnings"]
    assert "cremad+emovo" in line and "may be too good" in line


def test_weights_of_a_corpus_among_several_may_know_test_clips(
    run: Path, stores: list[Path], tmp_path: Path
) -> None:
    told: list[str] = []
    begun = recipe(tmp_path, init=str(run / "fold2/model.safetensors"), epochs=1)
    list(train(begun, stores, tmp_path / "run", [2], say=told.append))
    assert any("may have learned from test clips" in line for line in told)
    leaks = json.loads((tmp_path / "run/run.json").read_text())["leaks"]
    assert "init" in leaks["not_checked"]


def test_the_command_takes_stores_one_by_one(
    stores: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(tmp_path)
    named = [word for path in stores for word in ("--store", str(path))]
    out = str(tmp_path / "run")
    words = [str(tmp_path / "recipe.yaml"), *named, "--out", out, "fold=0", "epochs=1"]
    assert main(["train", *words]) == 0
    assert "not from 12 of other classes" in capsys.readouterr().err
    assert main(["evaluate", out, "--conditions", "audio"]) == 0
    assert "  cremad" in capsys.readouterr().out


def test_the_table_of_one_store_has_no_corpus(toy: Path) -> None:
    assert "corpus" not in (toy / "store/clips.csv").read_text().splitlines()[0]
    alone = recipe(toy, corpus="folder", protocol=str(toy / "protocol.csv"), labels={}, epochs=1)
    list(train(alone, toy / "store", toy / "run", [0]))
    result = evaluate(toy / "run", ["audio"])
    assert "corpora" not in result["conditions"]["audio"]
    assert "corpus" not in rows(toy / "run/evaluation/predictions.csv")[0]


# Balance.

GROUPS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=60)


@given(GROUPS, st.integers(0, 5))
def test_groups_are_as_frequent_as_they_can_be(groups: list[tuple[str, str]], seed: int) -> None:
    order = balanced_order(groups, np.random.default_rng(seed))
    assert order == balanced_order(groups, np.random.default_rng(seed))
    assert len(order) == len(groups)

    def even(counts: Counter[Any], known: set[Any]) -> None:
        assert {*counts} <= known
        assert max(counts.values()) - min(counts[name] for name in known) <= 1

    even(Counter(groups[k][0] for k in order), {one for one, _ in groups})
    for first in {groups[k][0] for k in order}:
        inside = [k for k in order if groups[k][0] == first]
        even(Counter(groups[k] for k in inside), {g for g in groups if g[0] == first})
        for group in {groups[k] for k in inside}:
            members = {k for k, own in enumerate(groups) if own == group}
            even(Counter(k for k in inside if groups[k] == group), members)


def test_without_balance_an_epoch_is_as_before(toy: Path) -> None:
    data = Store(toy / "store")
    dataset = ClipDataset(data, data.clips, ["audio/mfcc10"], 1.0, lambda *_: np.array(0))
    sampler = EpochSampler(dataset, 3)
    sampler.set_epoch(2)
    expected = np.random.default_rng([3, 2]).permutation(len(dataset)).tolist()
    assert list(sampler) == expected
    groups = {clip.id: (str(clip.speaker),) for clip in data.clips}
    balanced = EpochSampler(dataset, 3, groups)
    balanced.set_epoch(2)
    first = list(balanced)
    assert first == list(balanced) != expected
    balanced.set_epoch(3)
    assert list(balanced) != first


@pytest.mark.parametrize(
    ("balance", "reason"),
    [(["class", "class"], "one thing twice"), (["age"], "balance")],
)
def test_a_wrong_balance_is_refused(tmp_path: Path, balance: list[str], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        recipe(tmp_path, balance=balance)
