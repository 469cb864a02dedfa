"""A source that is read once: a file, a device, a URL or the standard input."""

from __future__ import annotations

import logging
import math
import threading
import time as clock
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue, SimpleQueue
from typing import Any, Protocol

import av

from affuse.corpora.clip import Tracks
from affuse.errors import AffuseError
from affuse.media.container import packets_of, reason
from affuse.media.selection import streams_of

log = logging.getLogger(__name__)

#: Packets that may wait: a device must not lose frames while something is computed.
_WAITING = 64
_NAMES = {"audio": "sound", "video": "images"}
#: Seconds until a source that was lost is opened again: at first, and at most.
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
#: Seconds that an address may take to answer, and to send on, before it counts as lost.
_TIMEOUT = 10.0


@dataclass(frozen=True)
class Arrival:
    """A packet of a source.

    Attributes:
        packet: Of PyAV; None where the source was opened again.
        time: When it came, by `time.monotonic`; of a pipe that had to wait, when it was taken.
        streams: The PyAV streams that are read from here on, where it was opened again.
    """

    packet: Any
    time: float
    streams: list[Any] | None = None


class Source(Protocol):
    """What `affuse.media.live.Live` reads.

    Attributes:
        source: What errors and warnings name.
        kinds: What of it is wanted, `video` and `audio`.
        streams: PyAV's, or what says the same of itself.
    """

    source: str
    kinds: Collection[str]
    streams: list[Any]

    @property
    def is_file(self) -> bool:
        """Whether all of it counts, however long that takes; otherwise it goes by the clock."""

    def next(self, timeout: float | None = None) -> Arrival | None:
        """The next packet, or None at the end; `TimeoutError` where nothing came."""


def next_in(waiting: Queue[Any] | SimpleQueue[Any], timeout: float | None) -> Any:
    """The next entry of a queue; None at its end, whoever asks and however often.

    Args:
        waiting: The queue, which None ends.
        timeout: Seconds to wait; None waits as long as it takes.

    Raises:
        TimeoutError: Nothing came.
    """
    try:
        found = waiting.get(timeout=timeout)
    except Empty as error:
        raise TimeoutError from error
    if found is None:
        waiting.put(None)
    return found


class Packets:
    """Reads a source in a thread, so that a source that stalls can be interrupted.

    Args:
        source: What FFmpeg opens; `-` is the standard input.
        kinds: What of it is wanted, `video` and `audio`.
        driver: FFmpeg's name of the format, which devices need, such as `v4l2`.
        tracks: Which of its tracks are wanted; by default the source decides.

    Attributes:
        streams: The PyAV streams that are read, once it is open.
        lost: How often it was lost after it had been open.
    """

    def __init__(
        self,
        source: str,
        kinds: Collection[str],
        driver: str | None,
        tracks: Tracks | None = None,
    ) -> None:
        self.source, self.kinds, self.driver = source, kinds, driver
        self.tracks = tracks
        self.streams: list[Any] = []
        self.lost = 0
        self._queue: Queue[Any] = Queue(_WAITING)
        self._full_at = -math.inf  # when it last was
        self._stopped, self._drained = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @property
    def is_file(self) -> bool:
        """Whether it is a file, which is there as a whole."""
        return self.driver is None and self.source != "-" and Path(self.source).is_file()

    @property
    def returns(self) -> bool:
        """Whether it is opened again when it is lost: a device or an address, not a pipe."""
        if self.source == "-":
            return False
        path = Path(self.source)
        if self.driver is not None or path.is_char_device():
            return True
        return "://" in self.source and not path.exists()

    def open(self) -> None:
        """Wait until the source is open.

        Raises:
            AffuseError: It cannot be opened, or has nothing of what is wanted.
        """
        self._thread.start()
        found = self._queue.get()
        if isinstance(found, LookupError):
            raise AffuseError(f"{self.source}: {found}") from found
        if isinstance(found, Exception):
            raise AffuseError(f"{self.source}: cannot be opened ({reason(found)})") from found
        if not found:
            missing = " and no ".join(_NAMES[kind] for kind in sorted(self.kinds))
            raise AffuseError(f"{self.source}: has no {missing}")
        self.streams = found

    def next(self, timeout: float | None = None) -> Arrival | None:
        """The next packet, or None at the end.

        Args:
            timeout: Seconds to wait for it; None waits as long as it takes.

        Raises:
            TimeoutError: Nothing came.
        """
        found = next_in(self._queue, timeout)
        if found is None:
            return None
        if isinstance(found, threading.Event):  # what was decoded so far is no longer needed
            found.set()
            return self.next(timeout)
        if isinstance(found, list):
            self.streams = found
            return Arrival(None, clock.monotonic(), found)
        packet, time = found
        waits = not (self.returns or self.is_file)
        if waits and self._full_at >= time:  # a pipe that is ahead, until there is room
            time = clock.monotonic()
        return Arrival(packet, time)

    def stop(self) -> None:
        """Let go of the source, if it does not stall."""
        self._stopped.set()
        self._drained.set()
        self._thread.join(0.5)

    def _read(self) -> None:
        """Put the streams, the packets and None, or an error, into the queue."""
        wait = FIRST_WAIT
        while not self._stopped.is_set():
            came: bool | None = False
            try:
                container = self._opened()
            except Exception as error:  # PyAV raises ValueError, MemoryError and more
                if not self.streams:
                    self._put(error)
                    return
            else:
                with container:
                    came = self._read_on(container)
                if came is None:
                    return
            wait = FIRST_WAIT if came else min(2 * wait, LONGEST_WAIT)
            self._stopped.wait(wait)

    def _opened(self) -> Any:
        timeout = _TIMEOUT if self.returns and self.driver is None else None
        return av.open(
            self._place(), format=self.driver, metadata_errors="replace", timeout=timeout
        )

    def _read_on(self, container: Any) -> bool | None:
        """Read an open source to its end: whether anything came; None where it is over."""
        first, came, ended = not self.streams, False, True
        try:
            there = [] if container.format.name == "tty" else streams_of(container, self.tracks)
            streams = [s for s in there if s is not None and s.type in self.kinds]
            for stream in streams:
                stream.thread_type = "SLICE"  # whole images in threads would come later
            if streams or first:
                self._put(streams)
            for packet in packets_of(container, streams) if streams else ():
                came = True
                if not self._put((packet, clock.monotonic())):
                    break
        except LookupError as error:  # there is no such track
            if first:
                self._put(error)
                return None
        except Exception as error:  # the source broke off; PyAV raises errors of many kinds
            ended = False
            log.warning("%s: %s", self.source, error)
        whole = ended and self.driver is None and container.duration is not None
        if not self.returns or (whole and came) or (first and not streams):
            self._put(None)
            self._stopped.wait()  # packets that are not decoded yet need what closing would free
            return None
        self.lost += came
        self._drained.clear()
        if self._put(self._drained):
            self._drained.wait()
        return came

    def _place(self) -> str:
        """What FFmpeg opens: what is a file here is one, whatever its name looks like."""
        if self.source == "-":
            return "pipe:0"
        path = Path(self.source)
        is_file = self.driver is None and path.exists()
        return f"file:{path.absolute()}" if is_file else self.source

    def _put(self, item: Any) -> bool:
        while not self._stopped.is_set():
            if self._queue.full():
                self._full_at = clock.monotonic()
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except Full:
                continue
        return False


@contextmanager
def open_source(
    source: str,
    kinds: Collection[str] = ("video", "audio"),
    driver: str | None = None,
    tracks: Tracks | None = None,
) -> Iterator[Packets]:
    """Open a source for one pass.

    Args:
        source: What FFmpeg opens: a file, a URL, a device; `-` is the standard input.
        kinds: What of it is wanted, `video` and `audio`.
        driver: FFmpeg's name of the format, which devices need, such as `v4l2`.
        tracks: Which of its tracks are wanted; by default the source decides.

    Raises:
        AffuseError: It cannot be opened, or has nothing of what is wanted.
    """
    if driver is None and Path(source).is_dir():
        raise AffuseError(f"{source}: is a directory")
    packets = Packets(source, kinds, driver, tracks)
    try:
        packets.open()
        yield packets
    finally:
        packets.stop()
