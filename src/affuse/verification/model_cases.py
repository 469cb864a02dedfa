"""Parity of models: outputs, intermediate values, loss, gradients, names and sizes of weights.

The cases were made in evaluation mode. A step in training mode is compared with the same step in 64
bits, in which nothing is left to the order of sums.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import BadInput
from affuse.features.batch import Batch
from affuse.metrics.concordance import ccc_loss, ccc_window_loss
from affuse.models.base import Model, Output
from affuse.models.checkpoints import import_state, published_state_dict, system_module
from affuse.models.systems.renaming import inverse, translate
from affuse.verification.intermediates import (
    intermediates_of,
    our_names,
    place_error,
    recorded,
    tensor_error,
)
from affuse.verification.parity import Case, Measure
from affuse.verification.reading import Content

VALUES = 1e-4  # relative to the largest value
GRADIENTS = 5e-3  # ReLU and max-pooling switch on ties
#: Of a step in training mode, relative to that in 64 bits. The statistics of one or two clips
#: magnify what 32 bits round off: in the plain layout of memory up to 1.8e-2.
TRAINING_GRADIENT = 3e-2


Inputs = Mapping[str, Tensor]


def everything_present(streams: dict[str, Tensor]) -> Batch:
    """A batch of streams (B, T, ...) without anything absent."""
    masks = {name: x.new_ones(x.shape[:2], dtype=torch.bool) for name, x in streams.items()}
    return Batch(streams, masks)


def check_chumachenko(case: Case) -> Iterator[Measure]:
    """The three fusions, with one and four heads; and AVT-CA, which has eight."""
    config = case.content["config"]

    def batch(model: Model, inputs: Inputs) -> Batch:
        audio, video = model.streams
        pictures = inputs["video"].unflatten(0, (-1, config["seq_length"]))
        return everything_present({audio: inputs["audio"].transpose(1, 2), video: pictures})

    def arrange(name: str, x: Tensor) -> Tensor:
        return x.transpose(0, 1) if name.startswith("finalAttention") else x

    options = {} if case.system == "avtca" else {"heads": config["num_heads"]}
    yield from check_model(
        case, batch, class_scores, arrange=arrange, classifier="classifier_1.0.bias", **options
    )


def check_efficientface(case: Case) -> Iterator[Measure]:
    """EfficientFace alone, every image a clip of one frame."""

    def batch(model: Model, inputs: Inputs) -> Batch:
        (name,) = model.streams
        return everything_present({name: inputs["images"].unsqueeze(1)})

    yield from check_model(case, batch, class_scores, classifier="fc.bias")


def class_scores(output: Output) -> dict[str, Tensor]:
    """The one output of a classifier."""
    return {"logits": output.logits}


def check_model(
    case: Case,
    make_batch: Callable[[Model, Inputs], Batch],
    read: Callable[[Output], dict[str, Tensor]],
    arrange: Callable[[str, Tensor], Tensor] = lambda name, x: x,
    system: str | None = None,
    classifier: str | None = None,
    **options: Any,
) -> Iterator[Measure]:
    """All quantities of a case of a published system.

    Args:
        case: The case.
        make_batch: Model and inputs -> normalised batch.
        read: Output -> published name of an output -> value.
        arrange: Published name of a module and our value -> the published axes.
        system: The system; the case's `model` by default.
        classifier: Published entry with a row for each class; None for a model without classes.
            Their number is that of the weights; they need no names here.
        options: Settings not stored in the checkpoint.

    Yields:
        Quantity, error, tolerance.
    """
    content = case.content
    system = system or case.system
    weights = filled_weights(case)
    if classifier in weights:
        options["classes"] = numbered(len(weights[classifier]))
    model, spec = import_state(system, case.path, weights, **options)
    rules = system_module(system).rules(model)
    yield from names_and_sizes(model, content)
    if classifier in weights:
        yield from number_of_classes(len(spec.outputs), content["config"])

    model.to(case.device)
    inputs = drawn(case, content["inputs"])
    batch = make_batch(model, inputs)
    check_taken(case, inputs)
    step = content.get("train_step")
    places = intermediates_of(content, weights)
    # cuDNN has no gradients of recurrent layers in evaluation mode.
    recurrent = any(isinstance(part, nn.RNNBase) for part in model.modules())
    with full_precision(step is None or not recurrent), torch.set_grad_enabled(step is not None):
        with recorded(model, our_names(model, places, rules)) as values:
            outputs = read(model(batch))
        if step is not None:
            loss = _loss(case, step, outputs)
            loss.backward()
    yield from compared(outputs, content["outputs"])
    for name, place in places.items():
        expected = content["intermediates"][name]
        yield name, place_error(place, values[place.module], expected, arrange), VALUES
    if step is not None:
        yield "loss", abs(loss.item() - step["loss"]) / abs(step["loss"]), VALUES
        back = inverse(rules)
        gradients = {translate(n, back): p.grad for n, p in model.named_parameters()}
        for name, norm in step["grad_l2"].items():
            value = gradients[name]
            size = 0.0 if value is None else value.norm().item()
            yield f"gradient of {name}", abs(size - norm) / norm, GRADIENTS
        yield from training_mode(model, batch, lambda output: _loss(case, step, read(output)))


def training_mode(
    model: Model, batch: Batch, loss_of: Callable[[Output], Tensor]
) -> Iterator[Measure]:
    """Loss and gradient of a step with the statistics of the batch, beside those in 64 bits.

    Nothing is dropped: a GPU draws otherwise for another type. A model without batch normalisation
    does nothing else in training than in evaluation, and yields nothing.
    """
    if not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules()):
        return
    found = []
    for dtype in (torch.float64, torch.float32):
        own = copy.deepcopy(model).to(dtype).train()
        for part in own.modules():
            if isinstance(part, nn.modules.dropout._DropoutNd):
                part.eval()
        own.zero_grad()
        streams = {name: x.to(dtype) for name, x in batch.streams.items()}
        with full_precision():
            loss = loss_of(own(replace(batch, streams=streams)))
            loss.backward()
        gradient = [p.grad.flatten().double() for p in own.parameters() if p.grad is not None]
        found.append((loss.item(), torch.cat(gradient)))
    (exact, wanted), (value, gradient_found) = found
    yield "loss in training mode", abs(value - exact) / abs(exact), VALUES
    error = (gradient_found - wanted).norm() / wanted.norm()
    yield "gradient in training mode", error.item(), TRAINING_GRADIENT


def full_precision(cudnn: bool = True) -> AbstractContextManager[Any]:
    """On a GPU convolutions are rounded to 10 bits (TF32) unless told otherwise.

    Args:
        cudnn: Whether cuDNN computes at all.
    """
    flags: AbstractContextManager[Any] = torch.backends.cudnn.flags(enabled=cudnn, allow_tf32=False)
    return flags


def drawn(case: Case, inputs: Mapping[str, Any]) -> Content:
    """Inputs or targets that a case describes, on its device."""
    for item in inputs.values():  # what a rule knows, whether it needs it or not
        for key in ("shape", "dist", "seed", "lengths"):
            item.get(key)
    values = case.fill.inputs(inputs)
    return Content({name: torch.from_numpy(x).to(case.device) for name, x in values.items()})


def check_taken(case: Case, inputs: Content) -> None:
    """Raise a `BadInput` where the model has not taken one of the inputs."""
    if extra := inputs.unread():
        raise BadInput(case.path, f"has inputs that {case.system} does not take: {extra[0]}")


def filled_weights(case: Case) -> dict[str, Tensor]:
    """The weights of a case: published entry -> value."""
    listing = case.path.parent / case.content["listing"]
    values = case.fill.fill_listing(listing, case.content["seed"])
    return {name: torch.from_numpy(value) for name, value in values.items()}


def _loss(case: Case, step: Mapping[str, Any], outputs: Mapping[str, Tensor]) -> Tensor:
    """The loss that a case names; its targets are classes, or drawn as inputs are."""
    name = step["loss_name"]
    targets = drawn(case, {name: x for name, x in step["targets"].items() if name != "class"})
    if name == "ccc_flat":
        return torch.stack([ccc_loss(outputs[n], y) for n, y in targets.items()]).sum()
    if name == "ccc_windows":
        return ccc_window_loss(outputs["y"], targets["y"])
    if name not in ("cross_entropy", "mean_cross_entropy"):
        raise BadInput(case.path, f"train_step.loss_name: {name!r} is not known")
    classes = torch.tensor(step["targets"]["class"], device=case.device)
    return torch.stack([F.cross_entropy(x, classes) for x in outputs.values()]).mean()


def numbered(count: int) -> list[str]:
    """Names for classes that have none."""
    return [str(number) for number in range(count)]


def number_of_classes(count: int, config: Mapping[str, Any]) -> Iterator[Measure]:
    """The classes of the weights beside those of the configuration, where it tells them."""
    for key in ("num_classes", "output_dim"):
        if key in config:
            yield "number of classes", float(abs(count - config[key])), 0.0


def compared(found: Mapping[str, Tensor], expected: Mapping[str, Any]) -> Iterator[Measure]:
    """The outputs that a case lists; one that the model does not have is infinitely far away."""
    for name, summary in expected.items():
        error = tensor_error(found[name], summary) if name in found else float("inf")
        yield name, error, VALUES


def names_and_sizes(
    model: nn.Module, content: Mapping[str, Any], state: Mapping[str, Tensor] | None = None
) -> Iterator[Measure]:
    """Number of parameters; names and shapes of the weights that would be written back.

    Args:
        model: The model.
        content: The case.
        state: What would be written back; by default as `published_state_dict` says.
    """
    count = sum(p.numel() for p in model.parameters())
    yield "number of parameters", float(abs(count - content["parameters"])), 0.0
    state = published_state_dict(model) if state is None else state
    lines = "\n".join(sorted(f"{name} {tuple(x.shape)}" for name, x in state.items()))
    same = hashlib.sha256(lines.encode()).hexdigest() == content["state_dict_sha"]
    yield "names and shapes of weights", float(not same), 0.0
