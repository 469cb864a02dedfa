"""The clips and sequences of images that recursive joint attention reads (ICASSP 2023).

A clip is eight images from the 32 frames up to the frame where it ends; a sequence is 16 clips,
whose ends lie 32 frames apart. Frames are counted from 1, as in the names of the images. What
images and labels there are is a table with a row per frame, which may lack frames.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

CLIPS = 16
CLIP_FRAMES = 32
PICTURES = 8
SEQUENCE_FRAMES = CLIPS * CLIP_FRAMES


@dataclass(frozen=True, slots=True)
class PictureClip:
    """One clip.

    Args:
        end: The last frame that it may see, from 1; in validation also beyond the video.
        frames: Its eight frames in order, the last repeated where there are fewer; empty where
            none of the 32 has a row.
    """

    end: int
    frames: tuple[int, ...]

    @property
    def label_frame(self) -> int | None:
        """The frame whose label it has: the last that has a row, up to 31 frames before `end`."""
        return self.frames[-1] if self.frames else None


@dataclass(frozen=True, slots=True)
class ClipSequence:
    """One sequence.

    Args:
        clips: Its 16 clips in order.
    """

    clips: tuple[PictureClip, ...]

    @property
    def end(self) -> int:
        """The end of its last clip."""
        return self.clips[-1].end


def training_sequences(frames: int, rows: Iterable[int]) -> list[ClipSequence]:
    """The sequences to train on: those within the video, with a row in every clip.

    What follows the last full 512 frames of a video is seen only where a sequence fits, and a video
    of fewer than 481 frames not at all.

    Args:
        frames: Frames of the video.
        rows: Frames that have a row, from 1, in any order.
    """
    return [
        sequence
        for sequence in _sequences(frames, sorted(set(rows)))
        if sequence.end <= frames and all(clip.frames for clip in sequence.clips)
    ]


def validation_sequences(frames: int, rows: Iterable[int]) -> list[ClipSequence]:
    """The sequences to validate on: every frame of the video is the end of exactly one clip.

    Clips may end beyond the video, or have no frames, there and in gaps. The last sequence may lie
    wholly beyond the video, as in the published code.

    Args:
        frames: Frames of the video.
        rows: Frames that have a row, from 1, in any order.
    """
    return list(_sequences(frames, sorted(set(rows))))


def _sequences(frames: int, rows: Sequence[int]) -> Iterable[ClipSequence]:
    """Sequences by their ends, up to one whose first clip ends right after the video."""
    for number in count():
        block, offset = divmod(number, CLIP_FRAMES)
        first = block * SEQUENCE_FRAMES + offset + 1
        if first > frames + 1:
            return
        ends = range(first, first + SEQUENCE_FRAMES, CLIP_FRAMES)
        yield ClipSequence(tuple(clip_ending(end, rows) for end in ends))


def clip_ending(end: int, rows: Sequence[int]) -> PictureClip:
    """The clip that ends at a frame, by the published rule.

    Of 32 rows every fourth counts, of 24 or more every third, of 16 or more every second, back
    from the last one; the last eight of these are taken.

    Args:
        end: The frame, from 1.
        rows: Frames that have a row, from 1, rising.
    """
    found = rows[bisect_left(rows, end - CLIP_FRAMES + 1) : bisect_right(rows, end)]
    step = max(len(found) // PICTURES, 1)
    taken = tuple(found[::-step][:PICTURES][::-1])
    return PictureClip(end, taken + taken[-1:] * (PICTURES - len(taken)))
