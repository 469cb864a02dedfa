"""Parity of models: outputs, intermediate values, loss, gradients, names and sizes of weights.

The cases were made in evaluation mode. A step in training mode is compared with the same step in 64
bits, in which nothing is left to the order of sums.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.metrics.concordance import ccc_loss, ccc_window_loss
from affuse.models.base import Model, Output
from affuse.models.checkpoints import import_state, published_state_dict, system_module
from affuse.models.published.names import inverse, translate
from affuse.verification.parity import Case, Measure

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
    yield from check_model(case, batch, class_scores, arrange=arrange, **options)


def check_efficientface(case: Case) -> Iterator[Measure]:
    """EfficientFace alone, every picture a clip of one frame."""

    def batch(model: Model, inputs: Inputs) -> Batch:
        (name,) = model.streams
        return everything_present({name: inputs["images"].unsqueeze(1)})

    yield from check_model(case, batch, class_scores)


def class_scores(output: Output) -> dict[str, Tensor]:
    """The one output of a classifier."""
    return {"logits": output.logits}


def check_model(
    case: Case,
    make_batch: Callable[[Model, Inputs], Batch],
    read: Callable[[Output], dict[str, Tensor]],
    arrange: Callable[[str, Tensor], Tensor] = lambda name, x: x,
    system: str | None = None,
    **options: Any,
) -> Iterator[Measure]:
    """All quantities of a case of a published system.

    Args:
        case: The case.
        make_batch: Model and inputs -> normalised batch.
        read: Output -> published name of an output -> value.
        arrange: Published name of an intermediate and our value -> the published axes.
        system: The system; the case's `model` by default.
        options: What the weights do not tell.

    Yields:
        Quantity, error, tolerance.
    """
    content = case.content
    system = system or case.system
    model, _ = import_state(system, case.path, filled_weights(case), **options)
    rules = system_module(system).rules(model)
    yield from names_and_sizes(model, content)

    model.to(case.device)
    batch = make_batch(model, drawn(case, content["inputs"]))
    step = content.get("train_step")
    separate = {module_of(name) for name in content["intermediates"] if ".call" in name}
    modules = {module_of(n): str(translate(module_of(n), rules)) for n in content["intermediates"]}
    # cuDNN has no gradients of recurrent layers in evaluation mode.
    recurrent = any(isinstance(part, nn.RNNBase) for part in model.modules())
    with full_precision(step is None or not recurrent), torch.set_grad_enabled(step is not None):
        with recorded(model, modules) as values:
            outputs = read(model(batch))
        if step is not None:
            loss = _loss(case, step, outputs)
            loss.backward()
    for name, expected in content["outputs"].items():
        yield name, tensor_error(outputs[name], expected), VALUES
    for name, expected in content["intermediates"].items():
        module = module_of(name)
        found = value_of(name, values[module], module in separate)
        yield name, tensor_error(arrange(module, found), expected), VALUES
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


def drawn(case: Case, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Inputs or targets that a case describes, on its device."""
    values = case.fill.inputs(inputs)
    return {name: torch.from_numpy(x).to(case.device) for name, x in values.items()}


def filled_weights(case: Case) -> dict[str, Tensor]:
    """The weights of a case: published entry -> value."""
    listing = case.path.parent / case.content["listing"]
    values = case.fill.fill_listing(listing, case.content["seed"])
    return {name: torch.from_numpy(value) for name, value in values.items()}


def module_of(intermediate: str) -> str:
    """The module that an intermediate comes from; see `value_of`."""
    parent, _, last = intermediate.rpartition(".")
    return (
        parent
        if last.startswith("call") or (last.isdigit() and "." not in parent)
        else intermediate
    )


def value_of(intermediate: str, calls: list[Any], separate: bool) -> Tensor:
    """An intermediate among what its module returned.

    Args:
        intermediate: `x`, `x.call2` (the second further call of x) or `x.0` (the first item of
            the tuple that x returns).
        calls: What the module returned, call by call.
        separate: Whether the case tells calls apart; otherwise they are parts of one, such as
            pictures that pass a network in several chunks.
    """
    last = intermediate.rpartition(".")[2]
    if module_of(intermediate) == intermediate:
        return torch.cat([_first(call) for call in (calls[:1] if separate else calls)])
    if last.startswith("call"):
        return _first(calls[int(last.removeprefix("call"))])
    item: Tensor = calls[0][int(last)]
    return item


def _first(value: Any) -> Tensor:
    first: Tensor = value[0] if isinstance(value, tuple) else value
    return first


def _loss(case: Case, step: Mapping[str, Any], outputs: Mapping[str, Tensor]) -> Tensor:
    """The loss that a case names; its targets are classes, or drawn as inputs are."""
    targets = drawn(case, {name: x for name, x in step["targets"].items() if name != "class"})
    if step["loss_name"] == "ccc_flat":
        return torch.stack([ccc_loss(outputs[n], y) for n, y in targets.items()]).sum()
    if step["loss_name"] == "ccc_windows":
        return ccc_window_loss(outputs["y"], targets["y"])
    classes = torch.tensor(step["targets"]["class"], device=case.device)
    return torch.stack([F.cross_entropy(x, classes) for x in outputs.values()]).mean()


def names_and_sizes(model: nn.Module, content: Mapping[str, Any]) -> Iterator[Measure]:
    """Number of parameters; names and shapes of the weights that would be written back."""
    count = sum(p.numel() for p in model.parameters())
    yield "number of parameters", float(abs(count - content["parameters"])), 0.0
    state = published_state_dict(model)
    lines = "\n".join(sorted(f"{name} {tuple(x.shape)}" for name, x in state.items()))
    same = hashlib.sha256(lines.encode()).hexdigest() == content["state_dict_sha"]
    yield "names and shapes of weights", float(not same), 0.0


@contextmanager
def recorded(model: nn.Module, names: Mapping[str, str]) -> Iterator[dict[str, list[Any]]]:
    """Collect what modules return while the block runs.

    Args:
        model: The model.
        names: Key -> name of a module.

    Yields:
        Key -> the result of every call.
    """
    values: dict[str, list[Any]] = {key: [] for key in names}

    def keep(key: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, result: Any) -> None:
            several = isinstance(result, tuple)
            kept = tuple(x.detach().clone() for x in (result if several else (result,)))
            values[key].append(kept if several else kept[0])

        return hook

    handles = [
        model.get_submodule(name).register_forward_hook(keep(key)) for key, name in names.items()
    ]
    try:
        yield values
    finally:
        for handle in handles:
            handle.remove()


def tensor_error(found: Tensor, expected: Mapping[str, Any]) -> float:
    """Largest difference over the listed values relative to the largest of them, or of the norm.

    Args:
        found: What was computed.
        expected: A tensor as a case summarises it.

    Returns:
        The error; infinite where the shape differs.
    """
    if list(found.shape) != expected["shape"]:
        return float("inf")
    flat = found.detach().double().cpu().flatten()
    if not flat.isfinite().all():
        return float("inf")
    if "values" in expected:
        listed, values = flat, expected["values"]
    else:
        listed = flat[[index for index, _ in expected["probe"]]]
        values = [value for _, value in expected["probe"]]
    target = torch.tensor(values, dtype=torch.float64)
    worst = ((listed - target).abs().max() / target.abs().max()).item()
    return max(worst, abs(flat.norm().item() - expected["l2"]) / expected["l2"])
