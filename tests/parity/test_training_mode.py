"""A step of training is the published one: loss, gradients and running statistics.

Beside `plain_networks`, which is written from the descriptions alone: in 64 bits nothing differs;
in 32 bits ours is as near to the 64 bits as the tolerance of the parity cases of training says.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from tests.parity import plain
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones.ir50 import IR50
from affuse.models.base import Model
from affuse.models.checkpoints import published_state_dict, system_module
from affuse.models.registry import MODELS, create_model
from affuse.models.systems.chumachenko.model import Chumachenko
from affuse.models.systems.ir50.published import BACKBONE
from affuse.models.systems.renaming import inverse, translate
from affuse.training.dropout import apply_dropout
from affuse.training.recipe_parts import Dropout
from affuse.verification.bench import plain_networks

AUDIO = StreamSpec("audio/mfcc10-published", 43.066, (10,))
VIDEO = StreamSpec("video/faces224-published", 15 / 3.6, (224, 224, 3), "uint8")
EXACT, GRADIENT_ERROR = 1e-9, 0.02


def published_model(name: str) -> Model:
    build = MODELS[name].load()
    assert issubclass(build, Chumachenko)
    torch.manual_seed(0)
    streams = {s.name: s for s in (AUDIO, VIDEO)}
    return create_model(name, streams, 8, **build.published_options())


def ir50_without_dropout() -> IR50:
    torch.manual_seed(0)
    net = IR50().train()
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return net


def clips(count: int, frames: int, size: int, audio: int = 40) -> Batch:
    """A batch after the published modality dropout: four times as many clips."""
    torch.manual_seed(1)
    smooth = F.interpolate(torch.rand(count * frames, 3, 7, 7), size=size, mode="bilinear")
    images = 0.7 * smooth + 0.3 * torch.rand(smooth.shape)
    sound = 20 * torch.randn(count, audio, 10) - torch.tensor([300.0, *[0.0] * 9])
    batch = Batch(
        {AUDIO.name: sound, VIDEO.name: images.unflatten(0, (count, frames))},
        {AUDIO.name: torch.ones(count, audio) > 0, VIDEO.name: torch.ones(count, frames) > 0},
        torch.randint(0, 8, (count,)),
        [str(k) for k in range(count)],
    )
    return apply_dropout(batch, Dropout("softhard", masks=False))


def our_step(model: Model, batch: Batch, dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss, and gradients by published names."""
    model = copy.deepcopy(model).to(dtype).train()
    batch = replace(batch, streams={name: x.to(dtype) for name, x in batch.streams.items()})
    loss = F.cross_entropy(model(batch).logits, batch.targets)
    loss.backward()
    system = "avtca" if type(model).__name__.startswith("AVT") else "chumachenko"
    back = inverse(system_module(system).rules(model))
    named = {str(translate(n, back)): p.grad for n, p in model.named_parameters()}
    return loss.detach().double(), {n: x.double() for n, x in named.items() if x is not None}


def plain_step(model: Model, batch: Batch, name: str) -> tuple[Tensor, dict[str, Tensor]]:
    weights = {
        n: x.detach().double().requires_grad_() if x.is_floating_point() else x
        for n, x in published_state_dict(model).items()
    }
    audio = batch.streams[AUDIO.name].double().transpose(1, 2)
    images = batch.streams[VIDEO.name].double()
    heads = 8 if name == "avtca" else 1
    logits = plain_networks.chumachenko(
        weights, audio, images, name.removeprefix("chumachenko-"), heads
    )
    loss = F.cross_entropy(logits, batch.targets)
    loss.backward()
    found = {n: x.grad for n, x in weights.items() if x.is_floating_point()}
    return loss.detach(), {n: x for n, x in found.items() if x is not None}


def distance(found: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """Relative error of all gradients together; what only one of them has counts in full."""
    names = found.keys() | exact.keys()
    zero = torch.zeros(())
    off = sum((found.get(n, zero) - exact.get(n, zero)).square().sum() for n in names)
    return float((off / sum(x.square().sum() for x in exact.values())).sqrt())


def compare(name: str, batch: Batch) -> None:
    model = published_model(name)
    loss, exact = plain_step(model, batch, name)
    ours, gradients = our_step(model, batch, torch.float64)
    assert abs(ours - loss) < EXACT * loss
    assert distance(gradients, exact) < EXACT
    ours, gradients = our_step(model, batch, torch.float32)
    assert abs(ours - loss) < 1e-4 * loss
    assert distance(gradients, exact) < GRADIENT_ERROR


@pytest.mark.parametrize("name", ["chumachenko-lt", "chumachenko-it", "chumachenko-ia", "avtca"])
def test_the_published_batch_of_few_frames(name: str) -> None:
    compare(name, clips(8, 2, 64))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chumachenko-lt", "chumachenko-it", "chumachenko-ia", "avtca"])
def test_the_published_batch(name: str) -> None:
    """8 clips of 15 frames, four times each; their images are smaller, for memory."""
    compare(name, clips(8, 15, 96, audio=156))


@pytest.mark.slow
def test_ir50() -> None:
    net = ir50_without_dropout()
    images = torch.rand(12, 3, 40, 40) * 2 - 1
    target = torch.randn(12, 512)
    back = inverse(BACKBONE)

    def ours(dtype: torch.dtype, layout: torch.memory_format) -> dict[str, Tensor]:
        model = copy.deepcopy(net).to(dtype).train()
        (
            model(images.to(dtype).contiguous(memory_format=layout)) * target.to(dtype)
        ).sum().backward()
        named = {str(translate(n, back)): p.grad for n, p in model.named_parameters()}
        return {n: x.double() for n, x in named.items() if x is not None}

    state = {str(translate(n, back)): x.double() for n, x in net.named_parameters()}
    weights = {n: x.detach().requires_grad_() for n, x in state.items()}
    (plain.ir50(weights, "", images.double()) * target.double()).sum().backward()
    exact = {n: x.grad for n, x in weights.items() if x.grad is not None}
    assert distance(ours(torch.float64, torch.contiguous_format), exact) < EXACT
    for layout in (torch.contiguous_format, torch.channels_last):
        assert distance(ours(torch.float32, layout), exact) < GRADIENT_ERROR
