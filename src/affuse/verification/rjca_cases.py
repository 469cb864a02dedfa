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
from affuse.models.published import rjca, tsav
from affuse.models.published.names import translate
from affuse.models.tsav import TwoStreamAuralVisual
from affuse.verification.model_cases import (
    VALUES,
    Inputs,
    check_model,
    drawn,
    everything_present,
    filled_weights,
    full_precision,
    names_and_sizes,
    recorded,
    tensor_error,
    value_of,
)
from affuse.verification.parity import Case, Measure


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
    inputs = drawn(case, case.content["inputs"])
    model, _ = import_state("rjca", case.path, filled_weights(case), stride=1)
    yield from names_and_sizes(model, case.content)
    model.to(case.device)
    expected = case.content["intermediates"]
    modules = {name.removesuffix(".call1") for name in expected}
    renaming = rjca.rules(model)
    assert renaming is not None
    names = {name: str(translate(name, renaming)) for name in modules}
    audio, video = model.streams
    batch = everything_present({audio: inputs["audio"], video: inputs["visual"]})
    with torch.no_grad(), recorded(model, names) as values:
        found = model(batch).values.split(1, -1)
    for name, value in zip(rjca.DIMENSIONS, found, strict=True):
        yield name, tensor_error(value, case.content["outputs"][name]), VALUES
    for name, summary in expected.items():
        row = int(name.endswith(".call1"))
        (together,) = values[name.removesuffix(".call1")]
        yield name, tensor_error(together[row], summary), VALUES


def check_coattention(case: Case) -> Iterator[Measure]:
    """The stack of co-attention layers alone."""
    inputs, content = drawn(case, case.content["inputs"]), case.content
    config = content["config"]
    layers = config["num_seq"]
    width = inputs["audio"].shape[-1]
    stack = CoAttention(layers, width, config["sequence"], 0.0).eval()
    renaming = rjca.coattention(layers)
    state = {str(translate(name, renaming)): x for name, x in filled_weights(case).items()}
    load_exactly(case.path, stack, state)
    count = sum(p.numel() for p in stack.parameters())
    yield "number of parameters", float(abs(count - content["parameters"])), 0.0
    stack.to(case.device)
    names = {name: str(translate(name, renaming)) for name in content["intermediates"]}
    mask = torch.ones(inputs["audio"].shape[:2], dtype=torch.bool, device=case.device)
    with torch.no_grad(), recorded(stack, names) as values:
        visual, audio = stack(inputs["visual"], inputs["audio"], mask)
    for name, value in (("visual", visual), ("audio", audio)):
        yield name, tensor_error(value, content["outputs"][name]), VALUES
    for name, summary in content["intermediates"].items():
        yield name, tensor_error(value_of(name, values[name], False), summary), VALUES


def check_tsav(case: Case) -> Iterator[Measure]:
    """Both networks of TSAV with its answer; or as the joint attention models use them."""
    inputs, content = drawn(case, case.content["inputs"]), case.content
    classes = [str(number) for number in range(7)]
    model, _ = import_state("tsav", case.path, filled_weights(case), classes=classes)
    assert isinstance(model, TwoStreamAuralVisual)
    yield from names_and_sizes(model, content)
    renaming = tsav.rules(model)
    assert renaming is not None
    if content["config"]["layout"] == "rjca":
        maps = R2Plus1D(3, pooled=False)
        maps.load_state_dict(tsav.three_channels(model.video.state_dict()))
        model.video = maps.eval()
    model.to(case.device)
    names = {name: str(translate(name, renaming)) for name in content["intermediates"]}
    with full_precision(), torch.no_grad(), recorded(model, names) as values:
        audio, video = model.audio(inputs["audio"]), model.video(inputs["clip"]).flatten(1)
        found = {"audio": audio, "video": video}
        if video.shape[1] == FEATURES:
            found["logits"] = model.classifier(torch.cat((audio, video), 1))
    for name, summary in content["outputs"].items():
        yield name, tensor_error(found[name], summary), VALUES
    for name, summary in content["intermediates"].items():
        yield name, tensor_error(value_of(name, values[name], False), summary), VALUES
