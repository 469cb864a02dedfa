"""Whether affuse works here: what it rests on, a prediction, and which extras are installed."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import AffuseError, reason_of, shown
from affuse.execution.terminal import bar_stream
from affuse.extras import EXTRAS, install, missing

#: Decoders of PyAV that recordings of corpora, phones and browsers need.
DECODERS = {
    "video": ("h264", "hevc", "vp6f", "vp8", "vp9", "av1", "mpeg4", "mpeg1video", "mjpeg"),
    "audio": ("aac", "mp3", "mp2", "opus", "vorbis", "flac", "pcm_s16le"),
}
#: Without these no recording of a phone can be read, and no overlay written.
ESSENTIAL = {"h264", "aac", "mp3", "mjpeg", "pcm_s16le"}
ENCODERS = ("libx264", "aac")
#: Seconds and images per second of the recording of the self-test.
_SECONDS, _FPS = 2, 25
_GIGA = 1e9
#: Bytes below which room is short: what a prediction takes, and what its files take.
_LEAST_MEMORY, _LEAST_DISK = 0.5e9, 0.1e9


@dataclass(frozen=True)
class Check:
    """One part of an installation.

    Attributes:
        name: Of the part.
        ok: Whether it can be used.
        says: What there is, or what is wrong, in a line.
        essential: Whether affuse cannot predict without it.
        facts: The same for programs.
    """

    name: str
    ok: bool
    says: str
    essential: bool = True
    facts: dict[str, Any] = field(default_factory=dict)


def examine() -> list[Check]:
    """All checks, in the order in which parts rest on each other; a few seconds.

    A part that is broken is a check that is not `ok`, whatever it raises.
    """
    parts: list[tuple[str, Callable[[], Check]]] = [
        ("affuse", _versions),
        ("torch", _torch),
        ("PyAV", _av),
        ("faces", _faces),
        ("model", _model),
        ("self-test", _self_test),
        ("memory", _memory),
        ("disk", _disk),
        ("terminal", _terminal),
    ]
    return [*(_checked(name, check) for name, check in parts), *map(_extra, EXTRAS)]


def _checked(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        return Check(name, False, reason_of(error))


def _versions() -> Check:
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    own = version("affuse")
    facts = {"affuse": own, "python": python, "system": system, "executable": sys.executable}
    return Check("affuse", True, f"{own}, Python {python}, {system}", facts=facts)


def _torch() -> Check:
    import torch

    cuda = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    mps = torch.backends.mps.is_available()
    gpu = ", ".join(cuda) or ("MPS" if mps else "no GPU")
    threads, processors = torch.get_num_threads(), os.cpu_count() or 1
    facts = {"torch": torch.__version__, "threads": threads, "processors": processors}
    facts |= {"cuda": cuda, "mps": mps}
    finite = bool((torch.ones(2, 2) @ torch.ones(2, 2) == 2).all())
    says = f"{torch.__version__}, {threads} of {processors} processors, {gpu}"
    return Check("torch", finite, says if finite else f"{says}; it computes wrongly", facts=facts)


def _av() -> Check:
    import av
    from av.codec import codecs_available

    there: dict[str, bool] = {}
    for name in (*DECODERS["video"], *DECODERS["audio"]):
        there[name] = name in codecs_available and _has(name, "r")
    encoders = {name: _has(name, "w") for name in ENCODERS}
    lacks = [name for name, found in there.items() if not found]
    wrong = [*(name for name in lacks if name in ESSENTIAL)]
    wrong += [f"{name} (to write)" for name, found in encoders.items() if not found]
    facts = {"av": av.__version__, "decoders": there, "encoders": encoders}
    found = " ".join(name for name in there if there[name])
    says = f"{av.__version__}, reads {found}"
    if lacks or wrong:
        says += f"; lacks {' '.join(dict.fromkeys([*lacks, *wrong]))}"
    return Check("PyAV", not wrong, says, facts=facts)


def _has(name: str, mode: Any) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        return bool(Codec(name, mode).name)
    except UnknownCodecError:
        return False


def _faces() -> Check:
    from affuse.media.mtcnn import MTCNN

    MTCNN()  # reads its weights, which are those of another package
    return Check("faces", True, "MTCNN and its weights")


def _model() -> Check:
    from affuse.models.bundled import BUNDLED
    from affuse.models.modelfile import load_model, read_digest

    _, spec = load_model(BUNDLED)  # compares its content with its digest
    digest = read_digest(BUNDLED)
    if digest is None:
        raise AffuseError(f"{BUNDLED}: has no digest")
    facts = {"file": str(BUNDLED), "digest": digest, "outputs": list(spec.outputs)}
    says = f"bundled {spec.model}, {len(spec.outputs)} emotions, digest {digest[:12]} is right"
    return Check("model", True, says, facts=facts)


def _self_test() -> Check:
    """Write a recording, decode and predict it."""
    from affuse.inference.predictor import Predictor
    from affuse.models.bundled import BUNDLED
    from affuse.tasks.timeline import Timeline

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="affuse-") as folder:
        path = Path(folder) / "test.mp4"
        write_recording(path)
        (timeline,) = Predictor(BUNDLED).read(path, thumbnails=True)
    took = time.monotonic() - began
    assert isinstance(timeline, Timeline)
    heard, seen = timeline.presence["audio"].share, len(timeline.key_frames)
    wrong = heard < 0.9 or not seen or abs(timeline.duration - _SECONDS) > 0.2
    if wrong or timeline.voice is None or not np.isfinite(timeline.voice).all():
        said = f"{timeline.duration:.2f} s, {heard:.0%} sound, {seen} images"
        return Check("self-test", False, f"a recording of {_SECONDS} s is read as {said}")
    says = f"a recording of {_SECONDS} s is written, decoded and predicted in {took:.1f} s"
    return Check("self-test", True, says, facts={"seconds": round(took, 2)})


def write_recording(path: Path) -> None:
    """Write the recording of the self-test: two seconds of moving bars and of something like a
    voice.

    Args:
        path: The `.mp4`.
    """
    from affuse.corpora.synthetic.encode import write_video

    write_video(path, _images(), (120, 160), Fraction(_FPS), _sound())


def _images() -> list[np.ndarray]:
    """Grey bars that move, (120, 160, 3) uint8."""
    across = np.arange(160)
    rows = [((across + 4 * k) % 32 * 8).astype(np.uint8) for k in range(_SECONDS * _FPS)]
    return [np.repeat(np.tile(row, (120, 1))[:, :, None], 3, axis=2) for row in rows]


def _sound() -> np.ndarray:
    """Harmonics of a voice that comes and goes, (96000,) float32 at 48 kHz."""
    times = np.arange(_SECONDS * 48_000) / 48_000
    pitch = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 1.3 * times)) / 48_000
    voice = sum(np.sin(k * pitch) / k for k in range(1, 20))
    return (0.1 * voice * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * times))).astype(np.float32)


def _memory() -> Check:
    free, total = _free_memory()
    if free is None:
        return Check("memory", True, "not known on this system", essential=False)
    says = f"{free / _GIGA:.1f} of {(total or free) / _GIGA:.1f} GB free"
    facts = {"free": free, "total": total}
    return Check("memory", free >= _LEAST_MEMORY, says, essential=False, facts=facts)


def _free_memory(place: Path = Path("/proc/meminfo")) -> tuple[int | None, int | None]:
    """Bytes that are available, and of the machine; None where nothing says so."""
    try:
        rows = dict(line.split(":", 1) for line in place.read_text(encoding="ascii").splitlines())
        told = (int(rows[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
        free, total = told
        return free, total
    except (OSError, ValueError, KeyError):  # not Linux
        return None, None


def _disk() -> Check:
    here, temporary = Path.cwd(), Path(tempfile.gettempdir())
    free = {str(place): shutil.disk_usage(place).free for place in (here, temporary)}
    with tempfile.TemporaryFile() as file:  # where nothing can be written, nothing works
        file.write(b"x")
    said = [
        f"{free[str(place)] / _GIGA:.1f} GB free {where}"
        for place, where in ((here, "here"), (temporary, f"for temporary files ({temporary})"))
    ]
    return Check("disk", min(free.values()) >= _LEAST_DISK, shown(", ".join(said)), facts=free)


def _terminal() -> Check:
    from rich.console import Console

    console = Console(file=bar_stream())
    colours = console.color_system or "no colours"
    encoding = getattr(sys.stdout, "encoding", None) or "unknown encoding"
    bars = "bars are drawn" if console.is_terminal else "no terminal, so no bars"
    facts: dict[str, Any] = {"terminal": console.is_terminal, "colours": console.color_system}
    facts |= {"columns": console.width, "encoding": encoding}
    says = f"{colours}, {console.width} columns, {encoding}; {bars}"
    return Check("terminal", True, says, essential=False, facts=facts)


def _extra(name: str) -> Check:
    """Whether the packages of an extra are installed."""
    lacks = missing(name)
    says = f"lacks {', '.join(lacks)}: {install(name)}" if lacks else "installed"
    facts = {"missing": lacks, "install": install(name)}
    return Check(f"extra {name}", not lacks, says, essential=False, facts=facts)
