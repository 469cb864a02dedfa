"""affuse: from a recording to an emotion over time, by fusing what is heard with what is seen.

Examples:
    >>> import affuse
    >>> timeline = affuse.predict("talk.mp4")  # or with a model="model.safetensors" of your own
    >>> timeline.emotion
    'happy'
    >>> timeline.probabilities.shape  # windows, classes
    (1, 7)

What this module names is what stays; modules below it may change. It is long because the reference
of Python is made of its docstrings, whose examples run. Nothing is printed: the logger
`affuse` tells what is worth a warning.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from affuse import errors
from affuse.registry import Entry, add_later

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from affuse.features.prepare import Prepared
    from affuse.inference.given import RecordingLike
    from affuse.inference.many import Predictions
    from affuse.inference.predictor import LowQuality, Predictor
    from affuse.media.memory import InMemory
    from affuse.models.base import Model
    from affuse.models.modelfile import ModelSpec, Windows
    from affuse.models.registry import ModelEntry
    from affuse.tasks.prediction import Prediction
    from affuse.tasks.timeline import Timeline
    from affuse.tasks.values import ValuesTimeline

    __version__: str

# Models come after features; what their frozen networks compute are streams all the same.
add_later("affuse.streams", "affuse.models.frozen.streams:STREAMS")
# Predictions come before what draws and saves them, and can do both.
add_later("outputs of predictions", "affuse.inference.saved")

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

__all__ = [
    "InMemory",
    "Prediction",
    "Predictions",
    "Predictor",
    "Timeline",
    "ValuesTimeline",
    "__version__",
    "compare",
    "create_model",
    "errors",
    "evaluate",
    "list_models",
    "live",
    "load_model",
    "predict",
    "predict_people",
    "prepare",
    "progress_bars",
    "train",
]

#: Names of this module -> where they are, for these modules take long to import.
_ELSEWHERE = {
    "InMemory": "affuse.media.memory:InMemory",
    "Prediction": "affuse.tasks.prediction:Prediction",
    "Predictions": "affuse.inference.many:Predictions",
    "Predictor": "affuse.inference.predictor:Predictor",
    "Timeline": "affuse.tasks.timeline:Timeline",
    "ValuesTimeline": "affuse.tasks.values:ValuesTimeline",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = Entry(_ELSEWHERE[name]).load()
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Asked(TypedDict, total=False):
    """What `predict` can be asked for beside the recording and the model."""

    hop: float | None
    windows: Windows | None
    smoothing: float | Literal["published"] | None
    audio_track: int | None
    video_track: int | None
    low_quality: LowQuality | None
    baseline: RecordingLike | Sequence[RecordingLike]
    explain: bool
    stretch: float | None
    device: str


@overload
def predict(
    recording: RecordingLike, model: str | Path | None = None, **asked: Unpack[_Asked]
) -> Any: ...


@overload
def predict(
    recording: Iterable[RecordingLike] | Mapping[str, RecordingLike],
    model: str | Path | None = None,
    **asked: Unpack[_Asked],
) -> Predictions: ...


def predict(
    recording: RecordingLike | Iterable[RecordingLike] | Mapping[str, RecordingLike],
    model: str | Path | None = None,
    *,
    hop: float | None = None,
    windows: Windows | None = None,
    smoothing: float | Literal["published"] | None = None,
    audio_track: int | None = None,
    video_track: int | None = None,
    low_quality: LowQuality | None = None,
    baseline: RecordingLike | Sequence[RecordingLike] = (),
    explain: bool = False,
    stretch: float | None = None,
    device: str = "cpu",
) -> Any:
    """The emotion over time of one recording, or of several.

    Args:
        recording: Any file with sound, images or both, or a single image: its path, its bytes, a
            binary file object, or arrays (`InMemory`). Several: a folder, a pattern such as
            `clips/**/*.mp4`, a list of recordings, or name -> recording.
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
        device: Torch device.

    Returns:
        Of one recording a `Timeline` of classes, or a `ValuesTimeline` of continuous valence and
        arousal, as the model has it. Of several `Predictions`, a dictionary of name -> timeline; in
        `failures` are those that could not be used.

    Raises:
        affuse.errors.BadInput: A file cannot be used; of several the others go on.

    Examples:
        >>> timeline = predict("talk.mp4")
        >>> timeline
        Timeline('talk.mp4', 1.20 s, happy 0.95)
        >>> with open("talk.mp4", "rb") as file:
        ...     predict(file.read()).emotion
        'happy'
        >>> found = predict(["talk.mp4", "missing.mp4"])
        >>> found
        {'talk': Timeline('talk.mp4', 1.20 s, happy 0.95)}
        >>> found.failures["missing"].reason
        'no such file'
    """
    from affuse.corpora.clip import Tracks
    from affuse.inference.given import is_path
    from affuse.inference.many import Predictions, is_several, predict_all_of
    from affuse.inference.predictor import Predictor

    known: Any = [baseline] if is_path(baseline) or not isinstance(baseline, Sequence) else baseline
    predictor = Predictor(
        model,
        hop,
        device,
        windows=windows,
        smoothing=smoothing,
        low_quality=low_quality,
        baseline=known,
        explain=explain,
        stretch=stretch,
    )

    def one(given: Any) -> Prediction:
        return predictor.predict(given, tracks=Tracks(audio_track, video_track))

    return Predictions(predict_all_of(one, recording)) if is_several(recording) else one(recording)


def predict_people(
    recording: RecordingLike,
    people: int = 1_000_000,
    voice: Literal["all", "speaker"] = "speaker",
    model: str | Path | None = None,
    hop: float | None = None,
    baseline: RecordingLike | Sequence[RecordingLike] = (),
) -> list[Prediction]:
    """The emotions over time of the people in one recording, the main person's first.

    Args:
        recording: One, as in `predict`.
        people: Of how many at most.
        voice: Whose the sound is where several are seen: everybody's, or that of the one whose
            mouth goes with it.
        model: As in `predict`.
        hop: As in `predict`.
        baseline: As in `predict`, of the main person; of others nothing is known.

    Raises:
        affuse.errors.BadInput: A file cannot be used.

    Examples:
        >>> [timeline.person for timeline in predict_people("talk.mp4")]
        [1]
    """
    from affuse.inference.given import is_path
    from affuse.inference.predictor import Predictor

    known: Any = [baseline] if is_path(baseline) or not isinstance(baseline, Sequence) else baseline
    return Predictor(model, hop, baseline=known).predict_people(recording, people, voice)


def live(
    source: str | Path,
    model: str | Path | None = None,
    *,
    hop: float = 1.0,
    delay: float = 0.0,
    driver: str | None = None,
    realtime: bool = False,
) -> Iterator[dict[str, Any]]:
    """The emotion over time of a source while it is read: a camera, an address, a pipe, a file.

    Args:
        source: What FFmpeg opens: a file, a URL, a device; `-` is the standard input.
        model: As in `predict`.
        hop: Seconds from line to line.
        delay: Seconds that a line waits for what follows its moment.
        driver: FFmpeg's name of the format, which devices need, such as `v4l2`.
        realtime: Whether a file is read no faster than it was recorded.

    Yields:
        A line as `affuse live` prints it: `time` in seconds, `probabilities` (class -> value, or
        None), `face` and `sound`, `latency`; of models of values `valence` and `arousal`.

    Raises:
        affuse.errors.AffuseError: The source or the model cannot be used.

    Examples:
        >>> for line in live("talk.mp4", hop=0.6):
        ...     print(line["time"], line["face"], max(line["probabilities"].values()) > 0.5)
        0.6 True True
        1.2 True True
    """
    from affuse.inference.live import lines_of
    from affuse.inference.predictor import Predictor

    yield from lines_of(Predictor(model), str(source), hop, delay, driver, realtime)


def prepare(
    corpus: str,
    root: str | Path,
    store: str | Path,
    streams: Sequence[str],
    *,
    source: Mapping[str, str | Path] | None = None,
    change: Sequence[str] = (),
    workers: int = 1,
    **options: Any,
) -> Prepared:
    """Compute the streams of a corpus into a store; run again after an interrupt, it continues.

    Args:
        corpus: Its name, such as `ravdess`, or `folder` for recordings of your own
            (`affuse list corpora`).
        root: Where it lies.
        store: Folder of the store, made where there is none.
        streams: Such as `["audio/mfcc10", "video/faces48"]` (`affuse list streams`).
        source: Imported stream -> file or folder that it is read from.
        change: What is done to the recordings before, such as `["white-noise=5"]`
            (`affuse list changes`).
        workers: Processes that work at once.
        **options: Of the corpus, such as `channel="song"`.

    Returns:
        Counts, and `failures` as (clip, stream, reason); a clip that fails does not end the others.

    Raises:
        affuse.errors.AffuseError: The corpus, a stream or the store cannot be used.

    Examples:
        >>> done = prepare("folder", "recordings", "store", ["audio/mfcc10"])
        >>> done.clips, done.failures
        (8, [])
    """
    from affuse.corpora.registry import read_corpus
    from affuse.features.arrays import corpus_extractor
    from affuse.features.prepare import prepare as prepared
    from affuse.media.changes.registry import Change

    read = read_corpus(corpus, Path(root), options)
    sources: dict[str, Any] = {name: Path(path) for name, path in (source or {}).items()}
    if read.rows is not None:
        sources.setdefault("video/openface", read.rows)
    names = [streams] if isinstance(streams, str) else streams
    extractors = [corpus_extractor(read, name, sources) for name in names]
    changes = [Change.parse(text) for text in change]
    return prepared(read, Path(store), extractors, workers, changes)


def train(
    recipe: str | Path,
    store: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    fold: int | Sequence[int] | None = None,
    resume: bool = False,
    allow: Sequence[str] = (),
    device: str = "auto",
    copies: Sequence[str | Path] = (),
    **changes: Any,
) -> dict[int, Path]:
    """Train a recipe on a store, fold by fold, after its split was checked for leaks.

    Args:
        recipe: A name (`affuse list recipes`) or a YAML file.
        store: Prepared streams, in one or several stores.
        out: Folder of the run.
        fold: One or several, from 0; by default all of the protocol.
        resume: Go on with a run that is there.
        allow: Kinds of leaks that are let pass and written down (`affuse list leaks`).
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1` or `mps`.
        copies: Stores of the same clips with changed sound.
        **changes: To the recipe, such as `epochs=3`; of its parts `optimiser={"lr": 1e-4}`, which
            leaves the other keys of the part as they are.

    Returns:
        Fold -> model file.

    Raises:
        affuse.errors.AffuseError: Something cannot be used, or does not go together; the split
            leaks.

    Examples:
        >>> models = train("recipe.yaml", "store", "run", fold=0, epochs=1)
        >>> models[0].as_posix()
        'run/fold0/model.safetensors'
    """
    from affuse.extras import need

    need("train", "affuse.train")
    from affuse.training.recipe_files import load_recipe
    from affuse.training.train import train as trained

    folds = [fold] if isinstance(fold, int) else None if fold is None else list(fold)
    loaded = load_recipe(recipe, dict(_dotted(changes)))
    found = trained(
        loaded, _paths(store), Path(out), folds, resume, allow, device, _log.info, _paths(copies)
    )
    return dict(found)


def _dotted(changes: Mapping[str, Any], part: str = "") -> Iterable[tuple[str, Any]]:
    """Changes of keys, such as `optimiser.lr`, of nested ones."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{part}{key}.")
        else:
            yield f"{part}{key}", value


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

    Examples:
        >>> scores = evaluate("run", conditions=["audio"])
        >>> list(scores["conditions"])
        ['audio']
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

    Examples:
        >>> model = create_model("chumachenko-it", ["audio/mfcc10", "video/faces48"], 4, heads=4)
        >>> sum(weights.numel() for weights in model.parameters()) > 100_000
        True
    """
    from affuse.features.catalogue import stream_spec
    from affuse.models import registry

    return registry.create_model(name, {s: stream_spec(s) for s in streams}, outputs, **options)


def load_model(path: str | Path) -> tuple[Model, ModelSpec]:
    """The model of a model file, in evaluation mode, and its spec.

    Raises:
        affuse.errors.BadInput: The file cannot be used.

    Examples:
        >>> from affuse.models.bundled import BUNDLED
        >>> model, spec = load_model(BUNDLED)
        >>> spec.outputs
        ['neutral', 'happy', 'sad', 'angry', 'fearful', 'disgust', 'surprised']
    """
    from affuse.models import modelfile

    return modelfile.load_model(Path(path))


def list_models() -> dict[str, ModelEntry]:
    """Every model: name -> task, paper, licence of the reference.

    Examples:
        >>> "chumachenko-it" in list_models()
        True
    """
    from affuse.models import registry

    return registry.list_models()


def progress_bars() -> AbstractContextManager[None]:
    """Within the block long work draws bars on the standard error, where that is a terminal.

    Examples:
        >>> with progress_bars():
        ...     done = prepare("folder", "recordings", "store", ["audio/mfcc10"])
    """
    from affuse.execution.progress import bars

    return bars()
