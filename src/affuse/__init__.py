"""affuse: from a recording to an emotion over time, by fusing what is heard and what is seen.

import affuse
timeline = affuse.predict("video.mp4")  # or with a model="model.safetensors" of your own
timeline.emotion, timeline.starts, timeline.probabilities  # or, of valence and arousal,
timeline.dimensions, timeline.times, timeline.values
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from affuse.registry import add_later

if TYPE_CHECKING:
    from affuse.inference.predictor import LowQuality
    from affuse.models.base import Model
    from affuse.models.modelfile import ModelSpec, Windows
    from affuse.models.registry import ModelEntry
    from affuse.tasks.prediction import Prediction

# Models come after features; what their frozen networks compute are streams all the same.
add_later("affuse.streams", "affuse.models.frozen.streams:STREAMS")

__all__ = [
    "compare",
    "create_model",
    "evaluate",
    "list_models",
    "load_model",
    "predict",
    "predict_people",
]


def predict(
    path: str | Path,
    model: str | Path | None = None,
    hop: float | None = None,
    windows: Windows | None = None,
    smoothing: float | Literal["published"] | None = None,
    audio_track: int | None = None,
    video_track: int | None = None,
    low_quality: LowQuality | None = None,
    baseline: str | Path | Sequence[str | Path] = (),
    explain: bool = False,
    stretch: float | None = None,
) -> Prediction:
    """The emotion over time of one recording: probabilities of classes, or values.

    Args:
        path: Any file with sound, images or both.
        model: Model file; by default the bundled model.
        hop: Seconds between windows; by default a quarter of the model's window for classes, two
            thirds of it for values.
        windows: How the windows of a model of values lie, `overlap` or, of joint attention,
            `published`; by default as the model file says.
        smoothing: Seconds over which values are averaged, or, of joint attention, `published`; by
            default as the model file says.
        audio_track: Which track of sound to read, from 0; by default the file decides.
        video_track: Which track of images to read, from 0; by default the file decides.
        low_quality: `withhold` what rests on nothing that is seen or heard well, or `keep` it; by
            default named emotions are withheld, and continuous valence and arousal are kept.
        baseline: Other recordings of the same person, of a model that was trained with
            `normalisation: speaker`.
        explain: Whether the prediction tells what it rests on, as its `explanation`
            (`affuse.tasks.explanation`); takes several times as long.
        stretch: Seconds of sound or images that are withheld at a time for that; by default 0.5.

    Raises:
        affuse.errors.BadInput: A file cannot be used.
    """
    from affuse.corpora.clip import Tracks
    from affuse.inference.predictor import Predictor
    from affuse.models.bundled import BUNDLED

    file = BUNDLED if model is None else Path(model)
    predictor = Predictor(
        file,
        hop,
        windows=windows,
        smoothing=smoothing,
        low_quality=low_quality,
        baseline=_paths(baseline),
        explain=explain,
        stretch=stretch,
    )
    return predictor.predict(Path(path), tracks=Tracks(audio_track, video_track))


def predict_people(
    path: str | Path,
    people: int = 1_000_000,
    voice: Literal["all", "speaker"] = "speaker",
    model: str | Path | None = None,
    hop: float | None = None,
    baseline: str | Path | Sequence[str | Path] = (),
) -> list[Prediction]:
    """The emotions over time of the people in one recording, the main person's first.

    Args:
        path: As in `predict`.
        people: Of how many at most.
        voice: Whose the sound is where several are seen: everybody's, or that of the one whose
            mouth goes with it.
        model: As in `predict`.
        hop: As in `predict`.
        baseline: As in `predict`, of the main person; of others nothing is known.

    Raises:
        affuse.errors.BadInput: A file cannot be used.
    """
    from affuse.inference.predictor import Predictor
    from affuse.models.bundled import BUNDLED

    file = BUNDLED if model is None else Path(model)
    return Predictor(file, hop, baseline=_paths(baseline)).predict_people(Path(path), people, voice)


def evaluate(
    model: str | Path | Sequence[str | Path],
    store: str | Path | Sequence[str | Path] | None = None,
    protocol: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The scores of a run, or of one or several model files, under each condition.

    Args:
        model: Folder that `affuse train` made, or model files, converted or trained.
        store: Prepared streams, in one or several stores; not needed for a run whose stores have
            not moved.
        protocol: Of model files: whose test clips are scored; all of the store by default.
        **options: `conditions`, `role`, `fold`, `labels`, `truth`, `device`, `out`, `baseline`; see
            `affuse.evaluation.evaluate.evaluate`.

    Raises:
        affuse.errors.AffuseError: Something cannot be used, or does not go together.
    """
    from affuse.evaluation.evaluate import evaluate as scores

    streams = None if store is None else _paths(store)
    return scores(_paths(model), store=streams, protocol=protocol, **options)


def compare(
    results: Sequence[str | Path],
    metric: str | None = None,
    condition: str | None = None,
    every_pair: bool = False,
) -> dict[str, Any]:
    """Whether one model is better than another on the same clips, and would be on other people.

    Args:
        results: Two or more runs whose test clips were evaluated, or tables of predictions.
        metric: What is compared, such as `uar`; accuracy, divergence or CCC by default.
        condition: Its name; by default the first that all have.
        every_pair: Compare all pairs; by default the first with each of the others.

    Returns:
        `comparisons`, each with `difference`, `interval_95`, tests, and the `verdict` as a
        sentence.

    Raises:
        affuse.errors.AffuseError: The tables are not of the same clips, or cannot be used.
    """
    from affuse.evaluation.compare import compare as compared

    return compared(_paths(results), metric, condition, every_pair)


def _paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(one) for one in ([given] if isinstance(given, str | Path) else given)]


def create_model(name: str, streams: Sequence[str], outputs: int = 8, **options: Any) -> Model:
    """A new model with random weights.

    Args:
        name: Such as `chumachenko-ia` (see `list_models`).
        streams: Names of computed streams, such as `["audio/mfcc10", "video/faces224"]`.
        outputs: Number of classes or dimensions.
        **options: Options of the model.

    Raises:
        affuse.errors.AffuseError: Unknown model, stream or option.
    """
    from affuse.features.catalogue import stream_spec
    from affuse.models import registry

    return registry.create_model(name, {s: stream_spec(s) for s in streams}, outputs, **options)


def load_model(path: str | Path) -> tuple[Model, ModelSpec]:
    """The model of a model file, in evaluation mode, and its spec.

    Raises:
        affuse.errors.BadInput: The file cannot be used.
    """
    from affuse.models import modelfile

    return modelfile.load_model(Path(path))


def list_models() -> dict[str, ModelEntry]:
    """Every model: name -> task, paper, licence of the reference."""
    from affuse.models import registry

    return registry.list_models()
