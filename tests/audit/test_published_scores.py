"""Scores by models that may have been trained on test speakers refuse a split, or are let pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import refused, run
from tests.scored import FACE, VOICE, scored_clips, scored_store, write_scores

from affuse.audit.published_scores import find_score_leaks, nested_scores
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import Protocol
from affuse.features.store import Store

CLIPS = scored_clips(64)
BOTH = (VOICE, FACE)


def number(clip: Clip) -> int:
    return int(str(clip.speaker)[1:])


def store(folder: Path, fold: Callable[[Clip], str] | None) -> Store:
    return Store(scored_store(folder, CLIPS, write_scores(folder / "t.csv", CLIPS, fold=fold)))


def leaks(data: Store, fold: int = 0, protocol: Protocol | None = None) -> list[str]:
    protocol = protocol or load_protocol(str(data.path.parent / "protocol.csv"), CLIPS)
    return [str(leak) for leak in find_score_leaks(protocol, fold, CLIPS, data, BOTH)]


@pytest.mark.parametrize(
    "fold",
    [
        lambda clip: str(number(clip) % 4),  # those of the protocol
        lambda clip: str(number(clip)),  # a speaker each
        lambda clip: str(number(clip) // 4),  # others than the protocol's, of whole speakers
    ],
)
def test_folds_of_whole_speakers_do_not_leak(tmp_path: Path, fold: Callable[[Clip], str]) -> None:
    assert leaks(store(tmp_path, fold)) == []


def test_a_speaker_in_two_published_folds_leaks_where_tested(tmp_path: Path) -> None:
    data = store(tmp_path, lambda clip: "b" if clip.id == "009" else str(number(clip) % 4))
    assert leaks(data, fold=0) == [], "speaker s1 is trained on"
    (line,) = leaks(data, fold=1)
    assert line == (
        f"fold 1: the model that scored clip 001 in {VOICE} was trained on other clips of its "
        "speaker s1, who is in the published folds 1 and b (16 such cases)"
    )


def test_random_folds_leak(tmp_path: Path) -> None:
    data = store(tmp_path, lambda clip: str(int(clip.id) // 8 % 5))
    assert all(len(leaks(data, fold)) == 1 for fold in (0, 1))


def test_without_a_fold_nobody_knows(tmp_path: Path) -> None:
    (line,) = leaks(store(tmp_path, None))
    assert f"whether the model that scored clip 000 in {VOICE} was trained on it: its table" in line
    partly = tmp_path / "partly"
    partly.mkdir()
    data = store(partly, lambda clip: "" if clip.id == "008" else str(number(clip) % 4))
    assert "scored clip 008" in leaks(data)[0], "an empty cell"


def test_training_scores_come_from_models_that_saw_test_clips(tmp_path: Path) -> None:
    data = store(tmp_path, lambda clip: str(number(clip) % 4))
    protocol = load_protocol(str(tmp_path / "protocol.csv"), CLIPS)
    assert nested_scores(protocol, [0], CLIPS, data, BOTH) == [VOICE, FACE]
    within = {c.id: ("test" if number(c) == 0 else "train",) for c in CLIPS if number(c) % 4 == 0}
    nested = Protocol("within", 1, "", "", "", [within])
    inside = [clip for clip in CLIPS if clip.id in within]
    assert nested_scores(nested, [0], inside, data, BOTH) == [], "trained and tested in one fold"


def test_training_refuses_or_lets_pass_and_writes_it_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, None)
    words = ("train", tmp_path / "recipe.yaml", "--store", tmp_path / "store", "--out")
    line = refused(capsys, *words, tmp_path / "a", "epochs=1")
    assert "fold 0: nobody knows whether the model that scored clip 000" in line
    assert "--allow published-scores" in line and not (tmp_path / "a").exists()
    assert run(*words, tmp_path / "b", "epochs=1", "--allow", "published-scores") == 0
    said = json.loads((tmp_path / "b/run.json").read_text())["leaks"]
    assert said["let_pass"] == {"published-scores": 64}

    store(tmp_path, lambda clip: str(number(clip) % 4))
    assert run(*words, tmp_path / "c", "epochs=1") == 0
    assert f"{VOICE}, {FACE}: the models that scored training" in capsys.readouterr().err
    said = json.loads((tmp_path / "c/run.json").read_text())["leaks"]
    assert said["let_pass"] == {} and "published-scores" in said["looked_for"]
    assert said["nested_scores"] == [VOICE, FACE] and said["learned_values"] == 2
