"""The face that a recording is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from affuse.corpora.clip import Tracks
from affuse.media.boxes import area
from affuse.media.detectors import create_detector
from affuse.media.following import Follower, Sampling
from affuse.media.quality import FaceSeries
from affuse.media.reading import Reading
from affuse.media.second_look import Look, second_look
from affuse.media.shown import showing
from affuse.media.tracks import Track
from affuse.media.watching import Crops, Cut, Watch

Choice = Literal["largest", "longest"]

RETURNING_SIZE = 2.0  # greatest ratio of the sides of a person who left and came back
DOUBTFUL = 0.998  # mean probability of a face that is also looked for sideways and upside down


@dataclass(frozen=True)
class FaceOptions:
    """How the face of a recording is found and cut out; the recipe of a stream of faces.

    Attributes:
        detector: One of `affuse.media.detectors.DETECTORS`.
        min_face_size: Side of the smallest face to be found, in pixels of the searched image.
        max_side: Longer side of the searched image in pixels; None searches at full size.
        every: Least time between two searches, in seconds.
        choice: Which face counts, see `main_track`.
        margin: Part of the longer side of the box by which the square around it is larger.
        align: Turn and scale every face so that eyes and mouth come to lie in the same place.
    """

    detector: str = "mtcnn"
    min_face_size: int = 40
    max_side: int | None = 640
    every: float = 0.2
    choice: Choice = "largest"
    margin: float = 0.1
    align: bool = False


def main_track(tracks: list[Track], choice: Choice = "largest") -> Track | None:
    """Choose the face that a recording is about.

    There is one main face for the whole recording. Where it is not seen, other tracks fill in, the
    foremost first: those that do not overlap in time with what is chosen and whose faces are at
    most twice as large or small. So a person who leaves and comes back, or whom the camera shows
    from elsewhere, stays the main face; but when two people are shown in turn, at about the same
    size, the result changes from one to the other, and does so at the cut.

    Args:
        tracks: Of one recording.
        choice: "largest" has the greatest area summed over its detections, "longest" the most
            detections. The earlier track wins a tie.

    Returns:
        The main face with its stretches numbered in `parts`; None when there are no tracks.
    """
    if choice not in get_args(Choice):
        raise ValueError(f"choice must be one of {', '.join(get_args(Choice))}, not {choice!r}")
    if not tracks:
        return None

    def rank(track: Track) -> tuple[float, float]:
        weight = area(track.boxes).sum() if choice == "largest" else len(track.times)
        return -float(weight), float(track.times[0])

    foremost, *others = sorted(tracks, key=rank)
    chosen = [foremost]
    for track in others:
        ratio = _side(track) / _side(foremost)
        apart = all(
            track.times[0] > other.times[-1] or track.times[-1] < other.times[0] for other in chosen
        )
        if apart and 1 / RETURNING_SIZE <= ratio <= RETURNING_SIZE:
            chosen.append(track)
    chosen.sort(key=lambda track: track.times[0])
    points = [track.landmarks for track in chosen if track.landmarks is not None]
    return Track(
        times=np.concatenate([track.times for track in chosen]),
        boxes=np.concatenate([track.boxes for track in chosen]),
        probabilities=np.concatenate([track.probabilities for track in chosen]),
        landmarks=np.concatenate(points) if len(points) == len(chosen) else None,
        step=foremost.step,
        parts=np.repeat(np.arange(len(chosen)), [len(track.times) for track in chosen]),
        numbers=tuple(number for track in chosen for number in track.numbers),
        turn=foremost.turn,
        others=_most_at_once(chosen, [t for t in others if all(t is not c for c in chosen)]),
    )


def _most_at_once(chosen: list[Track], others: list[Track]) -> int:
    """How many other tracks there are at most at one time at which there is a chosen one."""

    def count(tracks: list[Track], time: float) -> int:
        return sum(bool(track.times[0] <= time <= track.times[-1]) for track in tracks)

    # a greatest number is reached where one of the tracks begins
    begins = [float(track.times[0]) for track in chosen + others]
    return max((count(others, time) for time in begins if count(chosen, time)), default=0)


def _side(track: Track) -> float:
    return float(np.sqrt(np.median(area(track.boxes))))


class FaceSearch:
    """The main face of a window of a recording, and crops of it.

    Where the frames, upright and at the usual size, show none, some of them are looked at again at
    a larger size and turned. Moving pictures are also turned where the face is doubtful, as one
    that lies on its side is. Only then is the recording read twice.

    Args:
        path: The recording.
        options: How to find the face and which one to choose; not how to cut it out.
        start: Beginning of the window, in seconds of the recording.
        end: End of the window, in seconds of the recording.
        tracks: Which of its tracks are wanted; by default the file decides.

    Attributes:
        track: The main face, once the recording has been read; None where there is none.

    Raises:
        BadInput: The recording has no pictures.
    """

    def __init__(
        self,
        path: Path,
        options: FaceOptions,
        start: float | None,
        end: float | None,
        tracks: Tracks | None,
    ) -> None:
        self.path, self.options, self.start, self.end = path, options, start or None, end
        self.tracks = tracks
        self.track: Track | None = None
        self._shown = showing(path, tracks)
        self._wanted: list[Crops] = []
        self._watch: Watch | None = None

    def cut(self, wanted: Cut) -> Crops:
        """Ask for crops, before the recording is read."""
        self._wanted.append(Crops(wanted))
        return self._wanted[-1]

    @property
    def quality(self) -> FaceSeries | None:
        """How well the main face is seen where it was cut out, once the recording was read."""
        if self.track is None or not self._wanted:
            return None
        return self._wanted[0].quality(self.track)

    def watch(self, reading: Reading) -> None:
        """Ask for frames."""
        self._watch = self._look(Look(self.options.max_side))
        reading.watch(self._watch)

    def settle(self) -> None:
        """Choose the main face, once the recording has been read."""
        assert self._watch is not None
        self.track = self._main(self._watch)
        look = self._other_look(self.track)
        if look is not None:
            reading = Reading(self.path, self.tracks)
            wanted = [Crops(one.cut) for one in self._wanted]
            watch = self._look(look, wanted)
            reading.watch(watch)
            reading.run()
            if (found := self._main(watch)) is not None:
                self.track = replace(found, turn=look.turn)
                for own, other in zip(self._wanted, wanted, strict=True):
                    own.become(other)

    def _look(self, look: Look, wanted: list[Crops] | None = None) -> Watch:
        options = self.options
        sampling = Sampling(self._shown, options.every, self.start, self.end)
        detector = create_detector(
            options.detector, min_face_size=options.min_face_size, max_side=look.max_side
        )
        follower = Follower(detector, sampling.step())
        return Watch(
            self._shown, follower, sampling, self._wanted if wanted is None else wanted, look.turn
        )

    def _main(self, watch: Watch) -> Track | None:
        return main_track(watch.follower.tracks(), self.options.choice)

    def _other_look(self, track: Track | None) -> Look | None:
        """Another way to search, where nothing was found, or something doubtful."""
        options = self.options
        first, last = self._shown.times[[0, -1]].tolist()
        if track is not None:
            if first == last or track.probabilities.mean() >= DOUBTFUL:
                return None
            first, last = track.times[[0, -1]].tolist()
        first = first if self.start is None else max(first, self.start)
        last = last + 1e-3 if self.end is None else min(last + 1e-3, self.end)
        searches = round(max(0.0, last - first) / max(options.every, 0.04)) + 1
        return second_look(
            self.path,
            Look(options.max_side),
            options.detector,
            options.min_face_size,
            searches,
            first,
            last,
            track is not None,
            self.tracks,
        )


class Readings:
    """Passes over the files of a clip, one over each.

    Args:
        tracks: Which of their tracks are wanted; by default the files decide.
    """

    def __init__(self, tracks: Tracks | None = None) -> None:
        self.tracks = tracks
        self._readings: dict[Path, Reading] = {}
        self._searches: dict[tuple[Any, ...], FaceSearch] = {}

    def of(self, path: Path) -> Reading:
        """The pass over a file."""
        if path not in self._readings:
            self._readings[path] = Reading(path, self.tracks)
        return self._readings[path]

    def face(
        self, path: Path, options: FaceOptions, start: float | None = None, end: float | None = None
    ) -> FaceSearch:
        """The search for the main face of a window; see `FaceSearch`."""
        # What is cut out of the frames does not change where the face is.
        options = replace(options, margin=0.0, align=False)
        wanted = path, options, start or None, end
        if wanted not in self._searches:
            self._searches[wanted] = FaceSearch(*wanted, self.tracks)
        return self._searches[wanted]

    def main_face(self, path: Path) -> Track | None:
        """The face that was looked for in a file, once it has been read."""
        found = [search.track for (file, *_), search in self._searches.items() if file == path]
        return found[0] if found else None

    def face_quality(self, path: Path) -> FaceSeries | None:
        """How well the face that was looked for in a file is seen, once it has been read."""
        found = [search.quality for (file, *_), search in self._searches.items() if file == path]
        return next((series for series in found if series is not None), None)

    def run(self) -> None:
        """Read the files; what cannot be read is told to who asks for it."""
        for (path, *_), search in self._searches.items():
            search.watch(self.of(path))
        for reading in self._readings.values():
            reading.run()
        for (path, *_), search in self._searches.items():
            if self.of(path).has_frames:
                search.settle()


def find_face(
    path: str | Path,
    options: FaceOptions,
    start: float | None = None,
    end: float | None = None,
    tracks: Tracks | None = None,
) -> Track | None:
    """Find and follow the main face of a recording; None when there is none.

    Args:
        path: As in `FaceSearch`.
        options: As in `FaceSearch`.
        start: As in `FaceSearch`.
        end: As in `FaceSearch`.
        tracks: As in `FaceSearch`.

    Raises:
        BadInput: The recording has no pictures or cannot be decoded.
    """
    readings = Readings(tracks)
    search = readings.face(Path(path), options, start, end)
    readings.run()
    readings.of(Path(path)).check_frames()
    return search.track
