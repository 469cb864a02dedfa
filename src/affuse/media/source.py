"""A source that is read once: a file, a device, a URL or the standard input."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Full, Queue
from typing import Any

import av

from affuse.corpora.clip import Tracks
from affuse.errors import AffuseError
from affuse.media.container import packets_of, reason
from affuse.media.selection import streams_of

log = logging.getLogger(__name__)

#: Packets that may wait: a device must not lose pictures while something is computed.
_WAITING = 64
_NAMES = {"audio": "sound", "video": "pictures"}


class Packets:
    """Reads a source in a thread, so that a source that stalls can be interrupted.

    Args:
        source: What FFmpeg opens; `-` is the standard input.
        kinds: What of it is wanted, `video` and `audio`.
        driver: FFmpeg's name of the format, which devices need, such as `v4l2`.
        tracks: Which of its tracks are wanted; by default the source decides.

    Attributes:
        streams: The PyAV streams that are read, once it is open.
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
        self._queue: Queue[Any] = Queue(_WAITING)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

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

    def next(self) -> Any:
        """The next packet, or None at the end."""
        packet = self._queue.get()
        if packet is None:
            self._queue.put(None)  # for who asks again
        return packet

    def stop(self) -> None:
        """Let go of the source, if it does not stall."""
        self._stopped.set()
        self._thread.join(0.5)

    def _read(self) -> None:
        """Put the streams, the packets and None, or an error, into the queue."""
        try:
            container: Any = av.open(self._place(), format=self.driver, metadata_errors="replace")
        except Exception as error:  # PyAV raises ValueError, MemoryError and more
            self._put(error)
            return
        with container:
            try:
                there = [] if container.format.name == "tty" else streams_of(container, self.tracks)
                streams = [s for s in there if s is not None and s.type in self.kinds]
                for stream in streams:
                    stream.thread_type = "SLICE"  # whole pictures in threads would come later
                self._put(streams)
                for packet in packets_of(container, streams) if streams else ():
                    if not self._put(packet):
                        break
            except LookupError as error:  # there is no such track
                self._put(error)
                return
            except Exception as error:  # the source broke off; PyAV raises errors of many kinds
                log.warning("%s: %s", self.source, error)
            self._put(None)
            self._stopped.wait()  # packets that are not decoded yet need what closing would free

    def _place(self) -> str:
        """What FFmpeg opens: what is a file here is one, whatever its name looks like."""
        if self.source == "-":
            return "pipe:0"
        path = Path(self.source)
        is_file = self.driver is None and path.exists()
        return f"file:{path.absolute()}" if is_file else self.source

    def _put(self, item: Any) -> bool:
        while not self._stopped.is_set():
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
