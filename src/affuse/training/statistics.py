"""Mean and deviation of the streams of training clips, by which inputs are standardised."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from affuse.errors import AffuseError
from affuse.features.baseline import evidence_of, is_personal, together
from affuse.features.batch import Normalisation, check_finite
from affuse.features.stream import StreamSpec
from affuse.training.data import ClipDataset


def training_statistics(dataset: ClipDataset, scalar: bool = False) -> dict[str, Normalisation]:
    """Mean and deviation over the present frames of training clips.

    Per feature or colour; the bands of a spectrum share one mean and one deviation, because their
    relative levels are what a voice sounds like. Scores stay as they are.

    Args:
        dataset: Windows of the training clips.
        scalar: One mean and one deviation for all features of a stream; images from -1 to 1.

    Raises:
        AffuseError: A stream has nothing present in any clip, or a number that is not finite.
    """
    sums = {name: np.zeros((3, spec.shape[-1])) for name, spec in dataset.specs.items()}
    for index in range(len(dataset)):
        streams, _, clip = dataset[index]
        for name, stream in streams.items():
            check_finite(stream, dataset.specs[name], clip)
            values = stream.values[stream.mask].reshape(-1, dataset.specs[name].shape[-1])
            values = values.astype(np.float64)
            sums[name] += [np.full(values.shape[1], len(values)), values.sum(0), (values**2).sum(0)]
    statistics = {}
    for name in sums:
        count, total, squares = sums[name]
        if count[0] == 0:
            raise AffuseError(f"no training clip has anything present in stream {name}")
        if scalar and dataset.specs[name].is_picture:
            statistics[name] = Normalisation((127.5,), (127.5,))
            continue
        if dataset.specs[name].kind == "scores":
            statistics[name] = Normalisation()
            continue
        if scalar or dataset.specs[name].kind in ("spectrum", "maps"):
            count, total, squares = (np.full_like(part, part.sum()) for part in sums[name])
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        std[std < 1e-6 * np.maximum(np.abs(mean), 1)] = 1.0
        statistics[name] = Normalisation(tuple(mean.tolist()), tuple(std.tolist()))
    return statistics


def whole_statistics(dataset: ClipDataset) -> dict[str, Normalisation]:
    """Mean and deviation over the present frames of whole training clips, as of a person's.

    Of every value of a frame by itself; those of images and scores are as `training_statistics`
    gives them.

    Args:
        dataset: Windows of the training clips.

    Raises:
        AffuseError: A stream has nothing present in any clip, or a number that is not finite.
    """
    others = not all(map(is_personal, dataset.specs.values()))
    statistics = training_statistics(dataset) if others else {}
    known = together(
        evidence_of({n: file[clip] for n, file in dataset.files.items()}, dataset.specs, clip)
        for clip in dict.fromkeys(clip for clip, _ in dataset.windows)
    )
    statistics |= {name: evidence.normalisation() for name, evidence in known.items()}
    if missing := dataset.specs.keys() - statistics.keys():
        raise AffuseError(f"no training clip has anything present in stream {min(missing)}")
    return {name: statistics[name] for name in dataset.specs}


def normalisation_of(dataset: ClipDataset, kind: str) -> dict[str, Normalisation]:
    """The statistics that a recipe's `normalisation` names, but for `init`.

    Args:
        dataset: Windows of the training clips.
        kind: `standard`, `video`, `scalar`, `speaker` or `published`, as in `Recipe`.
    """
    if kind == "published":
        return published_normalisation(dataset.specs)
    if kind == "speaker":
        return whole_statistics(dataset)
    statistics = training_statistics(dataset, kind == "scalar")
    if kind == "video":
        sound = [name for name in statistics if name.startswith("audio/")]
        statistics |= dict.fromkeys(sound, Normalisation())
    return statistics


def published_normalisation(specs: Mapping[str, StreamSpec]) -> dict[str, Normalisation]:
    """Images divided by 255, everything else as it is."""
    return {
        name: Normalisation(std=(255.0,)) if spec.is_picture else Normalisation()
        for name, spec in specs.items()
    }
