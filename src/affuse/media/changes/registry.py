"""The changes of recordings by name, and how strong they can be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import av

from affuse.errors import AffuseError
from affuse.registry import Entry, Registry

#: What a change acts on. `sound` and `time` are functions (samples, rate, value, generator) ->
#: samples, `time` moves what is there too. `frames` and `faces` are made once for a clip, of
#: (value, generator): frame -> frame, or None where it is lost; (frame, box, landmarks) -> frame.
ActsOn = Literal["sound", "time", "frames", "faces"]
#: The modality whose streams differ; `time` moves the sound, which only both together tell.
Modality = Literal["audio", "video", "both"]

_MODALITIES: dict[ActsOn, Modality] = {
    "sound": "audio",
    "time": "both",
    "frames": "video",
    "faces": "video",
}


def _entry(target: str, on: ActsOn, low: float, high: float, means: str, **more: Any) -> Entry:
    limits = {"on": on, "low": low, "high": high, **more}
    return Entry(f"affuse.media.changes.{target}", means, limits)


CHANGES: Registry[Entry] = Registry(
    "change",
    {
        "white-noise": _entry(
            "sound:white_noise", "sound", -20.0, 60.0, "white noise, dB below the sound"
        ),
        "babble": _entry(
            "sound:babble", "sound", -20.0, 60.0, "eight voices that talk, dB below the sound"
        ),
        "room": _entry(
            "sound:room", "sound", 0.01, 10.0, "reverberation, seconds until it falls by 60 dB"
        ),
        "telephone": _entry(
            "sound:telephone", "sound", 2.0, 16.0, "300 to 3400 Hz, bits of mu-law"
        ),
        "codec": _entry(
            "codec:codec", "sound", 6.0, 256.0, "Opus, kbit/s of one channel", encoder="libopus"
        ),
        "packet-loss": _entry(
            "sound:packet_loss", "sound", 0.0, 1.0, "share of packets of 20 ms lost in bursts"
        ),
        "gain": _entry("sound:gain", "sound", -60.0, 40.0, "dB louder, clipped at full scale"),
        "blur": _entry(
            "images:blur", "frames", 0.0, 0.1, "Gaussian blur, deviation per height of the frame"
        ),
        "darkness": _entry("images:darkness", "frames", 0.0, 12.0, "stops less light"),
        "low-resolution": _entry(
            "images:low_resolution", "frames", 8.0, 4320.0, "rows of pixels that are left"
        ),
        "lost-frames": _entry(
            "images:lost_frames", "frames", 0.0, 1.0, "share of the frames lost in bursts of 0.5 s"
        ),
        "covered-eyes": _entry(
            "faces:covered_eyes", "faces", 0.0, 1.0, "black band over the eyes, per height of face"
        ),
        "covered-mouth": _entry(
            "faces:covered_mouth",
            "faces",
            0.0,
            1.0,
            "black band over the mouth, per height of face",
        ),
        "delay": _entry(
            "sound:delay", "time", -30.0, 30.0, "seconds by which the sound comes later"
        ),
    },
    group="affuse.changes",
    listed_by="affuse list changes",
)


def limits(name: str) -> tuple[float, float]:
    """The min and max value of a change."""
    given = CHANGES[name].arguments
    return given.get("low", -math.inf), given.get("high", math.inf)


def acts_on(name: str) -> ActsOn:
    """What a change acts on; of other packages the sound, if they say nothing."""
    on: ActsOn = CHANGES[name].arguments.get("on", "sound")
    return on


def modality_of(name: str) -> Modality:
    """The modality that a change is of."""
    return _MODALITIES[acts_on(name)]


@dataclass(frozen=True)
class Change:
    """One change, or one of some strength between two, drawn for each clip.

    Args:
        name: In `CHANGES`.
        low: Min value.
        high: Max value.
    """

    name: str
    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Change:
        """A change as typed: `white-noise=5`, or `white-noise=0:20`.

        Raises:
            AffuseError: There is no such change, no such value, or no encoder for it.
        """
        name, _, value = text.partition("=")
        entry = CHANGES[name]
        low, high = limits(name)
        try:
            first, *rest = [float(part) for part in value.split(":")]
            (last,) = rest or [first]
        except ValueError:
            first, last = math.nan, math.nan
        if not low <= first <= last <= high:
            raise AffuseError(
                f"change {text}: expected {name}=VALUE or {name}=LOW:HIGH, from {low:g} to "
                f"{high:g} ({entry.describe()})"
            )
        _check_encoder(name)
        return cls(name, first, last)

    def __str__(self) -> str:
        return f"{self.name}={self.low:g}" + (f":{self.high:g}" if self.high > self.low else "")

    def touches(self, stream: str) -> bool:
        """Whether a stream of a changed recording differs."""
        return stream.startswith("video/" if modality_of(self.name) == "video" else "audio/")


def _check_encoder(name: str) -> None:
    encoder = CHANGES[name].arguments.get("encoder")
    if encoder is not None:
        try:
            av.Codec(encoder, "w")
        except ValueError as error:  # PyAV's error for an unknown codec is one
            raise AffuseError(
                f"change {name} needs the encoder {encoder}, which PyAV {av.__version__} here lacks"
            ) from error
