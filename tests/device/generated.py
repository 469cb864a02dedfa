"""A batch of noise with the streams and targets that a recipe's model learns from."""

from __future__ import annotations

import torch
from torch import Tensor

from affuse.errors import AffuseError
from affuse.features.batch import TARGET_RATE, Batch, Normalisation
from affuse.features.catalogue import create_extractor
from affuse.features.stream import StreamSpec
from affuse.training.recipe import Recipe

#: Streams that are imported or computed with weights: rate and shape.
_IMPORTED: dict[str, tuple[float, tuple[int, ...]]] = {
    "audio/wav2vec2": (50.0, (1024,)),
    "audio/vggish": (30.0, (128,)),
    "audio/vggish-published": (30.0, (128,)),
    "audio/frozen-voice": (25.0, (128,)),
    "audio/tsav": (3.75, (512,)),
    "audio/tsav-published": (30.0, (512,)),
    "audio/scores-wav2vec2": (0.0, (8,)),
    "audio/whisper-base-layers2": (50.0, (3, 512)),
    "audio/whisper-base-layers4": (50.0, (5, 512)),
    "video/emoca50": (30.0, (50,)),
    "video/frozen-face": (30.0, (128,)),
    "video/ir50": (30.0, (512,)),
    "video/openface": (30.0, (35,)),
    "video/scores-bilstm": (0.0, (8,)),
    "video/tsav": (3.75, (512,)),
    "video/tsav-published": (30.0, (512,)),
}
_CLASSES = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def outputs_of(recipe: Recipe) -> tuple[str, ...]:
    """Names of classes or dimensions."""
    return ("valence", "arousal") if recipe.task == "valence-arousal" else _CLASSES


def specs_of(recipe: Recipe) -> dict[str, StreamSpec]:
    """The specs of its streams."""
    return {name: _spec(name) for name in recipe.streams}


def _spec(name: str) -> StreamSpec:
    try:
        return create_extractor(name).spec
    except AffuseError:
        rate, shape = _IMPORTED[name]
    if "scores" in name:
        return StreamSpec(name, rate, shape, kind="scores")
    facts = {"extractor": "whisper"} if "whisper" in name else {}
    return StreamSpec(name, rate, shape, "float16" if facts else "float32", facts)


def statistics_of(specs: dict[str, StreamSpec]) -> dict[str, Normalisation]:
    """Those of the noise."""
    pictures = Normalisation((127.5,) * 3, (74.0,) * 3)
    return {name: pictures if x.is_picture else Normalisation() for name, x in specs.items()}


def batch_of(recipe: Recipe, specs: dict[str, StreamSpec], clips: int) -> Batch:
    """Everything present, as long as the recipe's window."""
    generator = torch.Generator().manual_seed(0)
    streams, masks = {}, {}
    for name, spec in specs.items():
        shape = (clips, max(1, round(recipe.window * spec.rate)), *spec.shape)
        if spec.is_picture:
            x = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        else:
            x = torch.randn(shape, generator=generator)
        streams[name] = x.softmax(-1) if spec.kind == "scores" else x
        masks[name] = torch.ones(shape[:2], dtype=torch.bool)
    ids = [str(number) for number in range(clips)]
    kinds = {name: spec.kind for name, spec in specs.items()}
    return Batch(streams, masks, _targets(recipe, clips, generator), ids, kinds)


def _targets(recipe: Recipe, clips: int, generator: torch.Generator) -> Tensor:
    if recipe.task == "valence-arousal":
        frames = round(recipe.window * TARGET_RATE)
        return torch.rand(clips, frames, 2, generator=generator) * 2 - 1
    classes = len(_CLASSES)
    if recipe.task == "distribution":
        return torch.rand(clips, classes, generator=generator).softmax(1)
    return torch.randint(0, classes, (clips,), generator=generator)
