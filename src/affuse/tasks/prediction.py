"""What every model says about a recording, whatever its task."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput, shown
from affuse.media.tracks import Track
from affuse.registry import later
from affuse.tasks.columns import Column, data_frame, write_columns
from affuse.tasks.explanation import Explanation
from affuse.tasks.own_baseline import OwnBaseline
from affuse.tasks.presence import Presence
from affuse.tasks.quality import Measures, Quality

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What draws and saves predictions; it comes after the tasks.
OUTPUTS = "outputs of predictions"


@dataclass(frozen=True)
class KeyFrame:
    """A small image of the recording.

    Args:
        time: Seconds.
        picture: (H, W, 3) uint8 RGB.
        scale: Its pixels per pixel of the recording.
    """

    time: float
    picture: np.ndarray
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was found in a recording, whatever a model says about it.

    Args:
        source: The file; of a recording in memory its name.
        presence: `audio` and `video` -> when it was there, for the modalities the model reads.
        key_frames: Small images, in the order of time.
        tracks: Which tracks of sound and images of the recording were read.
        others: How many people are seen at once besides the one who is read, at most.
        notes: What of the recording could not be used, or was put right.
        face: The face that the model looks at, if any.
        person: Number of whose timeline it is; 1 is the main person.
        people: How many people of the recording have a timeline.
        measures: How well it is seen, and how loud the sound is.
        baseline: How much was known of the person, of models that can use it.
        in_memory: Whether there is no file: it came as bytes, a file object or arrays.
    """

    source: Path
    presence: dict[str, Presence]
    key_frames: list[KeyFrame] = field(default_factory=list)
    tracks: Tracks = field(default_factory=Tracks)
    others: int = 0
    notes: list[str] = field(default_factory=list)
    face: Track | None = None
    person: int = 1
    people: int = 1
    measures: Measures = field(default_factory=Measures)
    baseline: OwnBaseline | None = None
    in_memory: bool = False


@dataclass(frozen=True, kw_only=True, repr=False)
class Prediction(Recording, ABC):
    """What every model says about a recording.

    Args:
        duration: Seconds.
        model: Name of the model and what it was trained on, for the record.
        withheld: Bool for each moment: whether what the model says about it was taken away, for it
            would rest on nothing that can be seen or heard well; None where nothing was.
        explanation: What it rests on, where that was asked for.
    """

    duration: float
    model: dict[str, Any]
    withheld: np.ndarray | None = None
    explanation: Explanation | None = None

    @property
    def title(self) -> str:
        """The name of the recording, and whose timeline it is where several people have one."""
        whose = f", person {self.person}" if self.people > 1 else ""
        return f"{shown(self.source.name)}{whose}"

    @property
    def images(self) -> bool:
        """Whether there is a stream of images, of models that read one."""
        return "video" in self.presence and len(self.presence["video"].present) > 0

    @property
    @abstractmethod
    def known(self) -> np.ndarray:
        """Bool for each moment: whether anything can be said about it."""

    @property
    def claimed(self) -> np.ndarray:
        """Bool for each moment: whether what is said about it is withheld if it is worthless.

        By default nothing is: the limits were measured with emotions.
        """
        return np.zeros(len(self.known), bool)

    @property
    @abstractmethod
    def quality(self) -> Quality:
        """On what each moment rests."""

    @abstractmethod
    def without(self, moments: np.ndarray) -> Self:
        """The same without what the model says about some moments, a bool for each."""

    @property
    @abstractmethod
    def headline(self) -> str:
        """The whole recording in a few words."""

    @abstractmethod
    def brief(self, time: float) -> str:
        """What is said about a moment in a word or two; empty where nothing is known.

        Args:
            time: Seconds.
        """

    @property
    @abstractmethod
    def columns(self) -> list[Column]:
        """The table: one row per moment."""

    def write_csv(self, path: Path) -> None:
        """Write the table."""
        write_columns(path, self.columns)

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a data frame: a row per window, or per image of valence and arousal.

        Returns:
            The columns of the CSV, by the same names (`docs/reference/predictions.md`), times in
            seconds. Numbers are not rounded, and NaN where the CSV is empty; texts are None there.

        Examples:
            >>> import affuse
            >>> table = affuse.predict("talk.mp4").to_pandas()
            >>> table.columns[:5].tolist()
            ['start', 'end', 'emotion', 'neutral', 'happy']
        """
        return data_frame(self.columns)

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw the timeline; nothing of `matplotlib.pyplot` is touched.

        Args:
            ax: Where the curves alone are drawn; by default a new figure with key frames, curves,
                and when sound and face were there.

        Returns:
            The figure.

        Examples:
            >>> import affuse
            >>> affuse.predict("talk.mp4").plot().savefig("talk.pdf")
        """
        return cast("Figure", later(OUTPUTS).draw(self, ax))

    def save(self, path: str | Path) -> None:
        """Write the timeline: into a folder as `affuse predict --out` does, or as one file.

        Args:
            path: A folder, made where there is none: it gets a CSV, JSON, PNG and HTML named after
                the recording. Or a file, of the format that its suffix names: `.csv`, `.json`,
                `.html`, `.png`, `.svg`, `.pdf`; `.eaf` (ELAN), `.TextGrid` (Praat), `.tsv`
                (BORIS), `.vtt` (subtitles), `.txt` (Audacity); `.mp4` (the video with what is read
                on it).

        Raises:
            BadInput: It cannot be written; a file of an annotation program is there and differs,
                for somebody may have corrected it; a folder has files of another recording of the
                same name; or a video of a recording that was in memory.

        Examples:
            >>> import affuse
            >>> timeline = affuse.predict("talk.mp4")
            >>> timeline.save("timelines")  # talk.csv, .json, .png and .html
            >>> timeline.save("talk.eaf")  # for ELAN
        """
        later(OUTPUTS).save(self, Path(path))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.title!r}, {self.duration:.2f} s, {self.headline})"

    def _repr_html_(self) -> str:
        """The figure, for notebooks."""
        return cast("str", later(OUTPUTS).image_tag(self))

    @abstractmethod
    def write_json(self, path: Path, folder: Path | None = None) -> None:
        """Everything but the images; times in seconds.

        Args:
            path: The file.
            folder: Where it is going to lie, if not there yet.
        """

    def withhold(self, everything: bool = False) -> Self:
        """The same without what rests on nothing that is seen or heard well (`Quality`).

        Args:
            everything: Also what is not `claimed`.
        """
        rows = self.quality.worthless & (self.known if everything else self.claimed)
        if not rows.any():
            return self
        explained = self.explanation.without(rows) if self.explanation else None
        return replace(self.without(rows), explanation=explained)

    def check_file(self) -> None:
        """Make sure that there was a file, which can be read once more.

        Raises:
            BadInput: The recording was in memory.
        """
        if self.in_memory:
            raise BadInput(self.source, "was in memory; there is no file to be read again")

    def is_withheld(self, row: int) -> bool:
        """Whether what the model says about a moment was taken away."""
        return self.withheld is not None and bool(self.withheld[row])

    def source_json(self, folder: Path) -> dict[str, Any]:
        """The name of the recording, and the way to it from the folder of the file, if any."""
        if self.in_memory:
            return {"source": self.source.name}
        source, folder = self.source.absolute(), folder.absolute()
        try:
            way = os.path.relpath(source, folder)
        except ValueError:  # another drive
            way = str(source)
        return {"source": self.source.name, "path": Path(way).as_posix()}

    def _baseline_json(self) -> dict[str, Any]:
        return {} if self.baseline is None else {"baseline": self.baseline.to_json()}

    def _presence_json(self) -> dict[str, Any]:
        return {
            name: {
                "share": round(p.share, 4),
                **({} if p.silent is None else {"silent": round(p.silent, 4)}),
                "start": round(p.start, 4),
                "rate": round(p.rate, 6),
                "present": p.present.astype(int).tolist(),
            }
            for name, p in self.presence.items()
        }
