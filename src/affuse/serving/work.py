"""What a process does with one recording; it may die at it without the server."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from affuse.errors import AffuseError, BadInput, line_of
from affuse.execution.worker import allow, tell
from affuse.inference.output import write_people
from affuse.inference.people import whose_voice
from affuse.inference.predictor import LowQuality, Predictor
from affuse.media.allowance import time_limit
from affuse.media.probe import probe
from affuse.models.spec import Windows
from affuse.serving.addresses import Host, fetch
from affuse.serving.jobs import ADDRESS, RESULT, Options
from affuse.serving.settings import Limits
from affuse.serving.view import write_view

#: Where results are until they are complete, beside `RESULT`.
_PART = "part"
#: Seconds between two words about how much is done.
_PAUSE = 0.2


@dataclass(frozen=True)
class Order:
    """One recording.

    Args:
        folder: Of the job.
        file: Name of the recording in it.
        model: Model file.
        options: What was asked for.
        limits: What the server takes.
        hosts: Those that recordings may come from.
        device: Torch device.
    """

    folder: Path
    file: str
    model: Path
    options: Options
    limits: Limits
    hosts: tuple[Host, ...]
    device: str


def work(order: Order) -> str | None:
    """Write the files that `affuse predict` writes into `RESULT`, which appears when all are there.

    Returns:
        Why there are none, in one line without folders; None where there are.
    """
    path = order.folder / order.file
    try:
        _write(order, path)
    except BadInput as error:
        line = f"{error.path.name}: {error.reason}"
    except AffuseError as error:
        line = str(error)
    except Exception as error:
        line = line_of(error, path)
    else:
        return None
    return line.replace(f"{order.folder}/", "").replace(f"{order.model.parent}/", "")


def _write(order: Order, path: Path) -> None:
    _download(order, path)
    allow(min(time_limit([path]) or order.limits.seconds, order.limits.seconds))
    info = probe(path)
    if info.duration > order.limits.duration:
        raise BadInput(
            path,
            f"is {info.duration:,.1f} s long; this server takes {order.limits.duration:,g} s",
        )
    if info.width * info.height > order.limits.pixels:
        raise BadInput(
            path,
            f"has images of {info.width} x {info.height} pixels; this server takes "
            f"{order.limits.pixels:,} pixels",
        )
    options, part = order.options, order.folder / _PART
    shutil.rmtree(part, ignore_errors=True)
    predictor = _predictor(
        order.model, order.device, options.hop, options.windows, options.low_quality
    )
    voice = whose_voice(options.voice, options.people)
    timelines = predictor.predict_people(path, options.people, voice, reached=_teller())
    write_people(timelines, part, path.stem, formats=options.formats)
    write_view(timelines, order.folder)
    part.rename(order.folder / RESULT)


def _download(order: Order, path: Path) -> None:
    """Have the recording of a job that came with a URL."""
    address = order.folder / ADDRESS
    if not address.exists():
        return
    if not path.exists():
        allow(order.limits.seconds)
        url = address.read_text(encoding="ascii")
        try:
            fetch(url, path, order.hosts, order.limits.size, order.limits.upload_pause)
        except BadInput:
            address.unlink()
            raise
    address.unlink()


def _teller() -> Callable[[float], None]:
    """Tells the server how much is done, now and then."""
    told = time.monotonic()

    def reached(share: float) -> None:
        nonlocal told
        if time.monotonic() - told > _PAUSE:
            told = time.monotonic()
            tell(share)

    return reached


@lru_cache(maxsize=1)
def _predictor(
    model: Path, device: str, hop: float | None, windows: Windows | None, low: LowQuality | None
) -> Predictor:
    """The last one is kept, for the next job mostly wants the same."""
    return Predictor(model, hop, device, windows=windows, low_quality=low)
