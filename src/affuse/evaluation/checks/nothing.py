"""Whether a model keeps quiet where nobody is heard or seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from affuse.corpora.synthetic.encode import write_flac
from affuse.corpora.synthetic.sounds import KINDS, sound
from affuse.corpora.synthetic.waves import RATE
from affuse.errors import AffuseError, BadInput, Unusable
from affuse.evaluation.checks import limits
from affuse.evaluation.checks.examined import Examined
from affuse.evaluation.checks.outcome import Bar, NotApplicable, Outcome
from affuse.evaluation.checks.recordings import check_makes, temporary
from affuse.execution.progress import progress
from affuse.inference.predictor import Predictor
from affuse.models.applied import LEAST_VOICE
from affuse.tasks.prediction import Prediction
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

#: Probability of a class, or amount of a value, from which something is said.
SAYS = 0.4
#: Share of all sounds without a voice of which something may be said.
MISTAKEN = 0.05
_SECONDS = 4.0
_ROOMS = (-70, -60)  # dB of full scale, of the noise of a quiet room
_EACH = 3  # of every kind of sound
_NOTHING = f"nothing, 'no voice', or no output of {SAYS} or more"


def silence(model: Examined) -> Outcome:
    """Digital silence, silences with some last bits, and the noise of quiet rooms."""
    count = round(_SECONDS * RATE)
    noise = np.random.default_rng(0).standard_normal(count, np.float32)
    sounds = [("zeros", np.zeros(count, np.float32))]
    sounds += [(f"silence {k}", sound(0, "silence", k, _SECONDS)) for k in range(1, 4)]
    sounds += [(f"noise at {x} dB", noise * np.float32(10 ** (x / 20))) for x in _ROOMS]
    said = _of_sounds(model, sounds)
    why = f"stated: of every silence {_NOTHING}"
    bars = [Bar(name, value, SAYS) for name, value in said]
    loudest = max(bars, key=lambda bar: bar.value)
    return Outcome(
        float(np.mean([value >= SAYS for _, value in said])),
        0.0,
        "min",
        "share",
        f"of {len(said)} silences something is said; most of {loudest.name}: {loudest.value:.2f}",
        why,
        bars,
    )


def no_speech(model: Examined) -> Outcome:
    """Sounds of many kinds without a voice."""
    kinds = [kind for kind in KINDS if kind != "silence"]
    names = [(kind, k) for kind in kinds for k in range(1, _EACH + 1)]
    said = _of_sounds(model, [(kind, sound(0, kind, k, _SECONDS)) for kind, k in names])
    each = np.array([value >= SAYS for _, value in said]).reshape(len(kinds), _EACH)
    found = limits.shares([MISTAKEN], np.full(len(kinds), _EACH))[:, 0]
    return Outcome(
        float(each.mean()),
        limits.upper(found),
        "min",
        "share",
        f"of {len(said)} generated sounds something is said; allowed is {_NOTHING}",
        f"95 % quantile of 2,000 models that are mistaken in {MISTAKEN:.0%} of all sounds",
        [Bar(kind, float(x)) for kind, x in zip(kinds, each.mean(1), strict=True)],
    )


def black_image(model: Examined) -> Outcome:
    """A black image."""
    predictor = _predictor(model, "video")
    with temporary() as folder:
        path = Path(folder) / "black.png"
        cv2.imwrite(str(path), np.zeros((240, 320, 3), np.uint8))
        value = _loudest(predictor, path)
    said = "largest output of a black image (0: nothing is said)"
    return Outcome(value, SAYS, "min", "value", said, f"stated: {_NOTHING}")


def _of_sounds(model: Examined, sounds: list[tuple[str, np.ndarray]]) -> list[tuple[str, float]]:
    """Name -> the largest output, 0 where nothing is said."""
    predictor = _predictor(model, "audio")

    def each() -> Iterator[tuple[str, float]]:
        with temporary() as folder:
            path = Path(folder) / "sound.flac"
            for name, samples in sounds:
                write_flac(path, samples, RATE)
                yield name, _loudest(predictor, path)

    return list(progress(each(), "sounds", total=len(sounds)))


def _predictor(model: Examined, modality: str) -> Predictor:
    check_makes(model.extraction, modality)
    try:
        return Predictor(model.parts[0].members[0].file, device=model.device)
    except AffuseError as error:
        raise NotApplicable(str(error)) from error


def _loudest(predictor: Predictor, path: Path) -> float:
    """The largest mean output about a recording; 0 where nothing is said of it."""
    try:
        return _most(predictor.predict(path, thumbnails=False))
    except Unusable:
        return 0.0
    except BadInput as error:
        raise NotApplicable(str(error)) from error


def _most(said: Prediction) -> float:
    """The largest mean output; 0 where nobody is heard, or all was withheld."""
    if not said.known.any():
        return 0.0
    if isinstance(said, ValuesTimeline):
        return float(np.abs(said.overall).max())
    assert isinstance(said, Timeline)
    heard = np.ones(len(said.known), bool) if said.voice is None else ~(said.voice < LEAST_VOICE)
    rows = said.probabilities[said.known & heard]
    return float(rows.mean(0).max()) if len(rows) else 0.0
