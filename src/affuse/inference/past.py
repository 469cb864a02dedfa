"""What a live source has told so far of the person in it."""

from __future__ import annotations

from affuse.features.baseline import Baselines, Known, evidence_of, together
from affuse.features.stream import Stream
from affuse.inference.recent import RecentRows


class Past:
    """What is known of a person, and grows with all that lies before the present window.

    Args:
        baselines: Standardises people.
        known: What was known before.
        grows: Whether anything is added.
    """

    def __init__(self, baselines: Baselines, known: Known, grows: bool) -> None:
        self._baselines, self.known, self._grows = baselines, known, grows
        self._windows: dict[str, tuple[float, Stream]] = {}

    @property
    def seconds(self) -> dict[str, float]:
        """Modality -> seconds that are known."""
        return self._baselines.seconds(self.known)

    def rows(self, name: str, rows: RecentRows, begin: float) -> None:
        """Add the rows of a stream before the present window.

        Args:
            name: Of the stream.
            rows: All that are held.
            begin: Of the window in seconds.

        Raises:
            AffuseError: A number is not finite.
        """
        if self._grows and name in self._baselines.specs:
            self._add(name, rows.past(begin))

    def window(self, name: str, stream: Stream, begin: float, end: float) -> None:
        """Add what was computed of a window that lies before the present one, each second once.

        Args:
            name: Of the stream.
            stream: What was computed of the present window.
            begin: Of the present window in seconds.
            end: Of the present window in seconds.

        Raises:
            AffuseError: A number is not finite.
        """
        if not self._grows or name not in self._baselines.specs:
            return
        waiting = self._windows.get(name)
        if waiting is not None and waiting[0] <= begin:
            self._add(name, waiting[1])
        if waiting is None or waiting[0] <= begin:
            self._windows[name] = end, stream

    def moved(self, name: str, stream: Stream) -> Stream:
        """Frames of the present window, standardised as far as the person is known."""
        return self._baselines.moved(name, stream, self.known)

    def _add(self, name: str, stream: Stream) -> None:
        specs = self._baselines.specs
        self.known = together((self.known, evidence_of({name: stream}, specs)))
