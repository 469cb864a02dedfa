"""Several corpora, each by a protocol of its own; protocols of tenths and of a held-out pair."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.audit.leaks import find_leaks, split_clips
from affuse.cli.main import main
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.keys import group_clips
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import Protocol
from affuse.corpora.together import among_others
from affuse.errors import AffuseError, BadInput

NEMO = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
FACES = "diffusionfer/halves+ferplus/validation"


def generated(count: int) -> list[Clip]:
    """Pictures of people who are nobody: each is its own group."""
    return [Clip(f"g{k}", speaker=f"g{k}") for k in range(count)]


def photographs(count: int) -> list[Clip]:
    """Pictures in the publisher's three sets."""
    sets = ("train", "train", "validation", "test")
    return [Clip(f"p{k}", speaker=f"p{k}", partition=sets[k % 4]) for k in range(count)]


def actors(people: tuple[str, ...] = NEMO) -> list[Clip]:
    return [Clip(f"{who}-{k}", speaker=who) for who in people for k in range(2)]


def together(**corpora: list[Clip]) -> list[Clip]:
    return [among_others(clip, name) for name, clips in corpora.items() for clip in clips]


def own_file(path: Path, corpus: str, *rows: str) -> Path:
    """A protocol file of clips in two folds."""
    lines = [f"# corpus: {corpus}", "clip,speaker,fold0,fold1", *rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def roles_of(protocol: Protocol, fold: int, clips: list[Clip]) -> dict[str, tuple[str, ...]]:
    return dict(zip([clip.id for clip in clips], protocol.roles(fold, clips), strict=True))


# Several corpora.


@given(st.integers(1, 80), st.integers(1, 80), st.randoms(use_true_random=False))
def test_clips_have_the_roles_that_their_own_protocol_gives_them(
    drawn: int, taken: int, order: Random
) -> None:
    own = {"diffusionfer": generated(drawn), "ferplus": photographs(taken)}
    clips = together(**own)
    order.shuffle(clips)
    found = roles_of(load_protocol(FACES, clips), 0, clips)
    for name, corpus in zip(FACES.split("+"), own, strict=True):
        alone = roles_of(load_protocol(name, own[corpus]), 0, own[corpus])
        assert {f"{corpus}/{clip}": has for clip, has in alone.items()} == {
            clip: has for clip, has in found.items() if clip.startswith(f"{corpus}/")
        }


def test_the_order_of_the_parts_changes_the_name_alone() -> None:
    clips = together(nemo=actors(NEMO[1:]), ferplus=photographs(3), diffusionfer=generated(40))
    names = ("nemo/held-out", "ferplus/validation", "diffusionfer/halves")
    one, other = load_protocol("+".join(names), clips), load_protocol("+".join(names[::-1]), clips)
    assert one.name == "+".join(names) and other.name == "+".join(names[::-1])
    assert roles_of(one, 0, clips) == roles_of(other, 0, clips)
    assert sorted(one.missing(clips)) == sorted(other.missing(clips)) != []
    kinds = [[(x.kind, x.count) for x in find_leaks(p, 0, clips)] for p in (one, other)]
    assert kinds[0] == kinds[1]
    for part in (load_protocol(name, []) for name in names):
        assert all(part.source in both.source for both in (one, other))
        assert all(part.flaws in both.flaws for both in (one, other))


def test_fold_k_of_each_corpus_is_fold_k_of_its_own_protocol(tmp_path: Path) -> None:
    one = own_file(tmp_path / "one.csv", "emovo", "a,x,train,test", "b,y,test,train")
    two = own_file(tmp_path / "two.csv", "nemo", "a,x,train,unused", "c,z,development,train")
    clips = together(
        emovo=[Clip("a", speaker="x"), Clip("b", speaker="y")],
        nemo=[Clip("a", speaker="x"), Clip("c", speaker="z")],
    )
    protocol = load_protocol(f"{one}+{two}", clips)
    assert [roles_of(protocol, fold, clips) for fold in range(len(protocol.folds))] == [
        {"emovo/a": ("train",), "emovo/b": ("test",)}
        | {"nemo/a": ("train",), "nemo/c": ("development",)},
        {"emovo/a": ("test",), "emovo/b": ("train",)}
        | {"nemo/a": ("unused",), "nemo/c": ("train",)},
    ]
    for fold in (0, 1):
        assert find_leaks(protocol, fold, clips) == [], "two speakers x are two people"
    same = find_leaks(protocol, 0, clips, [("same-file", "emovo/b", "nemo/a")])
    assert [leak.kind for leak in same] == ["same-file"], "a recording that two corpora share"


def test_clips_that_are_missing_and_clips_that_nobody_lists_are_said(tmp_path: Path) -> None:
    rows = ("a,x,train,train", "b,y,test,test", "d,y,unused,unused")
    one = own_file(tmp_path / "one.csv", "emovo", *rows)
    two = own_file(tmp_path / "two.csv", "nemo", "a,x,train,test")
    clips = together(emovo=[Clip("a", speaker="x")], nemo=[*actors(("x",))[:1], Clip("a")])
    leaks = find_leaks(load_protocol(f"{one}+{two}", clips), 1, clips)
    assert {leak.kind: leak.example for leak in leaks} == {
        "unknown": "the protocol does not know clip nemo/x-0",
        "missing": "clip emovo/b of the protocol is missing",
    }
    held_out = load_protocol(
        "nemo/held-out+diffusionfer/halves",
        few := together(nemo=actors(NEMO[2:]), diffusionfer=generated(400)),
    )
    assert held_out.missing(few) == ["nemo/EB0", "nemo/IC0"]


def test_speakers_that_a_protocol_file_names_are_those_of_its_corpus(tmp_path: Path) -> None:
    two = own_file(tmp_path / "two.csv", "nemo", "a,x,train,train")
    rows = ("a,x,train,train", "b,x,test,train", "c,,train,train", "d,,test,train")
    one = own_file(tmp_path / "one.csv", "emovo", *rows)
    unnamed = together(emovo=[Clip(name) for name in "abcd"], nemo=[Clip("a", speaker="x")])
    leaks = find_leaks(load_protocol(f"{one}+{two}", unnamed), 0, unnamed)
    assert [(leak.kind, leak.count) for leak in leaks] == [("speaker", 1), ("unnamed", 2)]
    assert "emovo/x" in leaks[0].example
    other = together(emovo=[Clip(name, speaker="z") for name in "abcd"], nemo=[Clip("a")])
    with pytest.raises(AffuseError, match=r"clip emovo/a is spoken by emovo/x, but by emovo/z"):
        find_leaks(load_protocol(f"{one}+{two}", other), 0, other)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (FACES, "is for stores of diffusionfer, ferplus; at hand: ferplus, nemo"),
        ("ferplus/validation+ferplus/official", "is for stores of ferplus, ferplus; at hand: fer"),
        ("ferplus/official+leave-one-speaker-out", "is for stores of ferplus, any corpus; at"),
        ("ferplus/official+nemo/held", "nemo/held: no such protocol or file"),
        ("ferplus/official+", "no such protocol or file"),
    ],
)
def test_protocols_of_other_corpora_are_refused_in_one_line(name: str, reason: str) -> None:
    clips = together(ferplus=photographs(8), nemo=actors())
    with pytest.raises(AffuseError, match=reason) as refused:
        load_protocol(name, clips)
    assert "\n" not in str(refused.value)


def test_several_protocols_for_one_store_or_none_are_refused() -> None:
    with pytest.raises(AffuseError, match="at hand: one store"):
        load_protocol(FACES, photographs(8))
    with pytest.raises(AffuseError, match="at hand: none"):
        load_protocol(FACES, [])


def test_different_numbers_of_folds_are_refused_in_one_line() -> None:
    clips = together(ravdess=[Clip("x", speaker="01")], nemo=actors())
    with pytest.raises(AffuseError, match=r"the protocols have \[1, 6\] folds"):
        load_protocol("ravdess/6fold+nemo/held-out", clips)


# Tenths of a corpus without sets, and a held-out pair.


def test_half_of_the_generated_pictures_is_tested_and_a_tenth_develops() -> None:
    clips = generated(4000)
    protocol = load_protocol("diffusionfer/halves", clips)
    assert find_leaks(protocol, 0, clips) == [] and protocol.missing(clips) == []
    split = split_clips(protocol, 0, clips, clips)
    shares = {role: len(part) / 4000 for role, part in split.items()}
    assert shares == pytest.approx({"train": 0.4, "development": 0.1, "test": 0.5}, abs=0.03)
    digest = int.from_bytes(hashlib.sha256(b"tenth/g7").digest(), "big")
    expected = ("train", "development", "test")[(digest % 10 > 3) + (digest % 10 > 4)]
    assert roles_of(protocol, 0, clips)["g7"] == (expected,), "as the documentation describes it"


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40))
def test_tenths_of_a_corpus_without_sets_never_part_a_group(recordings: list[str]) -> None:
    clips = [Clip(f"{k:02d}", recording=name) for k, name in enumerate(recordings)]
    roles = load_protocol("diffusionfer/halves", clips).roles(0, clips)
    home: dict[str, tuple[str, ...]] = {}
    for group, has in zip(group_clips(clips), roles, strict=True):
        assert has and home.setdefault(group, has) == has


def test_a_woman_and_a_man_of_nemo_judge_and_nobody_is_tested() -> None:
    clips = actors()
    protocol = load_protocol("nemo/held-out", clips)
    assert find_leaks(protocol, 0, clips) == []
    people = {
        role: {clip.speaker for clip in part}
        for role, part in split_clips(protocol, 0, clips, clips).items()
    }
    assert people["development"] == {"IC0", "KS0"} and people["test"] == set()
    assert people["train"] == {*NEMO} - {"IC0", "KS0"}


def test_every_actor_of_nemo_is_tested_once() -> None:
    clips = actors()
    protocol = load_protocol("nemo/5fold", clips)
    tested = []
    for fold in range(5):
        assert find_leaks(protocol, fold, clips) == []
        split = split_clips(protocol, fold, clips, clips)
        tested += [clip.speaker for clip in split["test"]]
        assert split["development"] == [] and len(split["train"]) in (14, 16)
    assert sorted(tested) == sorted(clip.speaker for clip in clips)


def test_the_list_of_protocols_describes_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "protocols"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for name in ("diffusionfer/halves", "nemo/held-out", "nemo/5fold"):
        protocol = load_protocol(name, [])
        assert name in printed and protocol.source in printed and protocol.flaws in printed


def test_a_changed_name_is_suggested_for() -> None:
    with pytest.raises(BadInput, match="diffusionfer/halves"):
        load_protocol("diffusionfer/halfs", [])
