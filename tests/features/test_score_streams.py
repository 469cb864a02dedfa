"""Scores of other models become streams, or one line says why not."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from tests.scored import CLASSES, VOICE, logits, scored_clips, scored_store, write_scores

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.ravdess import CLASSES as RAVDESS
from affuse.corpora.ravdess import read
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import create_extractor
from affuse.features.scores import Scores, check_classes
from affuse.features.store import Store
from affuse.features.stream import StreamSpec

ANSWERS = ("no", "yes")


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def said(source: Path | str, clip: str = "a", classes: tuple[str, ...] = ANSWERS) -> list[float]:
    """Probabilities of a clip; none where it is absent."""
    stream = Scores("video/scores-x", Path(source), classes).extract(Clip(clip))
    if stream is None or not stream.mask.all():
        return []
    assert stream.values.dtype == np.float32 and stream.values.shape == (1, len(classes))
    return [round(float(x), 4) for x in np.exp(stream.values[0])]


def test_columns_are_told_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "id,a_yes,a_no,b_yes,b_no", "a,0.9,0.1,0.3,0.7")
    assert said(f"{path}#a_") == [0.1, 0.9], "in the order of the classes, whatever the columns'"
    assert said(f"{path}#b_") == [0.7, 0.3]
    bare = table(tmp_path / "u.csv", "id,other,no,yes", "a,x,0.1,0.9")
    assert said(bare) == [0.1, 0.9]
    odd = table(tmp_path / "v#1.csv", "id,No,YES", "a,0.1,0.9")
    assert said(odd) == [0.1, 0.9]


def test_numbered_columns_are_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "id,p1,p0", "a,0.9,0.1")
    extractor = Scores("video/scores-x", Path(f"{path}#p"), ANSWERS)
    assert said(f"{path}#p") == [0.1, 0.9]
    assert extractor.spec.recipe["columns"] == ["p0", "p1"]
    assert extractor.spec.recipe["classes"] == ["no", "yes"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=3, max_size=3), st.sampled_from(",;\t"))
def test_logits_log_probabilities_and_probabilities_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], separator: str
) -> None:
    logits = np.array([values, [9.0, -9.0, 0.0]])
    shares = log_softmax(logits, 1)
    folder, classes = tmp_path_factory.mktemp("scores"), ("x", "y", "z")
    for name, given_as in (("l", logits), ("s", shares), ("p", np.exp(shares))):
        rows = [
            separator.join(
                [clip, *(f"{x:.12g}".replace(".", "," if separator != "," else ".") for x in row)]
            )
            for clip, row in zip("ab", given_as, strict=True)
        ]
        path = table(folder / f"{name}.csv", separator.join(["clip", *classes]), *rows)
        extractor = Scores("audio/scores-x", path, classes)
        stream = extractor.extract(Clip("a"))
        assert stream is not None
        assert extractor.spec.recipe["given"] == ("probabilities" if name == "p" else "logits")
        floor = np.log(1e-6) if name == "p" else -np.inf
        np.testing.assert_allclose(stream.values[0], np.maximum(shares[0], floor), atol=1e-4)


def test_rounded_probabilities_forbid_nothing(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "id,no,yes", "a,0,1", "b,0.33,0.66")
    stream = Scores("video/scores-x", path, ANSWERS).extract(Clip("a"))
    assert stream is not None and stream.values[0, 0] == pytest.approx(np.log(1e-6), abs=1e-4)
    assert sum(said(path, "b")) == pytest.approx(1)


def test_rows_that_are_missing_or_have_a_gap_are_absent(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "id,no,yes,fold", "a,3,-1,2", "b,,1,", "", "c,nan,0,1")
    extractor = Scores("video/scores-x", path, ANSWERS)
    assert [bool(said(path, clip)) for clip in "abcd"] == [True, False, False, False]
    assert extractor.extract(Clip("d")) is None
    assert [extractor.fold(Clip(name)) for name in "abd"] == ["2", None, None]


def test_a_clip_is_found_by_its_id_or_its_files(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "id,audio_id,no,yes", "x,03-x,0.1,0.9")
    extractor = Scores("audio/scores-x", path, ANSWERS)
    assert extractor.extract(Clip("1", audio=Path("d/03-x.wav"))) is not None
    assert pickle.loads(pickle.dumps(extractor)).spec == extractor.spec


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["id,no", "a,1"], "no column yes; scores need a column for each class"),
        (["id,p_no,p_yes", "a,0,1"], "no column no; .*t.csv#logit_ for logit_no"),
        (["no,yes", "0,1"], "no column id, audio_id, clip, file, name"),
        (["id,no,yes", "a,0.2,0.2"], "line 2: the probabilities no, ... add up to 0.400, not to 1"),
        (["id,no,yes", "a,inf,1"], "line 2: holds an infinite value"),
        (["id,no,yes", "a,x,1"], "line 2: no is no number: 'x'"),
        (["id,no,yes", "a,5,1", "a,5,1"], "line 3: a is in line 2 too"),
        (["id,no,yes,no", "a,5,1,5"], "two columns no"),
        ([""], "is empty"),
    ],
)
def test_bad_tables_are_refused_in_a_line(tmp_path: Path, lines: list[str], expected: str) -> None:
    path = table(tmp_path / "t.csv", *lines)
    with pytest.raises(BadInput, match=expected) as error:
        said(path)
    assert "t.csv" in str(error.value) and "\n" not in str(error.value)


def test_other_mistakes_are_told(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "id,p_no,p_yes,p_maybe", "a,0.2,0.2,0.6")
    with pytest.raises(BadInput, match="column p_maybe scores none of no, yes"):
        said(f"{path}#p_")
    with pytest.raises(BadInput, match="no such table of scores for video/scores-x"):
        said(tmp_path / "nowhere.csv#p_")
    with pytest.raises(AffuseError, match="needs the classes"):
        create_extractor("video/scores-x", path)
    with pytest.raises(AffuseError, match="video/scores-x is imported; say where from"):
        create_extractor("video/scores-x", None, ANSWERS)


def test_scores_of_other_classes_are_not_learned_from(tmp_path: Path) -> None:
    spec = Scores(
        VOICE, Path(f"{write_scores(tmp_path / 't.csv', scored_clips())}#voice_"), CLASSES
    )
    check_classes([spec.spec], CLASSES)
    with pytest.raises(AffuseError, match="audio/scores-voice scores neutral, calm, happy, sad; "):
        check_classes([spec.spec], CLASSES[::-1])


def test_the_store_holds_the_scores_and_the_published_folds(tmp_path: Path) -> None:
    clips = scored_clips(24)
    path = write_scores(tmp_path / "t.csv", clips[:20])
    file = Store(scored_store(tmp_path, clips, path)).stream(VOICE)
    assert file.spec.kind == "scores" and file.spec.rate == 0
    assert file.folds == {clip.id: str(int(str(clip.speaker)[1:]) % 4) for clip in clips[:20]}
    expected = log_softmax(logits(clips[7])[0])
    np.testing.assert_allclose(file[clips[7].id].values[0], expected, atol=1e-4)
    assert len(file[clips[23].id].mask) == 0, "not in the table: absent"


def test_the_spec_names_a_class_for_every_score() -> None:
    spec = StreamSpec(VOICE, 0.0, (2,), recipe={"classes": ["no", "yes"]}, kind="scores")
    assert StreamSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    for classes in (None, 2, ["no"], ["no", 5], ["no", "yes", "maybe"]):
        wrong = replace(spec, recipe={"classes": classes})
        with pytest.raises(ValueError, match=r"recipe\.classes"):
            StreamSpec.from_json(wrong.to_json())


def test_published_logits_of_ravdess(shared_data: Path) -> None:
    """Of both models, in folds that are those of ravdess/5fold."""
    root = shared_data / "ravdess_speech"
    corpus, source = read(root), root / "openface_clip_means_and_logits.csv"
    protocol = load_protocol("ravdess/5fold", corpus.clips)
    tested = {
        clip.id: str(fold)
        for fold in range(5)
        for clip, roles in zip(corpus.clips, protocol.roles(fold, corpus.clips), strict=True)
        if "test" in roles
    }
    right = {}
    for name, prefix in (
        ("audio/scores-w", "wav2vec_logit_"),
        ("video/scores-b", "au_bilstm_logit_"),
    ):
        extractor = Scores(name, Path(f"{source}#{prefix}"), RAVDESS)
        assert {clip.id: extractor.fold(clip) for clip in corpus.clips} == tested
        streams = [extractor.extract(clip) for clip in corpus.clips]
        said = [None if x is None else RAVDESS[int(x.values[0].argmax())] for x in streams]
        right[name] = np.mean([s == c.label for s, c in zip(said, corpus.clips, strict=True)])
    assert right == pytest.approx({"audio/scores-w": 0.820, "video/scores-b": 0.614}, abs=0.001)
