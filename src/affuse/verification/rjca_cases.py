"""Parity of the joint attention models, and of TSAV, whose features they fuse."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from affuse.features.batch import Batch
from affuse.models.backbones.tsav import FEATURES, R2Plus1D
from affuse.models.base import Model, Output
from affuse.models.checkpoints import import_state
from affuse.models.entries import load_exactly
from affuse.models.layers.joint_attention import CoAttention
from affuse.models.systems.renaming import inverse, translate
from affuse.models.systems.rjca import published as rjca
from affuse.models.systems.tsav import published as tsav
from affuse.models.systems.tsav.model import TwoStreamAuralVisual
from affuse.verification.intermediates import (
    intermediates_of,
    our_names,
    place_error,
    recorded,
)
from affuse.verification.model_cases import (
    VALUES,
    Inputs,
    check_model,
    check_taken,
    compared,
    drawn,
    everything_present,
    filled_weights,
    full_precision,
    names_and_sizes,
    numbered,
)
from affuse.verification.parity import Case, Measure

#: Entry of TSAV with a row for each class, and for what it answers beside them.
CLASSIFIER = "fc.1.bias"


def check_rjca(case: Case) -> Iterator[Measure]:
    """Recursive joint attention and joint cross-attention, as released."""

    def batch(model: Model, inputs: Inputs) -> Batch:
        audio, video = model.streams.values()
        maps = inputs["visual"].unflatten(-1, video.shape)
        return everything_present({audio.name: inputs["audio"], video.name: maps})

    def read(output: Output) -> dict[str, Tensor]:
        return dict(zip(rjca.DIMENSIONS, output.values.unbind(-1), strict=True))

    yield from check_model(case, batch, read, system="rjca", stride=1)


def check_paper_formula(case: Case) -> Iterator[Measure]:
    """The formula of the paper; the published code computes one sequence after another."""
    inputs, weights = drawn(case, case.content["inputs"]), filled_weights(case)
    model, _ = import_state("rjca", case.path, weights, stride=1)
    yield from names_and_sizes(model, case.content)
    model.to(case.device)
    renaming = rjca.rules(model)
    assert renaming is not None
    places = intermediates_of(case.content, weights)
    audio, video = model.streams
    batch = everything_present({audio: inputs["audio"], video: inputs["visual"]})
    check_taken(case, inputs)
    with torch.no_grad(), recorded(model, our_names(model, places, renaming)) as values:
        found = model(batch).values.split(1, -1)
    yield from compared(dict(zip(rjca.DIMENSIONS, found, strict=True)), case.content["outputs"])
    for name, place in places.items():
        expected, (together,) = case.content["intermediates"][name], values[place.module]
        calls = [together] if list(together.shape) == expected["shape"] else [*together]
        yield name, place_error(place, calls, expected), VALUES


def check_coattention(case: Case) -> Iterator[Measure]:
    """The stack of co-attention layers alone."""
    inputs, content = drawn(case, case.content["inputs"]), case.content
    config = content["config"]
    layers = config["num_seq"]
    width = inputs["audio"].shape[-1]
    stack = CoAttention(layers, width, config["sequence"], 0.0).eval()
    renaming, weights = rjca.coattention(layers), filled_weights(case)
    state = {str(translate(name, renaming)): x for name, x in weights.items()}
    load_exactly(case.path, stack, state)
    back = {str(translate(name, inverse(renaming))): x for name, x in stack.state_dict().items()}
    yield from names_and_sizes(stack, content, back)
    stack.to(case.device)
    places = intermediates_of(content, weights)
    renaming = [*renaming, *((f"dcn_layers.{n}", f"layers.{n}") for n in range(layers))]
    mask = torch.ones(inputs["audio"].shape[:2], dtype=torch.bool, device=case.device)
    with torch.no_grad(), recorded(stack, our_names(stack, places, renaming)) as values:
        visual, audio = stack(inputs["visual"], inputs["audio"], mask)
    check_taken(case, inputs)
    yield from compared({"visual": visual, "audio": audio}, content["outputs"])
    for name, place in places.items():
        expected = content["intermediates"][name]
        yield name, place_error(place, values[place.module], expected), VALUES


def check_tsav(case: Case) -> Iterator[Measure]:
    """Both networks of TSAV with its answer; or as the joint attention models use them."""
    inputs, content, weights = (
        drawn(case, case.content["inputs"]),
        case.content,
        filled_weights(case),
    )
    options = {}
    if CLASSIFIER in weights:
        options["classes"] = numbered(len(weights[CLASSIFIER]) - sum(tsav.TASKS.values()))
    model, _ = import_state("tsav", case.path, weights, **options)
    assert isinstance(model, TwoStreamAuralVisual)
    yield from names_and_sizes(model, content)
    renaming = tsav.rules(model)
    assert renaming is not None
    if content["config"]["layout"] == "rjca":
        maps = R2Plus1D(3, pooled=False)
        maps.load_state_dict(tsav.three_channels(model.video.state_dict()))
        model.video = maps.eval()
    model.to(case.device)
    places = intermediates_of(content, weights)
    with (
        full_precision(),
        torch.no_grad(),
        recorded(model, our_names(model, places, renaming)) as values,
    ):
        audio, video = model.audio(inputs["audio"]), model.video(inputs["clip"]).flatten(1)
        found = {"audio": audio, "video": video}
        if video.shape[1] == FEATURES:
            found["logits"] = model.classifier(torch.cat((audio, video), 1))
    check_taken(case, inputs)
    yield from compared(found, content["outputs"])
    for name, place in places.items():
        expected = content["intermediates"][name]
        yield name, place_error(place, values[place.module], expected), VALUES
