"""What a client and the server say to each other in a live session."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from affuse.errors import shown

#: Of a binary message: what it holds, and the second at which that begins; little-endian.
HEADER = struct.Struct("<Bd")
SOUND, IMAGE = 1, 2

#: Name of an error -> code with which the connection is closed: 4000 and the status that HTTP has
#: for it.
CODES = {
    "bad_start": 4400,
    "bad_message": 4400,
    "bad_image": 4400,
    "unknown_model": 4404,
    "silent": 4408,
    "not_read": 4408,
    "over": 4408,
    "too_large": 4413,
    "too_many_pixels": 4413,
    "unusable": 4422,
    "failed": 4500,
}


class SessionError(Exception):
    """Ends a session.

    Args:
        name: Of `CODES`.
        detail: One line.
    """

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name, self.detail = name, detail

    @property
    def code(self) -> int:
        """With which the connection is closed."""
        return CODES[self.name]

    @classmethod
    def of(cls, text: str) -> SessionError:
        """What `text` gave."""
        return cls(**json.loads(text)["error"])

    def text(self) -> str:
        """What the client is told."""
        return json.dumps({"error": {"name": self.name, "detail": shown(self.detail)}})


class Start(BaseModel):
    """The first message of a session."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str | None = Field(None, description="of /v1/models; by default the first")
    hop: float = Field(
        1.0,
        ge=0.02,
        le=60,
        validation_alias=AliasChoices("hop", "window_step"),
        description="seconds from line to line",
    )
    delay: float = Field(
        0.0, ge=0, description="seconds that a line waits for what follows its moment"
    )
    sound: int | None = Field(16_000, ge=8_000, le=48_000, description="Hz; null without sound")
    images: float | None = Field(
        25.0, ge=0.1, le=120, description="about how many per second; null without images"
    )
    realtime: bool = Field(True, description="drop what comes too late; else all of it counts")
    past: bool = Field(True, description="learn what the person is like from the session itself")

    @classmethod
    def of(cls, text: str) -> Start:
        """What a message says.

        Raises:
            SessionError: It is no such message.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            found = "; ".join(
                ".".join(map(str, one["loc"])) + f": {one['msg'][:1].lower()}{one['msg'][1:]}"
                for one in error.errors()
            )
            raise SessionError("bad_start", found.removeprefix(": ")) from None


@dataclass(frozen=True)
class Order:
    """A session, for the process that does it.

    Args:
        model: Model file.
        start: What the client asked for.
        pixels: Width times height of an image at most.
        device: Torch device.
    """

    model: Path
    start: Start
    pixels: int
    device: str


def opened(message: bytes, start: Start) -> tuple[int, float, bytes]:
    """What a binary message holds: `SOUND` or `IMAGE`, seconds, and the bytes behind the header.

    Raises:
        SessionError: It is no such message, or of a kind that the start did not announce.
    """
    if len(message) <= HEADER.size:
        raise SessionError("bad_message", f"a message of {len(message)} bytes holds nothing")
    kind, time = HEADER.unpack_from(message)
    if kind not in (SOUND, IMAGE):
        raise SessionError("bad_message", f"a message of kind {kind}; 1 is sound, 2 is an image")
    if not (math.isfinite(time) and 0 <= time < 1e9):
        raise SessionError("bad_message", f"a message at {time:g} s; seconds from 0 on")
    if (start.sound if kind == SOUND else start.images) is None:
        what = "sound" if kind == SOUND else "an image"
        raise SessionError("bad_message", f"{what} in a session that began without")
    data = message[HEADER.size :]
    if kind == SOUND and len(data) % 2:
        raise SessionError("bad_message", "sound of half a sample")
    return kind, time, data


def check_end(text: str) -> None:
    """Let a text after the first end the session.

    Raises:
        SessionError: It says something else.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if said != {"end": True}:
        raise SessionError("bad_message", 'a text that is not {"end": true}')
