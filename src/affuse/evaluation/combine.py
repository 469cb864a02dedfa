"""A model of the voice and one of the face, trained apart, into one calibrated model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import log_softmax

from affuse.corpora.emotions import shared_emotions
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.held_back import read_held_back
from affuse.evaluation.ratings import fit_ratings
from affuse.evaluation.voice import Voices, fit_voice
from affuse.features.baseline import is_personal
from affuse.features.speakers import AMOUNTS
from affuse.features.store import Store
from affuse.metrics.calibration import Calibration, calibration
from affuse.metrics.temperature import best_temperature
from affuse.models.baselines.combined import Combined
from affuse.models.embedded import unpack_networks
from affuse.models.modelfile import ModelSpec, load_model, save_model
from affuse.tasks.judgement import PREDICTIONS_FILE
from affuse.tasks.registry import TASKS
from affuse.training.run import (
    MODEL_FILE,
    evaluation_folder,
    read_split,
    trained_folds,
)

#: Options of the models of one modality that the branches of the combined one take over.
_OPTIONS = ("pooling",)
#: Pairs of a voice and a face of the same emotion that both together are calibrated on.
_PAIRS = 20_000


@dataclass(frozen=True)
class Part:
    """One modality.

    Args:
        run: Folder that `train` made, of the model `audio-only` or `video-only`; its first trained
            fold is taken.
        predictions: Tables that `evaluate` wrote, of clips that the models that predicted them had
            not seen: by this run, or by others of the same recipe; each counts alike. Speakers whom
            this run is judged on are left out. By default those of its development clips.
    """

    run: Path
    predictions: Sequence[Path] = ()


@dataclass(frozen=True)
class Combination:
    """What came of it.

    Args:
        classes: That both parts know.
        calibration: `audio`, `video` and `both` -> scores after calibration, on what it was fitted
            on.
        temperatures: Of the same three.
        ratings: Name -> CCC in cross-validation, of the values read from the face.
        voices: How the voice is told from other sounds; None where it is not.
    """

    classes: list[str]
    calibration: dict[str, Calibration]
    temperatures: dict[str, float]
    ratings: dict[str, float]
    voices: Voices | None = None


def combine(
    audio: Part,
    video: Part,
    out: Path,
    rated: Path | None = None,
    sounds: Path | None = None,
    half: bool = False,
) -> Combination:
    """Write a model that decides from sound, images or both.

    Each part is calibrated by a temperature on its predictions. No recordings with both are needed:
    pairs of a voice and a face of the same emotion, drawn with a fixed seed, calibrate both
    together.

    Args:
        audio: The part that hears.
        video: The part that sees.
        out: The model file to write.
        rated: Store of a corpus with ratings of whole clips, such as valence and arousal, which are
            learned from the features of the images by linear regression.
        sounds: Store of a corpus of sounds in which nobody is heard: the model learns to tell them
            from the voices that the part that hears has learned from.
        half: Whether matrices and kernels are rounded to float16, for a smaller file.

    Raises:
        BadInput: A run or a table cannot be used.
        AffuseError: The parts share no more than one emotion.
    """
    parts = {"audio": _open(audio, "audio"), "video": _open(video, "video")}
    specs = {name: spec for name, (_, spec, _) in parts.items()}
    shared = shared_emotions(*(spec.outputs for spec in specs.values()))
    if len(shared) < 2:
        names = " and ".join(f"{', '.join(spec.outputs)}" for spec in specs.values())
        raise AffuseError(f"the models share too few emotions: {names}")
    joins = {name: [rows[k] for rows in shared.values()] for k, name in enumerate(parts)}
    shrinkage = _shrinkage(specs)
    tables = {
        name: read_held_back(_tables(part), part.run, specs[name], joins[name], parts[name][2])
        for name, part in (("audio", audio), ("video", video))
    }
    held = {name: (logits, true) for name, (logits, true, _) in tables.items()}
    baselines = {name: known for name, (_, _, known) in tables.items()}
    if baselines["audio"] != baselines["video"]:
        told = " and ".join(f"{name}: {known}" for name, known in baselines.items())
        raise AffuseError(f"the predictions are of different baselines ({told})")
    temperatures, scores, says = {}, {}, {}
    for name, (logits, true) in held.items():
        join = partial(_joined, joins=joins[name])
        temperatures[name] = best_temperature(logits, true, join)
        says[name] = join(logits / temperatures[name])
        scores[name] = calibration(np.exp(says[name]), true)
    prior = np.bincount(held["audio"][1], minlength=len(shared)) / len(held["audio"][1])
    rows, true = _pairs(held["audio"][1], held["video"][1], len(shared))
    product = says["audio"][rows["audio"]] + says["video"][rows["video"]] - np.log(prior)
    normalised = partial(log_softmax, axis=1)
    temperatures["both"] = best_temperature(product, true, normalised)
    scores["both"] = calibration(np.exp(normalised(product / temperatures["both"])), true)
    fitted = None if rated is None else fit_ratings(Store(rated), *parts["video"][:2])
    voices = None if sounds is None else fit_voice(Store(sounds), audio.run, *parts["audio"][:2])
    options = {
        **{
            name: {
                **_branch_options(spec, name),
                "classes": len(spec.outputs),
                "joins": joins[name],
                "temperature": temperatures[name],
            }
            for name, spec in specs.items()
        },
        "prior": [round(float(share), 6) for share in prior],
        "temperature": temperatures["both"],
        "ratings": [] if fitted is None else fitted.names,
        **({} if voices is None else {"voice": True}),
        **{key: x for key, x in specs["audio"].options.items() if key == "where" and x},
    }
    learned = {"ratings": fitted, "voice": voices}
    more = {name: one.facts for name, one in learned.items() if one is not None}
    spec = ModelSpec(
        model="combined",
        options=options,
        streams=specs["audio"].streams | specs["video"].streams,
        normalisation=specs["audio"].normalisation | specs["video"].normalisation,
        outputs=list(shared),
        window=specs["audio"].window,
        shrinkage=shrinkage,
        training=_facts(specs, scores, more, baselines["audio"]),
    )
    model = spec.build()
    assert isinstance(model, Combined)
    state = model.state_dict()
    for name, (own, _, _) in parts.items():
        state |= {k: x for k, x in own.state_dict().items() if k.startswith(f"{name}.")}
    if fitted is not None:
        state |= {"rate.weight": fitted.weight, "rate.bias": fitted.bias}
    if voices is not None:
        state |= {"voice.score.weight": voices.weight, "voice.score.bias": voices.bias}
    model.load_state_dict(state)
    recipes = [stream.recipe for stream in spec.streams.values()]
    digests = {recipe["weights"] for recipe in recipes if "weights" in recipe}
    with TemporaryDirectory(prefix="affuse-") as folder:
        networks: dict[str, Path] = {}
        for part in (audio, video):
            networks |= unpack_networks(_model_file(part), digests, Path(folder))
        save_model(out, model, spec, networks, half)
    ccc = {} if fitted is None else fitted.ccc
    return Combination(list(shared), scores, temperatures, ccc, voices)


def _open(part: Part, modality: str) -> tuple[Any, ModelSpec, set[str]]:
    """The model of a part, its spec, and the clips that it is judged on."""
    file = _model_file(part)
    model, spec = load_model(file)
    if spec.model != f"{modality}-only" or TASKS[spec.task].over_time:
        raise BadInput(part.run, f"holds a model {spec.model}; {modality}-only of classes is meant")
    if spec.calibration is not None:
        raise BadInput(file, "is calibrated already; combine calibrates its parts: train it anew")
    split = read_split(file.parent)
    return model, spec, set(split["test"] or split["development"])


def _model_file(part: Part) -> Path:
    return trained_folds(part.run)[0] / MODEL_FILE


def _tables(part: Part) -> list[Path]:
    own = evaluation_folder(part.run, "development") / PREDICTIONS_FILE
    return list(part.predictions) or [own]


def _branch_options(spec: ModelSpec, modality: str) -> dict[str, Any]:
    taken = {key: spec.options[key] for key in _OPTIONS if key in spec.options}
    frontend = spec.options.get(modality)
    return taken | ({} if frontend is None else {"frontend": frontend})


def _shrinkage(specs: Mapping[str, ModelSpec]) -> float | None:
    """k of `normalisation: speaker`, which parts whose streams are personal have in common."""
    told = {
        name: spec.shrinkage
        for name, spec in specs.items()
        if any(map(is_personal, spec.streams.values()))
    }
    if len(set(told.values())) > 1:
        ks = " and ".join(f"{name}: {k or 'none'}" for name, k in told.items())
        raise AffuseError(f"the models know people in different ways (shrinkage of {ks})")
    return next(iter(told.values()), None)


def _joined(logits: np.ndarray, joins: Sequence[Sequence[int]]) -> np.ndarray:
    """(N, own classes) -> log-probabilities (N, C), as `CalibratedEncoder` computes them."""
    columns = [np.logaddexp.reduce(logits[:, list(own)], axis=1) for own in joins]
    return np.asarray(log_softmax(np.stack(columns, 1), axis=1))


def _pairs(
    audio: np.ndarray, video: np.ndarray, classes: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Rows of voices and faces of one emotion each, in the shares that faces have."""
    random = np.random.default_rng(0)
    faces = random.integers(0, len(video), _PAIRS)
    true = video[faces]
    voices = np.zeros(_PAIRS, int)
    for k in range(classes):
        there = np.flatnonzero(true == k)
        voices[there] = random.choice(np.flatnonzero(audio == k), len(there))
    return {"audio": voices, "video": faces}, true


def _facts(
    specs: dict[str, ModelSpec],
    scores: dict[str, Calibration],
    more: Mapping[str, dict[str, Any]],
    baseline: str,
) -> dict[str, Any]:
    """What the model was trained on, for the record."""
    told = {name: spec.training for name, spec in specs.items()}
    licences = [f"{name}: {facts.get('licence')}" for name, facts in told.items()]
    return {
        "recipe": "combined",
        "corpus": " + ".join(str(facts.get("corpus")) for facts in told.values()),
        "licence": "; ".join([*licences, *(facts["licence"] for facts in more.values())]),
        "parts": told,
        "calibration": {name: asdict(x) for name, x in scores.items()},
        **({} if baseline == AMOUNTS["none"] else {"calibrated_with_baseline": baseline}),
        **{n: {k: x for k, x in facts.items() if k != "licence"} for n, facts in more.items()},
    }
