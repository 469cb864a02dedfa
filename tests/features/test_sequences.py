"""Clips and sequences of images: which frames, which ends, which labels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.features.sequences import PictureClip, training_sequences, validation_sequences

tables = st.integers(1, 1100).flatmap(
    lambda frames: st.tuples(
        st.just(frames), st.integers(1, 100), st.randoms(use_true_random=False)
    ).map(lambda x: (x[0], {k for k in range(1, x[0] + 1) if x[2].randrange(100) < x[1]}))
)


def published_frames(end: int, rows: set[int]) -> tuple[int, ...]:
    """The rule in the words of the specification."""
    found = sorted(k for k in rows if end - 31 <= k <= end)
    n = len(found)
    if n == 0:
        return ()
    if n == 32:
        return tuple(range(end - 28, end + 1, 4))
    if n >= 24:
        return tuple(found[::-1][::3][::-1][-8:])
    if n >= 16:
        return tuple(found[::-1][::2][::-1][-8:])
    if n >= 8:
        return tuple(found[-8:])
    return (*found, *[found[-1]] * (8 - n))


@given(st.integers(1, 2000))
@settings(max_examples=50)
def test_the_clips_of_a_full_video_end_at_every_frame_once(frames: int) -> None:
    found = validation_sequences(frames, range(1, frames + 1))
    ends = [clip.end for sequence in found for clip in sequence.clips]
    inside = [clip for sequence in found for clip in sequence.clips if clip.end <= frames]
    assert sorted(clip.end for clip in inside) == list(range(1, frames + 1))
    assert len(set(ends)) == len(ends) == 16 * len(found)
    assert all(clip.label_frame == clip.end for clip in inside)


@given(tables)
@settings(max_examples=50, deadline=None)
def test_clips_follow_the_published_rule(table: tuple[int, set[int]]) -> None:
    frames, rows = table
    for sequence in validation_sequences(frames, rows):
        for clip in sequence.clips:
            assert clip.frames == published_frames(clip.end, rows)
            seen = [k for k in rows if clip.end - 31 <= k <= clip.end]
            assert clip.label_frame == max(seen, default=None)


@given(tables)
@settings(max_examples=50, deadline=None)
def test_training_keeps_what_is_complete_and_within_the_video(table: tuple[int, set[int]]) -> None:
    frames, rows = table
    found = validation_sequences(frames, rows)
    kept = [
        sequence
        for sequence in found
        if all(clip.frames for clip in sequence.clips) and sequence.end <= frames
    ]
    assert training_sequences(frames, rows) == kept
    assert training_sequences(frames, [*sorted(rows, reverse=True), *rows]) == kept


@pytest.mark.parametrize(("frames", "count"), [(480, 0), (481, 1), (512, 32), (992, 32), (993, 33)])
def test_sequences_of_a_full_video_to_train_on(frames: int, count: int) -> None:
    found = training_sequences(frames, range(1, frames + 1))
    assert len(found) == count
    for sequence in found:
        ends = [clip.end for clip in sequence.clips]
        assert ends == list(range(sequence.end - 480, sequence.end + 1, 32))


def test_a_clip_without_rows_has_no_label() -> None:
    first = validation_sequences(40, range(2, 41))[0].clips
    assert first[0] == PictureClip(1, ()) and first[0].label_frame is None
    assert first[1].frames == (5, 9, 13, 17, 21, 25, 29, 33)
    assert first[2].frames == (34, 35, 36, 37, 38, 39, 40, 40) and first[2].label_frame == 40
