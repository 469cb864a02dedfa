"""Label rules, counted on the publisher's votes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.corpora.clip import Clip
from affuse.corpora.cremad import CLASSES, clip_names, read
from affuse.corpora.labels import Labels, label_clips
from affuse.errors import AffuseError

FOUR = ("angry", "sad", "neutral", "happy")
#: Channel, rule -> clips of each class in the order angry, sad, disgust, fear, neutral, happy.
COUNTS = {
    ("audio-visual", "plurality"): (1019, 589, 1139, 1084, 1972, 1219),
    ("audio-visual", "majority"): (902, 400, 894, 874, 1651, 1192),
    ("audio", "plurality"): (986, 370, 547, 645, 3897, 353),
    ("audio", "majority"): (790, 201, 289, 416, 3054, 262),
    ("video", "plurality"): (968, 783, 1057, 822, 2076, 1266),
    ("video", "majority"): (775, 508, 785, 566, 1664, 1225),
}
USED = {
    ("audio-visual", "plurality"): 7022,
    ("audio-visual", "majority"): 5913,
    ("audio", "plurality"): 6798,
    ("audio", "majority"): 5012,
    ("video", "plurality"): 6972,
    ("video", "majority"): 5523,
}


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> list[Clip]:
    return list(read(shared_data / "cremad_labels").clips)


@pytest.mark.parametrize(("channel", "rule"), COUNTS)
def test_the_publishers_votes_give_the_published_counts(
    clips: list[Clip], channel: str, rule: str
) -> None:
    found = label_clips(clips, CLASSES, Labels(rule, channel))
    assert len(found.clips) == USED[channel, rule]
    counts = np.bincount(found.targets.argmax(1), minlength=6)
    assert tuple(counts.tolist()) == COUNTS[channel, rule]


def test_ties_are_dropped_and_counted(clips: list[Clip]) -> None:
    assert label_clips(clips, CLASSES, Labels("plurality")).unused == {"ties": 420}
    everyone = label_clips(clips, CLASSES, Labels("plurality", ties="first"))
    assert len(everyone.clips) == 7442 and not everyone.unused


def test_shares_of_votes_add_up_as_published(clips: list[Clip]) -> None:
    found = label_clips(clips, CLASSES, Labels("distribution"))
    expected = (1058.5, 797.2, 1271.9, 1228.1, 1941.8, 1144.4)
    np.testing.assert_allclose(found.targets.sum(0), expected, atol=0.05)
    smooth = label_clips(clips, CLASSES, Labels("distribution", smoothing=0.06))
    np.testing.assert_allclose(smooth.targets, 0.01 + 0.94 * found.targets, atol=1e-12)


def test_four_classes_keep_the_clips_that_one_of_them_won(clips: list[Clip]) -> None:
    for rule, count in (("plurality", 4799), ("majority", 4145)):
        found = label_clips(clips, CLASSES, Labels(rule, classes=FOUR))
        assert len(found.clips) == count and found.classes == FOUR


def test_what_was_acted_is_what_names_say(clips: list[Clip]) -> None:
    found = label_clips(clips, CLASSES, Labels())
    counts = np.bincount(found.targets.argmax(1)).tolist()
    assert counts == [1271, 1271, 1271, 1271, 1087, 1271] and found.votes is None


def test_the_list_of_clips_is_the_publishers(clips: list[Clip]) -> None:
    assert clip_names() == [clip.id for clip in clips]


def test_demographics_and_votes_are_as_described(clips: list[Clip]) -> None:
    people = {clip.speaker: clip for clip in clips}
    sexes = [clip.sex for clip in people.values()]
    assert (sexes.count("male"), sexes.count("female")) == (48, 43)
    assert min(c.age for c in people.values()) == 20 and max(c.age for c in people.values()) == 74
    totals = [sum(clip.votes["audio-visual"].values()) for clip in clips]
    assert (min(totals), max(totals)) == (5, 12) and np.mean(totals) == pytest.approx(
        9.64, abs=0.01
    )


VOTES = st.lists(
    st.lists(st.integers(0, 6), min_size=3, max_size=3).filter(any), min_size=1, max_size=12
)


def voted(rows: list[list[int]]) -> list[Clip]:
    return [
        Clip(str(k), votes={"audio-visual": dict(zip("abc", row, strict=True))})
        for k, row in enumerate(rows)
    ]


@given(VOTES)
def test_majority_is_part_of_plurality_which_has_one_winner(rows: list[list[int]]) -> None:
    found = {
        rule: label_clips(voted(rows), "abc", Labels(rule))
        for rule in ("plurality", "majority", "distribution")
    }
    ids = {rule: {clip.id for clip in part.clips} for rule, part in found.items()}
    assert (
        ids["majority"]
        <= ids["plurality"]
        <= ids["distribution"]
        == set(map(str, range(len(rows))))
    )
    for part in found.values():
        np.testing.assert_allclose(part.targets.sum(1), np.ones(len(part.clips)))
    for rule, condition in (
        ("majority", lambda row: 2 * max(row) > sum(row)),
        ("plurality", lambda row: row.count(max(row)) == 1),
    ):
        assert ids[rule] == {str(k) for k, row in enumerate(rows) if condition(row)}


def test_what_does_not_fit_is_said() -> None:
    clips = voted([[1, 2, 0]])
    with pytest.raises(AffuseError, match="no class named 'joy'; there are: a, b, c"):
        label_clips(clips, "abc", Labels("plurality", classes=("joy",)))
    with pytest.raises(AffuseError, match=r"no clip has such votes \(there are audio-visual\)"):
        label_clips(clips, "abc", Labels("plurality", channel="audio"))
    with pytest.raises(AffuseError, match="no votes at all"):
        label_clips([Clip("a", label="a")], "abc", Labels("majority"))


def answered(*rows: dict[str, float]) -> list[Clip]:
    return [Clip(str(k), votes={"video": row}) for k, row in enumerate(rows)]


def test_a_class_needs_the_least_number_of_votes() -> None:
    clips = answered({"a": 6, "b": 1}, {"a": 1, "b": 1, "c": 1}, {"b": 2, "c": 2})
    found = label_clips(clips, "abc", Labels("distribution", "video", least=2))
    assert [clip.id for clip in found.clips] == ["0", "2"]
    assert found.votes.tolist() == [[6, 0, 0], [0, 2, 2]]
    assert found.targets.tolist() == [[1, 0, 0], [0, 0.5, 0.5]]
    assert found.unused == {"without votes": 1}


def test_answers_that_are_no_class_count_where_that_is_chosen() -> None:
    clips = answered(
        {"a": 5, "unknown": 4},
        {"a": 4, "unknown": 5},
        {"a": 5, "b": 1, "unknown": 5},
        {"a": 3, "unknown": 2, "NF": 2},
    )

    def used(rule: str, others: str) -> tuple[list[str], dict[str, int]]:
        found = label_clips(clips, "ab", Labels(rule, "video", others=others))
        assert found.classes == ("a", "b") and found.targets.shape[1] == 2
        np.testing.assert_allclose(found.targets.sum(1), 1)
        return [clip.id for clip in found.clips], found.unused

    none = "of none of the classes"
    assert used("majority", "ignore") == (["0", "1", "2", "3"], {})
    assert used("majority", "count") == (["0"], {none: 1, "without a majority": 2})
    assert used("plurality", "count") == (["0", "3"], {none: 1, "ties": 1})
    assert used("distribution", "count") == (["0", "2", "3"], {none: 1})


@given(VOTES, st.integers(1, 4), st.integers(0, 6), st.sampled_from(["ignore", "count"]))
def test_rules_with_few_votes_and_other_answers_are_as_defined(
    rows: list[list[int]], least: int, more: int, others: str
) -> None:
    clips = [
        Clip(str(k), votes={"audio-visual": dict(zip("abco", [*row, more], strict=True))})
        for k, row in enumerate(rows)
    ]
    rows = [[n if n >= least else 0 for n in row] for row in rows]
    other = more if more >= least and others == "count" else 0
    wanted = [k for k, row in enumerate(rows) if any(row) and max(row) >= other]
    if not (any(map(any, rows)) or other):
        with pytest.raises(AffuseError, match="no clip has such votes"):
            label_clips(clips, "abc", Labels("distribution", least=least, others=others))
        return
    for rule, condition in (
        ("distribution", lambda row: True),
        ("plurality", lambda row: [*row, other].count(max(row)) == 1),
        ("majority", lambda row: 2 * max(row) > sum(row) + other),
    ):
        found = label_clips(clips, "abc", Labels(rule, least=least, others=others))
        kept = [k for k in wanted if condition(rows[k])]
        assert [clip.id for clip in found.clips] == [str(k) for k in kept]
        assert found.votes.tolist() == [rows[k] for k in kept]
        assert sum(found.unused.values()) == len(clips) - len(kept)


@pytest.mark.parametrize("changes", [{"least": 0}, {"smoothing": 1.0}, {"smoothing": -0.1}])
def test_rules_that_make_no_sense_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        Labels("majority", **changes)
