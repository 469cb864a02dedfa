"""Parity of models: outputs, intermediate values, loss, gradients, names and sizes of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.models.base import Model
from affuse.models.checkpoints import import_state, published_state_dict, system_module
from affuse.models.published.names import inverse, translate
from affuse.verification.parity import Case, Measure

VALUES = 1e-4  # relative to the largest value
GRADIENTS = 5e-3  # ReLU and max-pooling switch on ties


def check_chumachenko(case: Case) -> Iterator[Measure]:
    """The three fusions, with one and four heads."""
    heads = case.content["config"]["num_heads"]
    frames = case.content["config"]["seq_length"]

    def batch(model: Model, inputs: Mapping[str, Tensor]) -> Batch:
        audio, video = model.streams
        streams = {
            audio: inputs["audio"].transpose(1, 2),
            video: inputs["video"].unflatten(0, (-1, frames)),
        }
        masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in streams.items()}
        return Batch(streams, masks)

    yield from _check(case, batch, heads=heads)


def check_efficientface(case: Case) -> Iterator[Measure]:
    """EfficientFace alone, every picture a clip of one frame."""

    def batch(model: Model, inputs: Mapping[str, Tensor]) -> Batch:
        (name,) = model.streams
        images = inputs["images"]
        return Batch({name: images.unsqueeze(1)}, {name: torch.ones(len(images), 1).bool()})

    yield from _check(case, batch)


def _check(
    case: Case, make_batch: Callable[[Model, Mapping[str, Tensor]], Batch], **options: Any
) -> Iterator[Measure]:
    """All quantities of a case of a system that classifies clips."""
    content = case.content
    listing = case.path.parent / content["listing"]
    weights = {
        name: torch.from_numpy(value)
        for name, value in case.fill.fill_listing(listing, content["seed"]).items()
    }
    model, _ = import_state(content["model"], case.path, weights, **options)
    rules = system_module(content["model"]).rules(model)
    yield from _names_and_sizes(model, content)

    inputs = {name: torch.from_numpy(x) for name, x in case.fill.inputs(content["inputs"]).items()}
    batch = make_batch(model, inputs).to(case.device)
    model.to(case.device)
    step = content.get("train_step")
    names = {name: str(translate(name, rules)) for name in content["intermediates"]}
    # On a GPU convolutions are rounded to 10 bits (TF32) unless told otherwise.
    full_precision = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with full_precision, recorded(model, names) as values, torch.set_grad_enabled(step is not None):
        logits = model(batch).logits
    yield "logits", tensor_error(logits, content["outputs"]["logits"]), VALUES
    for name, expected in content["intermediates"].items():
        yield name, tensor_error(torch.cat(values[name]), expected), VALUES
    if step is not None:
        targets = torch.tensor(step["targets"]["class"], device=case.device)
        loss = F.cross_entropy(logits, targets)
        loss.backward()
        yield "loss", abs(loss.item() - step["loss"]) / abs(step["loss"]), VALUES
        back = inverse(rules)
        gradients = {translate(n, back): p.grad for n, p in model.named_parameters()}
        for name, norm in step["grad_l2"].items():
            value = gradients[name]
            found = 0.0 if value is None else value.norm().item()
            yield f"gradient of {name}", abs(found - norm) / norm, GRADIENTS


def _names_and_sizes(model: nn.Module, content: Mapping[str, Any]) -> Iterator[Measure]:
    count = sum(p.numel() for p in model.parameters())
    yield "number of parameters", float(abs(count - content["parameters"])), 0.0
    state = published_state_dict(model)
    lines = "\n".join(sorted(f"{name} {tuple(x.shape)}" for name, x in state.items()))
    same = hashlib.sha256(lines.encode()).hexdigest() == content["state_dict_sha"]
    yield "names and shapes of weights", float(not same), 0.0


@contextmanager
def recorded(model: nn.Module, names: Mapping[str, str]) -> Iterator[dict[str, list[Tensor]]]:
    """Collect what modules return while the block runs.

    Args:
        model: The model.
        names: Key -> name of a module.

    Yields:
        Key -> the result of every call (the first item where it is several).
    """
    values: dict[str, list[Tensor]] = {key: [] for key in names}

    def keep(key: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, result: Any) -> None:
            first = result[0] if isinstance(result, tuple) else result
            values[key].append(first.detach().clone())

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
    if "values" in expected:
        listed, values = flat, expected["values"]
    else:
        listed = flat[[index for index, _ in expected["probe"]]]
        values = [value for _, value in expected["probe"]]
    target = torch.tensor(values, dtype=torch.float64)
    worst = ((listed - target).abs().max() / target.abs().max()).item()
    return max(worst, abs(flat.norm().item() - expected["l2"]) / expected["l2"])
