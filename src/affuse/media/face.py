"""Find the people of a recording, and cut out their faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.media.changes.clip import ClipChanges
from affuse.media.detectors import create_detector
from affuse.media.following import Follower, Sampling
from affuse.media.mouths import RATE, MouthMotion, Mouths
from affuse.media.people import Choice, people_of
from affuse.media.quality import FaceSeries
from affuse.media.reading import Reading
from affuse.media.second_look import Look, second_look
from affuse.media.shown import showing
from affuse.media.tracks import Track
from affuse.media.watching import MOST, Cover, Crops, Cut, Observer, Watch

DOUBTFUL = 0.998  # mean probability of a face that is also looked for sideways and upside down


@dataclass(frozen=True)
class FaceOptions:
    """How the face of a recording is found and cut out; the recipe of a stream of faces.

    Attributes:
        detector: One of `affuse.media.detectors.DETECTORS`.
        min_face_size: Side of the smallest face to be found, in pixels of the searched image.
        max_side: Longer side of the searched image in pixels; None searches at full size.
        every: Least time between two searches, in seconds.
        choice: Who is the main person, see `people_of`.
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


class FaceSearch:
    """The people in a window of a recording, and crops of the faces.

    Where the frames, upright and at the usual size, show none, some of them are looked at again at
    a larger size and turned. Moving images are also turned where the main face is doubtful, as
    one that lies on its side is. Only then is the recording read twice.

    Args:
        path: The recording.
        options: How to find faces and who is the main person; not how to cut them out.
        start: Beginning of the window, in seconds of the recording.
        end: End of the window, in seconds of the recording.
        tracks: Which of its tracks are wanted; by default the file decides.
        most: Faces of one frame that are cut out, the largest.
        mouths: Whether it is looked how mouths move where several people are seen.
        changes: What is done to the recording; that to its frames the pass over it does.

    Attributes:
        people: Once the recording has been read: the people, the main one first.
        track: The one whose crops are given; at first the main one. None where there is none.

    Raises:
        BadInput: The recording has no images.
    """

    def __init__(
        self,
        path: Path,
        options: FaceOptions,
        start: float | None,
        end: float | None,
        tracks: Tracks | None,
        most: int = MOST,
        mouths: bool = False,
        changes: ClipChanges | None = None,
    ) -> None:
        self.path, self.options, self.start, self.end = path, options, start or None, end
        self.tracks, self.most, self._looks_at_mouths = tracks, most, mouths
        self._changes = changes
        self.people: list[Track] = []
        self.track: Track | None = None
        self._shown = showing(path, tracks)
        self._cuts: list[Crops] = []
        self._watch: Watch | None = None
        self._mouths = Mouths(np.zeros(0))

    def cut(self, wanted: Cut) -> Crops:
        """Ask for crops, before the recording is read."""
        self._cuts.append(Crops(wanted, cover_of(self._changes)))
        return self._cuts[-1]

    def mouth(self, person: Track) -> MouthMotion | None:
        """How the mouth of somebody moved where several were seen, if it was asked for."""
        return self._mouths.of(person)

    def quality(self, person: Track) -> FaceSeries | None:
        """How well somebody is seen where the face was cut out, once the recording was read."""
        return self._cuts[0].quality(person) if self._cuts else None

    def watch(self, reading: Reading) -> None:
        """Ask for frames."""
        self._watch = self._look(Look(self.options.max_side), self._cuts)
        reading.watch(self._watch)

    def settle(self) -> None:
        """Say who is who, once the recording has been read."""
        assert self._watch is not None
        self.people = self._people(self._watch)
        look = self._other_look(self.people[0] if self.people else None)
        if look is not None:
            reading, mouths = Reading(self.path, self.tracks, self._changes), self._mouths
            cuts = [Crops(one.cut, cover_of(self._changes)) for one in self._cuts]
            watch = self._look(look, cuts)
            reading.watch(watch)
            reading.run()
            if people := self._people(watch):
                self.people = [replace(person, turn=look.turn) for person in people]
                for own, other in zip(self._cuts, cuts, strict=True):
                    own.become(other)
            else:
                self._mouths = mouths
        self.track = self.people[0] if self.people else None

    def _look(self, look: Look, cuts: Sequence[Crops]) -> Watch:
        options = self.options
        sampling = Sampling(self._shown, options.every, self.start, self.end)
        detector = create_detector(
            options.detector, min_face_size=options.min_face_size, max_side=look.max_side
        )
        follower = Follower(detector, sampling.step())
        observers: list[Observer] = list(cuts)
        if self._looks_at_mouths:
            self._mouths = Mouths(self._times(RATE))
            observers.append(self._mouths)
        return Watch(self._shown, follower, sampling, observers, look.turn, self.most)

    def _times(self, rate: float) -> NDArray[np.float64]:
        """Seconds within the window, so many per second."""
        first, last = self._shown.times[[0, -1]].tolist()
        first = first if self.start is None else max(first, self.start)
        last = last + self._shown.last if self.end is None else min(last, self.end)
        return np.asarray(first + np.arange(int(max(0.0, last - first) * rate) + 1) / rate)

    def _people(self, watch: Watch) -> list[Track]:
        return people_of(watch.follower.tracks(), self.options.choice)

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
            self._changes,
        )


def cover_of(changes: ClipChanges | None) -> Cover | None:
    """What some changes do to faces, if anything."""
    return changes.face if changes is not None and changes.of_faces else None


class Readings:
    """Passes over the files of a clip, one over each.

    Args:
        tracks: Which of their tracks are wanted; by default the files decide.
        most: Faces of one frame that are cut out, the largest.
        mouths: Whether it is looked how mouths move where several people are seen.
        changes: What is done to each; see `Reading`.
    """

    def __init__(
        self,
        tracks: Tracks | None = None,
        most: int = MOST,
        mouths: bool = False,
        changes: ClipChanges | None = None,
    ) -> None:
        self.tracks, self.most, self.mouths = tracks, most, mouths
        self.changes = changes
        self._readings: dict[Path, Reading] = {}
        self._searches: dict[tuple[Any, ...], FaceSearch] = {}

    def of(self, path: Path) -> Reading:
        """The pass over a file."""
        if path not in self._readings:
            self._readings[path] = Reading(path, self.tracks, self.changes)
        return self._readings[path]

    def face(
        self, path: Path, options: FaceOptions, start: float | None = None, end: float | None = None
    ) -> FaceSearch:
        """The search for the main face of a window; see `FaceSearch`."""
        # What is cut out of the frames does not change where the face is.
        options = replace(options, margin=0.0, align=False)
        wanted = path, options, start or None, end
        if wanted not in self._searches:
            self._searches[wanted] = FaceSearch(
                *wanted, self.tracks, self.most, self.mouths, self.changes
            )
        return self._searches[wanted]

    def search_of(self, path: Path) -> FaceSearch | None:
        """The search for faces in a file that was asked for first; None where nobody asked."""
        found = [search for (file, *_), search in self._searches.items() if file == path]
        return found[0] if found else None

    def run(self) -> None:
        """Read the files; what cannot be read is told to who asks for it."""
        for (path, *_), search in self._searches.items():
            search.watch(self.of(path))
        for reading in self._readings.values():
            reading.run()
        for (path, *_), search in self._searches.items():
            if self.of(path).has_frames:
                search.settle()
