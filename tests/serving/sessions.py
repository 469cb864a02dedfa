"""Live sessions of a server, and recordings that are sent through them piece by piece."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.serving.running import PATIENCE, Running

SOUND, IMAGE = 1, 2


def message(kind: int, seconds: float, data: bytes) -> bytes:
    """As the documentation says."""
    return struct.pack("<Bd", kind, seconds) + data


def pieces(path: Path) -> Iterator[tuple[float, bytes]]:
    """Messages of a recording with 16-bit sound of 16 kHz or JPEGs, or both, and their seconds."""
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                seconds = float((packet.pts or 0) * packet.time_base)
                kind = IMAGE if packet.stream.type == "video" else SOUND
                yield seconds, message(kind, seconds, bytes(packet))


def as_pieces(source: Path, path: Path, seconds: float = 1e9) -> Path:
    """The beginning of a recording with sound and images, as one of what sessions take."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        video, audio = old.streams.video[0], old.streams.audio[0]
        images = new.add_stream("mjpeg", rate=video.average_rate)
        images.width, images.height, images.pix_fmt = video.width, video.height, "yuvj420p"
        sound = new.add_stream("pcm_s16le", rate=16000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 16000, frame_size=320)
        for frame in old.decode(video, audio):
            if (frame.time or 0.0) >= seconds:
                continue
            if isinstance(frame, av.VideoFrame):
                new.mux(images.encode(frame.reformat(format="yuvj420p")))
            else:
                for part in resampler.resample(frame):
                    new.mux(sound.encode(part))
        new.mux(images.encode())
        new.mux(sound.encode())
    return path


@dataclass
class Session:
    """The client's side.

    Args:
        socket: Open.
    """

    socket: ClientConnection

    def send(self, what: bytes | dict[str, Any]) -> None:
        """Send a message, if the connection is not closed by now."""
        with suppress(ConnectionClosed):
            self.socket.send(json.dumps(what) if isinstance(what, dict) else what)

    def receive(self) -> dict[str, Any]:
        """The next line."""
        line: dict[str, Any] = json.loads(self.socket.recv(PATIENCE))
        return line

    def lines(self) -> list[dict[str, Any]]:
        """All that comes until the server closes."""
        lines = []
        with suppress(ConnectionClosed):
            while True:
                lines.append(self.receive())
        return lines

    def error(self) -> tuple[str, str, int]:
        """Name and detail of the error that ends it, and the code of the end."""
        last = self.lines()[-1]
        told = last["error"]
        assert {*last} == {"error"} and {*told} == {"name", "detail"}
        assert self.socket.close_reason == told["name"]
        return told["name"], told["detail"], self.socket.close_code or 0


@contextmanager
def session(server: Running, **start: Any) -> Iterator[Session]:
    """A session that has begun with a message."""
    headers = {k: v for k, v in server.client.headers.items() if k.lower() == "authorization"}
    url = f"ws://{server.client.base_url.netloc.decode()}/v1/live"
    options: dict[str, Any] = {"additional_headers": headers, "open_timeout": PATIENCE}
    with connect(url, proxy=None, compression=None, max_size=None, **options) as socket:
        one = Session(socket)
        one.send(start)
        yield one


def through(server: Running, path: Path, **start: Any) -> list[dict[str, Any]]:
    """What a server says while a recording is sent to it."""
    began = None
    with session(server, **start) as one:
        assert "ready" in one.receive()
        for seconds, piece in pieces(path):
            began = began or time.monotonic()
            if start.get("realtime", True):
                time.sleep(max(0.0, began + seconds - time.monotonic()))
            one.send(piece)
        one.send({"end": True})
        *lines, end = one.lines()
        assert one.socket.close_code == 1000
        assert end["end"]["lines"] == len(lines)
    return lines
