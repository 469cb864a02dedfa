"""Every kind of leak is planted and found, and a clean split has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from affuse.audit.leaks import KINDS, check_allowed, find_leaks, split_clips
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.protocol import Protocol
from affuse.errors import AffuseError

ROLES = {"a": "train", "b": "train", "c": "development", "d": "test"}
CLIPS = [Clip(name, speaker=name.upper(), session=name, recording=name) for name in ROLES]


def protocol(**changes: str) -> Protocol:
    roles = {clip: tuple(role.split("+")) for clip, role in {**ROLES, **changes}.items()}
    return Protocol("mine", 1, "", "", "", [roles])


def kinds(
    made: Protocol,
    clips: Sequence[Clip] = CLIPS,
    pairs: Sequence[tuple[str, str, str]] = (),
    listed: Sequence[Clip] | None = None,
) -> dict[str, str]:
    return {leak.kind: str(leak) for leak in find_leaks(made, 0, clips, pairs, listed)}


def changed(clip: str, **values: object) -> list[Clip]:
    return [replace(c, **values) if c.id == clip else c for c in CLIPS]


def test_a_clean_split_has_no_leak() -> None:
    assert kinds(protocol()) == {}
    split = split_clips(protocol(), 0, CLIPS, CLIPS)
    assert {role: [c.id for c in part] for role, part in split.items()} == {
        "train": ["a", "b"],
        "development": ["c"],
        "test": ["d"],
    }


@pytest.mark.parametrize("what", ["speaker", "session", "recording"])
def test_people_sessions_and_recordings_have_one_role(what: str) -> None:
    shared = getattr(CLIPS[3], what)
    found = kinds(protocol(), changed("b", **{what: shared}))
    assert found == {what: f"fold 0: {what} {shared} is in train and in test"}


@pytest.mark.parametrize("kind", ["same-file", "same-features", "near-audio", "near-video"])
def test_the_same_recording_has_one_role(kind: str) -> None:
    assert kinds(protocol(), pairs=[(kind, "a", "b")]) == {}
    found = kinds(protocol(), pairs=[(kind, "a", "d"), (kind, "c", "d")])
    assert list(found) == [kind]
    assert "clip a in train and d in test (2 such cases)" in found[kind]


def test_development_equal_to_test_is_said() -> None:
    found = kinds(protocol(c="train", d="development+test"))
    assert found["two-roles"] == (
        "fold 0: the development clips are the test clips, d is in development and in test"
    )
    found = kinds(protocol(a="train+test"))
    assert found["two-roles"] == "fold 0: clip a is in train and in test"
    split = split_clips(protocol(a="train+test"), 0, CLIPS, CLIPS)
    assert "a" in {c.id for c in split["train"]} & {c.id for c in split["test"]}


def test_clips_that_are_unknown_missing_or_unnamed_are_told() -> None:
    stranger = [*CLIPS, Clip("e", speaker="E")]
    assert kinds(protocol(), stranger) == {"unknown": "fold 0: the protocol does not know clip e"}
    assert kinds(protocol(), CLIPS[:-1]) == {"missing": "fold 0: clip d of the protocol is missing"}
    assert kinds(protocol(), CLIPS[:-1], listed=CLIPS) == {}, "listed and not used is not missing"
    assert (
        "nobody knows who speaks in clip b"
        in kinds(protocol(), changed("b", speaker=None))["unnamed"]
    )


def test_a_speaker_that_only_the_protocol_knows_counts_too() -> None:
    unnamed = [Clip(name) for name in ROLES]
    leaky = replace(protocol(), speakers={"a": "x", "b": "y", "c": "z", "d": "x"})
    assert kinds(leaky, unnamed) == {"speaker": "fold 0: speaker x is in train and in test"}
    with pytest.raises(AffuseError, match="spoken by x, but by A"):
        find_leaks(leaky, 0, CLIPS)


def test_without_training_clips_there_is_nothing_to_do() -> None:
    with pytest.raises(AffuseError, match="every training clip is missing"):
        split_clips(protocol(), 0, CLIPS[2:], CLIPS)


def test_only_kinds_that_exist_can_be_let_pass() -> None:
    check_allowed(list(KINDS))
    with pytest.raises(AffuseError, match="no leak named 'speakers'; did you mean 'speaker'"):
        check_allowed(["speakers"])


def test_what_plays_no_role_leaks_nowhere() -> None:
    shared = changed("b", speaker="D", session="d", recording="d")
    assert set(kinds(protocol(), shared)) == {"speaker", "session", "recording"}
    unused = protocol(b="unused")
    pairs = [("same-file", "b", "d"), ("near-video", "a", "b")]
    assert kinds(unused, shared, pairs) == {}
    split = split_clips(unused, 0, shared, shared)
    assert {role: [c.id for c in part] for role, part in split.items()} == {
        "train": ["a"],
        "development": ["c"],
        "test": ["d"],
    }
    assert kinds(unused, [c for c in CLIPS if c.id != "b"]) == {}, "nobody misses it"
    assert "missing" in kinds(protocol(c="unused"), CLIPS[:-1])
