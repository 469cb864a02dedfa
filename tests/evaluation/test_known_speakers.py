"""People who differ, and models that know them: training and evaluation with baselines."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from affuse.cli.main import main
from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.evaluate import evaluate
from affuse.evaluation.held_back import read_shares
from affuse.evaluation.report.page import write_report
from affuse.features.baseline import Baselines, Known, evidence_of, together
from affuse.features.prepare import prepare
from affuse.features.speakers import AMOUNTS, Amount, SpeakerBaselines, place
from affuse.features.store import Store
from affuse.features.store_index import write_index
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.clips import ClipModel
from affuse.models.modelfile import load_model, read_spec
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

CLASSES = ("calm", "happy")
VOICE = StreamSpec("audio/mfcc10", 20.0, (10,))


class Offsets:
    """The class of a clip is a step of 1 on top of what the speaker is like, where 3 is usual.

    Args:
        changed: Clip id -> what is added to its numbers.
    """

    spec = VOICE

    def __init__(self, **changed: float) -> None:
        self.changed = changed

    def sources(self, clip: Clip) -> list[Path]:
        return []

    def extract(self, clip: Clip) -> Stream:
        random = np.random.default_rng(int(clip.id[1:]))
        own = np.random.default_rng(ord(str(clip.speaker or "?"))).normal(0, 3)
        length = random.integers(15, 25)
        step = CLASSES.index(str(clip.label)) + self.changed.get(clip.id, 0.0)
        values = random.normal(0, 0.4, (length, 10)) + own + step
        return Stream(values.astype(np.float32), np.ones(length, bool))


def make(folder: Path, **changed: float) -> Path:
    """A store of twelve speakers with sixteen clips each, and one clip without a speaker."""
    rows = [
        Clip(f"c{k:03d}", speaker="ABCDEFGHIJKL"[k % 12], label=CLASSES[k // 12 % 2])
        for k in range(192)
    ]
    rows.append(Clip("c192", label="calm"))
    prepare(Corpus("folder", folder, rows, CLASSES, "none"), folder / "store", [Offsets(**changed)])
    lines = ["clip,speaker,fold0"]
    for clip in rows:
        of = "ABCDEFGHIJKL".find(clip.speaker or "L")
        role = "test" if of >= 8 else "development" if of >= 6 else "train"
        lines.append(f"{clip.id},{clip.speaker or ''},{role}")
    (folder / "protocol.csv").write_text("\n".join(lines) + "\n")
    return folder / "store"


def learn(folder: Path, name: str, **changes: Any) -> Path:
    """Train a run of the store in a folder."""
    recipe = {
        "name": name,
        "corpus": "folder",
        "protocol": str(folder / "protocol.csv"),
        "streams": [VOICE.name],
        "model": {"name": "audio-only"},
        "window": 1.0,
        "epochs": 10,
        "shrinkage": 0.5,
        "optimiser": {"lr": 3e-3},
        "batch_size": 8,
        "normalisation": "speaker",
        **changes,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    list(train(load_recipe(path), folder / "store", folder / name, None, False, ["unnamed"], "cpu"))
    return folder / name


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and the runs `known` and `corpus`, of normalisation speaker and standard."""
    folder = tmp_path_factory.mktemp("people")
    make(folder)
    learn(folder, "known")
    learn(folder, "corpus", normalisation="standard")
    return folder


def accuracy(run: Path, amount: Amount = "none") -> float:
    return float(evaluate(run, ["audio"], baseline=amount)["conditions"]["audio"]["accuracy"])


def test_knowing_the_speaker_is_what_such_people_need(people: Path) -> None:
    nothing, past, everything = (accuracy(people / "known", x) for x in ("none", "past", "all"))
    assert everything > 0.95 and past > nothing + 0.1
    assert everything > accuracy(people / "corpus") + 0.2


def test_results_say_what_was_known_and_lie_apart(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for amount, words in AMOUNTS.items():
        assert main(["evaluate", str(people / "known"), "--baseline", amount]) == 0
        said = capsys.readouterr().out
        folder = people / "known" / ("evaluation" if amount == "none" else f"evaluation-{amount}")
        assert f"baseline {words}" in said and str(folder) in said
        assert json.loads((folder / "metrics.json").read_text())["baseline"] == words
        table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
        assert set(table["baseline"]) == {words}
    assert AMOUNTS["all"] == "all unlabelled clips (transductive)"


def test_a_model_that_knows_nobody_refuses_a_baseline(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(people / "corpus"), "--baseline", "past"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.safetensors: was not trained with normalisation=speaker" in line
    assert not (people / "corpus/evaluation-past").exists()


def speakers_of(data: Store, run: Path, amount: Amount) -> SpeakerBaselines:
    baselines = read_spec(run / "fold0/model.safetensors").baselines
    assert baselines is not None
    return SpeakerBaselines(data, data.clips, baselines, amount)


def same(first: Known, second: Known) -> bool:
    return first.keys() == second.keys() and all(
        first[n].frames == second[n].frames and (first[n].total == second[n].total).all()
        for n in first
    )


def test_the_past_is_the_clips_before_in_the_order_of_their_ids_digests(people: Path) -> None:
    data = Store(people / "store")
    past = speakers_of(data, people / "known", "past")
    own = sorted((clip.id for clip in data.clips if clip.speaker == "C"), key=place)
    assert past.known(own[0]) == {}
    frames = [len(data.stream(VOICE.name)[clip].mask) for clip in own]
    known = [past.known(clip).get(VOICE.name) for clip in own]
    assert [x.frames if x else 0 for x in known] == [sum(frames[:k]) for k in range(len(own))]
    everything = speakers_of(data, people / "known", "all")
    assert {everything.known(clip)[VOICE.name].frames for clip in own} == {sum(frames)}
    assert past.known("c192") == everything.known("c192") == {}


def test_changing_a_clip_changes_nothing_before_it(people: Path, tmp_path: Path) -> None:
    data = Store(people / "store")
    own = sorted((clip.id for clip in data.clips if clip.speaker == "J"), key=place)
    later = Store(make(tmp_path, **{own[6]: 50.0}))
    before, after = (speakers_of(one, people / "known", "past") for one in (data, later))
    kept = [same(before.known(clip), after.known(clip)) for clip in own]
    assert kept == [True] * 7 + [False] * 9
    others = [clip.id for clip in data.clips if clip.speaker not in (None, "J")]
    assert all(same(before.known(clip), after.known(clip)) for clip in others)


def test_neither_order_nor_batch_mates_matter(people: Path) -> None:
    data, file = Store(people / "store"), people / "known/fold0/model.safetensors"
    tested = [clip for clip in data.clips if clip.speaker in ("I", "J", "K")]
    amounts: list[Amount] = ["past", "all"]
    for amount in amounts:

        def said(order: list[Clip], together: int, amount: Amount = amount) -> dict[str, Any]:
            model = ClipModel(*load_model(file), data, known=amount)
            found: dict[str, Any] = {}
            for first in range(0, len(order), together):
                group = order[first : first + together]
                (windows,) = model.predict(group).values()
                found |= {c.id: x.overall for c, x in zip(group, windows, strict=True)}
            return found

        usual, other = said(tested, 32), said(tested[::-1], 1)
        for clip in usual:
            np.testing.assert_allclose(usual[clip], other[clip], atol=1e-6)


def relabelled(folder: Path, change: Callable[[Clip], Clip]) -> Store:
    """The same store with other labels in its table."""
    data = Store(shutil.copytree(folder / "store", folder / "other"))
    write_index(
        data.path,
        Corpus("folder", folder, [change(clip) for clip in data.clips], CLASSES, "none"),
    )
    return Store(data.path)


def test_labels_are_never_used_for_what_is_known(people: Path) -> None:
    """With other labels, or none, of the test clips all probabilities are the same to the bit."""
    data, file = Store(people / "store"), people / "known/fold0/model.safetensors"
    tested = [clip for clip in data.clips if clip.speaker in ("I", "J")]
    other = relabelled(people, lambda clip: replace(clip, label="happy"))
    amounts: list[Amount] = ["past", "all"]
    for amount in amounts:
        first, second = (
            ClipModel(*load_model(file), one, known=amount).predict(tested)[""]
            for one in (data, other)
        )
        for x, y in zip(first, second, strict=True):
            assert (x.overall == y.overall).all()


def test_training_knows_training_clips_alone(people: Path, tmp_path: Path) -> None:
    """Other numbers in the clips of test speakers leave the model the same to the last byte."""
    make(tmp_path, **{f"c{k:03d}": 9.0 for k in range(192) if k % 12 >= 8})
    (tmp_path / "protocol.csv").write_text((people / "protocol.csv").read_text())
    paths = [learn(folder, "again", epochs=1) for folder in (people, tmp_path)]
    first, second = (load_model(path / "fold0/model.safetensors") for path in paths)
    assert first[1].normalisation == second[1].normalisation
    for name, x in first[0].state_dict().items():
        assert (x == second[0].state_dict()[name]).all()


def test_the_statistics_are_of_whole_training_clips(people: Path) -> None:
    data, spec = Store(people / "store"), read_spec(people / "known/fold0/model.safetensors")
    assert spec.shrinkage == 0.5 and load_recipe("ravdess-voice").shrinkage == 3.0
    rows = [data.stream(VOICE.name)[c.id].values for c in data.clips if c.speaker in set("ABCDEF")]
    values = np.concatenate(rows).astype(float)
    assert spec.normalisation[VOICE.name].mean == pytest.approx(values.mean(0))
    assert spec.normalisation[VOICE.name].std == pytest.approx(values.std(0))


def test_what_cannot_be_is_refused(people: Path) -> None:
    with pytest.raises(AffuseError, match="needs speakers, and no clip of the store has one"):
        other = relabelled_without_speakers(people)
        list(train(load_recipe(people / "known.yaml"), other, people / "x", device="cpu"))
    with pytest.raises(BadInput, match="shrinkage"):
        load_recipe(people / "known.yaml", ["shrinkage=0"])
    with pytest.raises(BadInput, match=r"over_time\.spliced does not go together"):
        load_recipe(people / "known.yaml", ["over_time.spliced=true"])
    with pytest.raises(BadInput, match="was trained with normalisation=speaker"):
        learn(
            people,
            "from",
            init=str(people / "known/fold0/model.safetensors"),
            normalisation="init",
        )


def relabelled_without_speakers(folder: Path) -> Path:
    target = folder / "nobody"
    shutil.copytree(folder / "store", target)
    clips = [replace(clip, speaker=None) for clip in Store(target).clips]
    write_index(target, Corpus("folder", folder, clips, CLASSES, "none"))
    return target


def test_results_of_different_baselines_are_not_mixed(people: Path, tmp_path: Path) -> None:
    evaluate(people / "known", ["audio"])
    evaluate(people / "known", ["audio"], baseline="all")
    folders = [people / "known", people / "known/evaluation-all"]
    with pytest.raises(BadInput, match=r"all: is of baseline all unlabelled .* of none: they"):
        write_report(folders, tmp_path / "report.html")
    table = people / "known/evaluation-all/predictions.csv"
    rows = list(csv.reader(table.open()))
    rows[3][rows[0].index("baseline")] = "none"
    mixed = tmp_path / "predictions.csv"
    with mixed.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(AffuseError, match=r"mixes the baselines all unlabelled .* and none"):
        read_shares(mixed, read_spec(people / "known/fold0/model.safetensors"), set())


def test_action_units_of_real_people_gain_from_their_own_baseline(shared_data: Path) -> None:
    table = pd.read_csv(shared_data / "ravdess_speech/openface_clip_means_and_logits.csv")
    units = [name for name in map(str, table) if name.startswith("AU")]
    spec = StreamSpec("video/openface", 0.0, (len(units),))
    values = table[units].to_numpy(np.float32)
    clips = [Stream(row[None], np.ones(1, bool)) for row in values]
    known = [evidence_of({spec.name: clip}, {spec.name: spec}) for clip in clips]
    trained = (table["fold"] > 1).to_numpy()
    corpus = together(x for x, own in zip(known, trained, strict=True) if own)
    statistics = {name: x.normalisation() for name, x in corpus.items()}
    baselines = Baselines({spec.name: spec}, statistics, 3.0, 3.6)
    own = {
        actor: together(known[k] for k in np.flatnonzero(table["actor"] == actor))
        for actor in table["actor"].unique()
    }

    def rows(of: dict[Any, Known]) -> np.ndarray:
        moved = [
            baselines.moved(spec.name, clip, of.get(actor, {})).values[0]
            for clip, actor in zip(clips, table["actor"], strict=True)
        ]
        return (np.stack(moved) - statistics[spec.name].mean) / statistics[spec.name].std

    model = LogisticRegression(C=0.02, max_iter=500)
    model.fit(rows(own)[trained], table["emotion"][trained])
    with_all, with_none = (
        model.score(rows(of)[~trained], table["emotion"][~trained]) for of in (own, {})
    )
    assert with_all > with_none + 0.08


class Layers:
    """Two layers of three values each, float16, that differ in level and spread."""

    spec = StreamSpec("audio/whisper-base-layers", 10.0, (2, 3), "float16")

    def sources(self, clip: Clip) -> list[Path]:
        return []

    def extract(self, clip: Clip) -> Stream:
        random = np.random.default_rng(int(clip.id[1:]))
        levels = np.array([[0, 10, -20], [300, 1, 2]])
        values = random.normal(levels, [[1, 2, 3], [30, 5, 6]], (12, 2, 3))
        return Stream(values.astype(np.float16), np.ones(12, bool))


def test_every_value_of_every_layer_has_statistics_of_its_own(tmp_path: Path) -> None:
    clips = [Clip(f"c{k}", speaker=f"s{k % 4}", label=CLASSES[k // 4 % 2]) for k in range(16)]
    prepare(Corpus("folder", tmp_path, clips, CLASSES, "none"), tmp_path / "store", [Layers()])
    roles = {"s0": "test", "s1": "development"}
    lines = [f"{c.id},{c.speaker},{roles.get(str(c.speaker), 'train')}" for c in clips]
    (tmp_path / "protocol.csv").write_text("\n".join(["clip,speaker,fold0", *lines]) + "\n")
    run = learn(tmp_path, "layers", streams=[Layers.spec.name], epochs=1)
    statistics = read_spec(run / "fold0/model.safetensors").normalisation[Layers.spec.name]
    assert statistics.mean == pytest.approx((0, 10, -20, 300, 1, 2), abs=8)
    assert statistics.std == pytest.approx((1, 2, 3, 30, 5, 6), rel=0.3)
    assert evaluate(run, ["audio"], baseline="all")["baseline"].startswith("all unlabelled")
