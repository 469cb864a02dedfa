"""Uploads that a server has to survive: bombs, wrong types, slow and broken-off ones."""

from __future__ import annotations

import gzip
import io
import socket
import struct
import time
import zipfile
import zlib
from pathlib import Path

from PIL import Image

from tests.serving.running import Running

#: Names that would be paths elsewhere.
PATH_TRICKS = (
    "../../../tmp/x.wav",
    "/etc/x.wav",
    "..",
    "a\\..\\b.wav",
    "x.wav/",
    "n" * 300 + ".wav",
    ".wav",
    "CON.wav",
    "a;rm -rf ~.wav",
    "\u202egpj.wav",
)


def png(width: int, height: int, whole: bool = True) -> bytes:
    """A black image of one bit per pixel; its pixels, or only the claim of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    row = bytes(1 + (width + 7) // 8)
    press = zlib.compressobj(9)
    data = b"".join(press.compress(row) for _ in range(height if whole else 1)) + press.flush()
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def jpeg_that_claims(width: int, height: int) -> bytes:
    """A JPEG of 8 x 8 pixels whose header says something else."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG")
    data = bytearray(file.getvalue())
    place = bytes(data).index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def wav_that_claims(data: bytes, size: int) -> bytes:
    """A WAV file whose header says that so many bytes of sound follow."""
    place = data.index(b"data") + 4
    return data[:place] + struct.pack("<I", size) + data[place + 4 :]


def bombs(wav: bytes) -> dict[str, bytes]:
    """Name -> a file that is small and says, or becomes, much."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("talk.wav", bytes(30_000_000))
    return {
        "pixels.png": png(20_000, 20_000),
        "claimed.png": png(60_000, 60_000, whole=False),
        "claimed.jpg": jpeg_that_claims(65_000, 65_000),
        "talk.zip": zipped.getvalue(),
        "talk.wav.gz": gzip.compress(bytes(30_000_000)),
        "talk.mp4": gzip.compress(gzip.compress(bytes(30_000_000))),
        "long.wav": wav_that_claims(wav, 0xFFFF_FFF0),
    }


def form_of(name: str, data: bytes) -> tuple[bytes, bytes]:
    """The lines before the body of a request that uploads a file, and the body."""
    part = f'Content-Disposition: form-data; name="recording"; filename="{name}"'
    body = f"--x\r\n{part}\r\n\r\n".encode() + data + b"\r\n--x--\r\n"
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nConnection: close\r\n\r\n"
    )
    return head.encode(), body


def slowly(server: Running, name: str, data: bytes, pieces: int, pause: float) -> bytes:
    """Upload piece by piece; returns the answer."""
    head, body = form_of(name, data)
    url = server.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(head)
        step = -(-len(body) // pieces)
        for place in range(0, len(body), step):
            connection.sendall(body[place : place + step])
            time.sleep(pause)
        connection.settimeout(60)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def broken_off(server: Running, name: str, data: bytes, share: float, pause: float) -> None:
    """Upload some of a file and go."""
    head, body = form_of(name, data)
    url = server.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall((head + body)[: round(share * len(head + body))])
        time.sleep(pause)


def memory(pid: int, what: str = "VmRSS") -> int:
    """Bytes of memory of a process; with `VmHWM` the most that it had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) * 1024
