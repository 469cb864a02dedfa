"""Label rules, counted on the publisher's votes."""

from __future__ import annotations

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
def clips(shared_data):
    return list(read(shared_data / "cremad_labels").clips)


@pytest.mark.parametrize(("channel", "rule"), COUNTS)
def test_the_publishers_votes_give_the_published_counts(clips, channel, rule):
    found = label_clips(clips, CLASSES, Labels(rule, channel))
    assert len(found.clips) == USED[channel, rule]
    counts = np.bincount(found.targets.argmax(1), minlength=6)
    assert tuple(counts.tolist()) == COUNTS[channel, rule]


def test_ties_are_dropped_and_counted(clips):
    assert label_clips(clips, CLASSES, Labels("plurality")).unused == {"ties": 420}
    everyone = label_clips(clips, CLASSES, Labels("plurality", ties="first"))
    assert len(everyone.clips) == 7442 and not everyone.unused


def test_shares_of_votes_add_up_as_published(clips):
    found = label_clips(clips, CLASSES, Labels("distribution"))
    expected = (1058.5, 797.2, 1271.9, 1228.1, 1941.8, 1144.4)
    np.testing.assert_allclose(found.targets.sum(0), expected, atol=0.05)
    smooth = label_clips(clips, CLASSES, Labels("distribution", smoothing=0.06))
    np.testing.assert_allclose(smooth.targets, 0.01 + 0.94 * found.targets, atol=1e-12)


def test_four_classes_keep_the_clips_that_one_of_them_won(clips):
    for rule, count in (("plurality", 4799), ("majority", 4145)):
        found = label_clips(clips, CLASSES, Labels(rule, classes=FOUR))
        assert len(found.clips) == count and found.classes == FOUR


def test_what_was_acted_is_what_names_say(clips):
    found = label_clips(clips, CLASSES, Labels())
    counts = np.bincount(found.targets.argmax(1)).tolist()
    assert counts == [1271, 1271, 1271, 1271, 1087, 1271] and found.votes is None


def test_the_list_of_clips_is_the_publishers(clips):
    assert clip_names() == [clip.id for clip in clips]


def test_demographics_and_votes_are_as_described(clips):
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


def voted(rows):
    return [
        Clip(str(k), votes={"audio-visual": dict(zip("abc", row, strict=True))})
        for k, row in enumerate(rows)
    ]


@given(VOTES)
def test_majority_is_part_of_plurality_which_has_one_winner(rows):
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


def test_what_does_not_fit_is_said():
    clips = voted([[1, 2, 0]])
    with pytest.raises(AffuseError, match="no class 'joy' \\(there are a, b, c\\)"):
        label_clips(clips, "abc", Labels("plurality", classes=("joy",)))
    with pytest.raises(AffuseError, match=r"no clip has such votes \(there are audio-visual\)"):
        label_clips(clips, "abc", Labels("plurality", channel="audio"))
    with pytest.raises(AffuseError, match="no votes at all"):
        label_clips([Clip("a", label="a")], "abc", Labels("majority"))
