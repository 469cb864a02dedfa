"""Clips without votes beside rated ones: what was acted counts as one vote, where that is asked."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.corpora.clip import Clip
from affuse.corpora.labels import Labels, Rule, label_clips
from affuse.errors import AffuseError

CLASSES = ("angry", "happy", "sad")
RATED = [
    Clip("r0", label="sad", votes={"video": {"happy": 6.0, "sad": 2.0}}),
    Clip("r1", label="angry", votes={"video": {"angry": 5.0, "unknown": 1.0}}),
]
ACTED = [Clip("a0", label="happy"), Clip("a1", label="sad")]
SHARES = Labels("distribution", "video")
GIVEN = Labels("distribution", "video", unrated="given")


def test_what_was_acted_is_all_of_the_share_of_a_clip_without_votes() -> None:
    found = label_clips([*RATED, *ACTED], CLASSES, GIVEN)
    assert [clip.id for clip in found.clips] == ["r0", "r1", "a0", "a1"] and not found.unused
    shares = [[0, 0.75, 0.25], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(found.targets, shares)
    assert found.votes is not None and found.votes[2:].tolist() == [[0, 1, 0], [0, 0, 1]]


def test_without_that_they_are_left_out_and_counted() -> None:
    found = label_clips([*RATED, *ACTED], CLASSES, SHARES)
    assert [clip.id for clip in found.clips] == ["r0", "r1"]
    assert found.unused == {"without votes": 2}


@given(
    st.lists(st.sampled_from([*RATED, *ACTED]), min_size=1, max_size=12),
    st.sampled_from([rule for rule in get_args(Rule) if rule != "given"]),
    st.sampled_from([0.0, 0.06]),
)
def test_rated_clips_are_judged_as_without_the_others(
    clips: list[Clip], rule: Rule, smoothing: float
) -> None:
    rated = [clip for clip in clips if clip.votes]
    both = label_clips(clips, CLASSES, Labels(rule, "video", unrated="given", smoothing=smoothing))
    kept = [row for row, clip in enumerate(both.clips) if clip.votes]
    if rated:
        alone = label_clips(rated, CLASSES, Labels(rule, "video", smoothing=smoothing))
        assert [both.clips[row] for row in kept] == alone.clips
        np.testing.assert_array_equal(both.targets[kept], alone.targets)
    assert len(both.clips) - len(kept) == len(clips) - len(rated)


def test_fewer_votes_than_a_class_needs_are_still_one_that_was_acted() -> None:
    found = label_clips([*RATED, *ACTED], CLASSES, Labels("majority", "video", least=2))
    assert [clip.id for clip in found.clips] == ["r0", "r1"]
    least = Labels("majority", "video", least=2, unrated="given")
    assert len(label_clips([*RATED, *ACTED], CLASSES, least).clips) == 4


def test_acted_words_are_mapped_and_those_of_no_class_are_left_out() -> None:
    clips = [*RATED, Clip("m", label="joy"), Clip("o", label="bored"), Clip("n")]
    mapped = Labels("distribution", "video", unrated="given", map={"joy": "happy"})
    found = label_clips(clips, [*CLASSES, "joy", "bored"], mapped)
    assert found.classes == (*CLASSES, "bored") and found.unused == {"without votes": 1}
    assert found.targets[2:].tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]
    chosen = Labels("distribution", "video", unrated="given", classes=CLASSES)
    fewer = label_clips(clips, [*CLASSES, "joy", "bored"], chosen)
    assert fewer.unused == {"of other classes": 2, "without votes": 1}


def test_votes_of_another_channel_do_not_make_a_clip_unrated() -> None:
    heard = Clip("h", label="sad", votes={"audio": {"happy": 3.0}})
    assert label_clips([*RATED, heard], CLASSES, GIVEN).unused == {"without votes": 1}
    with pytest.raises(AffuseError, match=r"labels.channel=video: no clip has such votes"):
        label_clips([heard], CLASSES, GIVEN)
