import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.audit.leaks import find_leaks, split_clips
from affuse.corpora import protocols
from affuse.corpora.clip import Clip
from affuse.corpora.labels import Labels, label_clips
from affuse.corpora.protocols.keys import group_clips
from affuse.corpora.protocols.load import list_protocols, load_protocol
from affuse.corpora.protocols.made import LEAVE_ONE_SPEAKER_OUT, MADE
from affuse.corpora.protocols.make import make_protocol
from affuse.corpora.protocols.protocol import Protocol, protocol_text, read_protocol
from affuse.corpora.protocols.rules import digests, frozen_protocols
from affuse.errors import AffuseError, BadInput

FROZEN = [name for name in list_protocols() if name not in MADE]


def speakers(fold: dict[str, tuple[str, ...]], role: str) -> set[str]:
    return {clip[-2:] for clip, has in fold.items() if role in has}


@pytest.mark.parametrize("protocol", frozen_protocols(), ids=lambda p: p.name)
def test_the_shipped_files_are_what_the_rules_make(protocol: Protocol) -> None:
    path = Path(protocols.__file__).parent / f"{protocol.name}.csv"
    assert path.read_text() == protocol_text(protocol)


def test_digests_are_those_of_the_files_and_a_changed_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(protocols.__file__).parent
    assert (folder / "SHA256SUMS").read_text() == digests()
    shutil.copytree(folder, tmp_path / "p")
    monkeypatch.setattr("affuse.corpora.protocols.load.__file__", str(tmp_path / "p/x.py"))
    changed = tmp_path / "p/ravdess/6fold.csv"
    changed.write_text(changed.read_text().replace(",test", ",train", 1))
    assert load_protocol("ravdess/5fold", []).folds
    with pytest.raises(BadInput, match="its SHA-256 differs"):
        load_protocol("ravdess/6fold", [])


@pytest.mark.parametrize("name", FROZEN)
def test_sources_and_flaws_are_stated_and_every_row_has_one_role(name: str) -> None:
    protocol = load_protocol(name, [])
    assert protocol.source and protocol.flaws and len(protocol.sha256) == 64
    for fold in protocol.folds:
        assert fold.keys() == protocol.folds[0].keys()
        assert all(len(roles) == 1 for roles in fold.values())


@pytest.mark.parametrize("name", [name for name in FROZEN if name[:6] in ("ravdes", "cremad")])
def test_a_full_corpus_has_no_leak_and_nothing_is_missing(name: str) -> None:
    protocol = load_protocol(name, [])
    clips = [Clip(clip, speaker=speaker) for clip, speaker in protocol.speakers.items()]
    assert len(clips) == (1440 if protocol.corpus == "ravdess" else 7442)
    for fold in range(len(protocol.folds)):
        assert find_leaks(protocol, fold, clips) == []


def test_the_released_split_of_chumachenko() -> None:
    (fold,) = load_protocol("ravdess/chumachenko", []).folds
    assert speakers(fold, "test") == {"05", "10", "16", "19"}
    assert speakers(fold, "development") == {"11", "13", "18", "22"}


@pytest.mark.parametrize(
    "name", ["ravdess/6fold", "ravdess/5fold", "ravdess/leave-one-speaker-out"]
)
def test_the_test_folds_cover_every_actor_once(name: str) -> None:
    folds = load_protocol(name, []).folds
    tested = [actor for fold in folds for actor in speakers(fold, "test")]
    assert sorted(tested) == [f"{k:02d}" for k in range(1, 25)]


def test_the_five_folds_are_the_published_ones(shared_data: Path) -> None:
    import pandas as pd

    path = shared_data / "ravdess_speech" / "openface_clip_means_and_logits.csv"
    table = pd.read_csv(path)
    folds = load_protocol("ravdess/5fold", []).folds
    for clip, fold in zip(table["audio_id"], table["fold"], strict=True):
        assert folds[fold][clip[3:]] == ("test",)


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40))
def test_leave_one_speaker_out_is_disjoint_for_any_speakers(names: list[str]) -> None:
    clips = [Clip(id=str(k), speaker=name) for k, name in enumerate(names)]
    count = len(set(names))
    if count < 4:
        with pytest.raises(AffuseError, match="four speakers"):
            load_protocol(LEAVE_ONE_SPEAKER_OUT, clips)
        return
    protocol = load_protocol(LEAVE_ONE_SPEAKER_OUT, clips)
    assert len(protocol.folds) == count
    for k in range(count):
        split = split_clips(protocol, k, clips, clips)
        assert {clip.speaker for clip in split["test"]} == {sorted(set(names))[k]}
        assert len({clip.speaker for clip in split["development"]}) == 2


def user_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return path


def test_a_file_from_a_spreadsheet_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = user_file(tmp_path, "\ufeffclip,speaker,fold0\na,x,train\n")
    assert read_protocol(path).folds == [{"a": ("train",)}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# version: one\nclip,speaker,fold0\na,x,train\n", "version 'one'"),
        ("clip,fold0\na,train\n", "needs the columns"),
        ("clip,speaker,fold0\na,x,training\n", "line 2: role 'training' of clip a is none of"),
        ("clip,speaker,fold0\na,x,train\na,x,train\n", "listed twice"),
    ],
)
def test_a_wrong_protocol_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read_protocol(user_file(tmp_path, text))


def test_unknown_clips_folds_and_names_are_refused(tmp_path: Path) -> None:
    protocol = load_protocol("ravdess/6fold", [])
    with pytest.raises(AffuseError, match="folds 0 to 5"):
        protocol.roles(6, [])
    with pytest.raises(BadInput, match="no such protocol"):
        load_protocol("ravdess/7fold", [])


def test_the_released_code_splits_actors_in_order() -> None:
    (fold,) = load_protocol("ravdess/chumachenko-code", []).folds
    assert speakers(fold, "test") == {"01", "02", "03", "04"}
    assert speakers(fold, "development") == {"05", "06", "07", "08"}


def test_the_blocks_of_cremad_hold_as_many_clips_as_described(shared_data: Path) -> None:
    from affuse.corpora.cremad import CLASSES, read

    clips = list(read(shared_data / "cremad_labels").clips)
    protocol = load_protocol("cremad/blocks", [])
    for rule, sizes in (
        ("plurality", (4260, 1369, 1393)),
        ("majority", (3583, 1151, 1179)),
        ("distribution", (4509, 1470, 1463)),
    ):
        used = label_clips(clips, CLASSES, Labels(rule)).clips
        split = split_clips(protocol, 0, used, clips)
        assert tuple(len(part) for part in split.values()) == sizes


def test_sessions_of_msp_improv_are_left_out_with_the_published_development_sessions() -> None:
    clips = [
        Clip(f"{s}{who}", session=str(s), speaker=f"{who}{s}") for s in range(1, 7) for who in "FM"
    ]
    protocol = load_protocol("msp-improv/leave-one-session-out", clips)
    pairs = []
    for fold in range(6):
        split = split_clips(protocol, fold, clips, clips)
        assert find_leaks(protocol, fold, clips) == []
        pairs.append(tuple(split[role][0].session for role in ("test", "development")))
        assert len(split["train"]) == 8
    assert pairs == [("5", "4"), ("3", "2"), ("2", "1"), ("1", "6"), ("6", "5"), ("4", "3")]


def trials(train: int, validation: int) -> list[Clip]:
    """Trials, and two recordings that are split between the publisher's sets."""
    clips = [
        Clip(
            f"{k}",
            speaker=f"{k}",
            recording=f"{k}",
            partition="train" if k < train else "validation",
        )
        for k in range(train + validation)
    ]
    for name, speakers_ in (("9-25_left 9-25_right", "l r"), ("video9_1 video9_2", "v v")):
        for trial, speaker, set_ in zip(
            name.split(), speakers_.split(), ("train", "validation"), strict=True
        ):
            clips.append(Clip(trial, speaker=speaker, recording=name[:6], partition=set_))
    return clips


def test_folds_of_affwild2_by_list_cut_recordings_and_by_groups_do_not() -> None:
    clips = [*trials(120, 30), Clip("t1", speaker="t1", recording="t1", partition="test")]
    by_list = load_protocol("affwild2/6fold-list", clips)
    by_groups = load_protocol("affwild2/6fold-groups", clips)
    kinds = set()
    tested = []
    for fold in range(6):
        split = split_clips(by_list, fold, clips, clips)
        assert [c.id for c in split["test"]] == ["t1"]
        kinds |= {leak.kind for leak in find_leaks(by_list, fold, clips)}
        own = clips[:-1]
        assert find_leaks(by_groups, fold, own, listed=clips) == []
        tested += [clip.id for clip in split_clips(by_groups, fold, own, clips)["test"]]
    assert kinds == {"speaker", "recording"}
    assert sorted(tested) == sorted(clip.id for clip in clips[:-1])
    assert {c.partition for c in split_clips(by_list, 0, clips, clips)["development"]} == {
        "validation"
    }


PICTURES = st.lists(
    st.tuples(st.sampled_from([*"abcdefghijklmn"]), st.sampled_from([None, "x", "y"])),
    min_size=1,
    max_size=60,
)


def pictures(people: int, each: int = 2) -> list[Clip]:
    """Training images of some people, and of others the publisher's other sets."""
    sets = {"train": people, "validation": people // 8, "test": people // 8}
    return [
        Clip(f"{set_}{k}.{n}", speaker=f"{set_}{k}", partition=set_)
        for set_, count in sets.items()
        for k in range(count)
        for n in range(each)
    ]


def test_a_tenth_of_the_training_pictures_develops_and_the_test_pictures_play_no_role() -> None:
    clips = pictures(2000)
    protocol = load_protocol("ferplus/validation", clips)
    split = split_clips(protocol, 0, clips, clips)
    assert {c.partition for c in split["train"]} == {"train"}
    assert {c.partition for c in split["development"]} == {"train"}
    assert split["test"] == [c for c in clips if c.partition == "validation"]
    share = len(split["development"]) / 4000
    assert 0.08 < share < 0.12 and len(split["train"]) + len(split["development"]) == 4000
    assert find_leaks(protocol, 0, clips) == []
    own = [c for c in clips if c.partition != "test"]
    assert find_leaks(protocol, 0, own) == [], "who has no test images misses none"
    assert split_clips(protocol, 0, own, own) == split
    official = split_clips(load_protocol("ferplus/official", clips), 0, clips, clips)
    assert {role: {c.partition for c in part} for role, part in official.items()} == {
        "train": {"train"},
        "development": {"validation"},
        "test": {"test"},
    }


@given(PICTURES)
def test_tenths_never_part_a_group(rows: list[tuple[str, str | None]]) -> None:
    clips = [
        Clip(f"{k:02d}", speaker=speaker, recording=recording, partition="train")
        for k, (speaker, recording) in enumerate(rows)
    ]
    protocol = load_protocol("ferplus/validation", clips)
    home: dict[str, tuple[str, ...]] = {}
    for group, roles in zip(group_clips(clips), protocol.roles(0, clips), strict=True):
        assert home.setdefault(group, roles) == roles and roles in {("train",), ("development",)}


def test_a_role_of_a_file_may_be_unused(tmp_path: Path) -> None:
    path = user_file(tmp_path, "clip,speaker,fold0\na,x,train\nb,y,unused\nc,z,test\n")
    protocol = read_protocol(path)
    clips = [Clip("a", speaker="x"), Clip("c", speaker="z")]
    assert protocol.roles(0, [*clips, Clip("b", speaker="y")])[2] == ("unused",)
    assert protocol.missing(clips) == [] and protocol.missing(clips[:1]) == ["c"]
    assert protocol_text(protocol).splitlines()[-2] == "b,y,unused"
    path = user_file(tmp_path, "clip,speaker,fold0\na,x,train\nb,y,unused+test\n")
    with pytest.raises(BadInput, match="line 3: role 'unused' of clip b"):
        read_protocol(path)


CLIPS = st.lists(
    st.builds(
        lambda speaker, session, label: (speaker, session, label),
        st.sampled_from("abcdefghij"),
        st.sampled_from([None, "1", "2", "3", "4", "5", "6"]),
        st.sampled_from(["joy", "anger"]),
    ),
    min_size=12,
    max_size=60,
)


@given(CLIPS, st.integers(3, 5), st.integers(0, 9))
def test_a_protocol_of_ones_own_never_leaks(
    rows: list[tuple[str, str | None, str]], folds: int, seed: int
) -> None:
    from affuse.corpora.clip import Corpus

    clips = [Clip(f"{k:02d}", speaker=a, session=b, label=c) for k, (a, b, c) in enumerate(rows)]
    corpus = Corpus("folder", Path(), clips, ("anger", "joy"), "none")
    if len(set(group_clips(clips))) < folds:
        with pytest.raises(AffuseError, match="too few"):
            make_protocol(corpus, "mine", folds, 1, seed)
        return
    protocol = make_protocol(corpus, "mine", folds, 1, seed)
    assert protocol == make_protocol(corpus, "mine", folds, 1, seed)
    tested = []
    for fold in range(folds):
        assert find_leaks(protocol, fold, clips) == []
        tested += [clip.id for clip in split_clips(protocol, fold, clips, clips)["test"]]
    assert sorted(tested) == [clip.id for clip in clips]
