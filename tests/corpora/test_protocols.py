from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.corpora import protocols
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.protocol import (
    LEAVE_ONE_SPEAKER_OUT,
    list_protocols,
    load_protocol,
    read_protocol,
)
from affuse.corpora.protocols.rules import frozen_protocols, protocol_text
from affuse.errors import AffuseError, BadInput

FROZEN = [name for name in list_protocols() if name != LEAVE_ONE_SPEAKER_OUT]


def speakers(fold: dict[str, str], role: str) -> set[str]:
    return {clip[-2:] for clip, has in fold.items() if has == role}


@pytest.mark.parametrize("protocol", frozen_protocols(), ids=lambda p: p.name)
def test_the_shipped_files_are_what_the_rules_make(protocol):
    path = Path(protocols.__file__).parent / f"{protocol.name}.csv"
    assert path.read_text() == protocol_text(protocol)


@pytest.mark.parametrize("name", FROZEN)
def test_every_clip_has_one_role_and_no_speaker_has_two(name):
    protocol = load_protocol(name, [])
    assert len(protocol.speakers) == 1440
    for fold in protocol.folds:
        assert fold.keys() == protocol.speakers.keys()
        roles = [speakers(fold, role) for role in ("train", "development", "test")]
        assert sum(map(len, roles)) == 24 == len(set.union(*roles))


def test_the_released_split_of_chumachenko():
    (fold,) = load_protocol("ravdess/chumachenko", []).folds
    assert speakers(fold, "test") == {"05", "10", "16", "19"}
    assert speakers(fold, "development") == {"11", "13", "18", "22"}


@pytest.mark.parametrize("name", ["ravdess/6fold", "ravdess/5fold"])
def test_the_test_folds_cover_every_actor_once(name):
    folds = load_protocol(name, []).folds
    tested = [actor for fold in folds for actor in speakers(fold, "test")]
    assert sorted(tested) == [f"{k:02d}" for k in range(1, 25)]


def test_the_five_folds_are_the_published_ones(shared_data):
    import pandas as pd

    path = shared_data / "ravdess_speech" / "openface_clip_means_and_logits.csv"
    table = pd.read_csv(path)
    folds = load_protocol("ravdess/5fold", []).folds
    for clip, fold in zip(table["audio_id"], table["fold"], strict=True):
        assert folds[fold][clip[3:]] == "test"


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40))
def test_leave_one_speaker_out_is_disjoint_for_any_speakers(names):
    clips = [Clip(id=str(k), speaker=name) for k, name in enumerate(names)]
    count = len(set(names))
    if count < 4:
        with pytest.raises(AffuseError, match="four speakers"):
            load_protocol(LEAVE_ONE_SPEAKER_OUT, clips)
        return
    protocol = load_protocol(LEAVE_ONE_SPEAKER_OUT, clips)
    assert len(protocol.folds) == count
    for k in range(count):
        split = protocol.split(k, clips)
        assert {clip.speaker for clip in split["test"]} == {sorted(set(names))[k]}
        assert len({clip.speaker for clip in split["development"]}) == 2


def user_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return path


def test_a_users_protocol_is_read_and_checked_for_speakers(tmp_path):
    clips = [Clip("a", speaker="x"), Clip("b", speaker="x"), Clip("c", speaker="y")]
    good = user_file(tmp_path, "clip,speaker,fold0\na,x,train\nb,x,train\nc,y,test\n")
    assert [c.id for c in load_protocol(str(good), clips).split(0, clips)["test"]] == ["c"]
    leaky = user_file(tmp_path, "clip,speaker,fold0\na,x,train\nb,x,test\nc,y,test\n")
    with pytest.raises(AffuseError, match="speaker x is in train and in test"):
        read_protocol(leaky).split(0, clips)


def test_a_speaker_that_only_the_protocol_knows_counts_too(tmp_path):
    leaky = read_protocol(user_file(tmp_path, "clip,speaker,fold0\na,x,train\nb,x,test\n"))
    with pytest.raises(AffuseError, match="speaker x is in train and in test"):
        leaky.split(0, [Clip("a"), Clip("b")])
    with pytest.raises(AffuseError, match="spoken by x, but by z"):
        leaky.split(0, [Clip("a", speaker="z")])
    unknown = read_protocol(user_file(tmp_path, "clip,speaker,fold0\na,,train\n"))
    with pytest.raises(AffuseError, match="nobody knows who speaks in clip a"):
        unknown.split(0, [Clip("a")])


def test_a_file_from_a_spreadsheet_may_start_with_a_byte_order_mark(tmp_path):
    path = user_file(tmp_path, "\ufeffclip,speaker,fold0\na,x,train\n")
    assert read_protocol(path).folds == [{"a": "train"}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# version: one\nclip,speaker,fold0\na,x,train\n", "version 'one'"),
        ("clip,fold0\na,train\n", "needs the columns"),
        ("clip,speaker,fold0\na,x,training\n", "role 'training' is none of"),
        ("clip,speaker,fold0\na,x,train\na,x,train\n", "listed twice"),
    ],
)
def test_a_wrong_protocol_file_is_named(tmp_path, text, reason):
    with pytest.raises(BadInput, match=reason):
        read_protocol(user_file(tmp_path, text))


def test_unknown_clips_folds_and_names_are_refused(tmp_path):
    protocol = load_protocol("ravdess/6fold", [])
    with pytest.raises(AffuseError, match="does not know 1 of 1 clips, the first is nobody"):
        protocol.split(0, [Clip("nobody", speaker="01")])
    with pytest.raises(AffuseError, match="folds 0 to 5"):
        protocol.split(6, [])
    with pytest.raises(BadInput, match="no such protocol"):
        load_protocol("ravdess/7fold", [])
