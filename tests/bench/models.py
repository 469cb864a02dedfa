"""Networks beside their simple versions: same weights, same results."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import Convolution, EfficientFace
from affuse.models.backbones.tsav import R2Plus1D, SpaceConv, TimeConv
from affuse.models.checkpoints import published_state_dict
from affuse.models.layers.attention import PackedAttention
from affuse.models.registry import create_model
from affuse.models.systems.ir50.published import BACKBONE
from affuse.models.systems.renaming import inverse, translate
from affuse.verification.bench import plain_networks
from tests.parity import plain
from tests.parity.test_training_mode import clips, ir50_without_dropout, published_model

Versions = dict[str, Callable[[], object]]


class PlainAttention(nn.Module):
    """PyTorch's own module, and a mask of numbers made anew in every layer."""

    def __init__(self, packed: PackedAttention) -> None:
        super().__init__()
        width = packed.proj.in_features
        self.inner = nn.MultiheadAttention(width, packed.heads, packed.dropout, batch_first=True)
        self.inner.in_proj_weight = packed.qkv.weight
        self.inner.in_proj_bias = packed.qkv.bias
        self.inner.out_proj.weight = packed.proj.weight
        self.inner.out_proj.bias = packed.proj.bias

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Tensor:
        shape = len(queries), queries.shape[1], keys.shape[1]
        mask = torch.zeros(shape).masked_fill(~allowed.expand(shape), float("-inf"))
        mask = mask.repeat_interleave(self.inner.num_heads, 0)
        return self.inner(queries, keys, values, attn_mask=mask)[0]


def auxformer(seconds: float, train: bool) -> Versions:
    """Eight clips through AuxFormer: ours beside the plain attention."""
    streams = (StreamSpec("audio/wav2vec2", 50, (1024,)), StreamSpec("video/emoca50", 30, (50,)))
    lengths = {s.name: round(seconds * s.rate) for s in streams}
    ours = create_model("auxformer", {s.name: s for s in streams}, 6)
    batch = Batch(
        {s.name: torch.randn(8, lengths[s.name], *s.shape) for s in streams},
        {s.name: torch.ones(8, lengths[s.name], dtype=torch.bool) for s in streams},
    )
    plain = replaced(ours, PackedAttention, PlainAttention)
    if train:
        return {n: step(m.train(), batch) for n, m in (("ours", ours), ("plain", plain))}
    with torch.inference_mode():
        assert (ours.eval()(batch).logits - plain.eval()(batch).logits).abs().max() < 1e-4
    return {
        n: torch.inference_mode()(lambda m=m: m(batch))
        for n, m in (("ours", ours), ("plain", plain))
    }


def clips_of_faces() -> Versions:
    """Two clips of 8 images through R(2+1)D: ours beside three-dimensional convolutions."""
    ours = R2Plus1D().eval()
    plain = replaced(replaced(ours, SpaceConv, plain_conv), TimeConv, plain_conv)
    clips = torch.randn(2, 3, 8, 112, 112)
    with torch.inference_mode():
        assert (ours(clips) - plain(clips)).abs().max() < 1e-4
    return {
        n: torch.inference_mode()(lambda m=m: m(clips))
        for n, m in (("ours", ours), ("plain", plain))
    }


def fusion_training(name: str) -> Versions:
    """A published step on four clips, four times each: ours, with every copy computed, plainly."""
    model, batch = published_model(name).train(), clips(4, 15, 224, audio=156)
    named = published_state_dict(model)
    weights = {n: x.detach() for n, x in named.items() if x.is_floating_point()}
    for weight in weights.values():
        weight.requires_grad_()
    audio = batch.streams["audio/mfcc10-published"].transpose(1, 2).contiguous()
    images = batch.streams["video/faces224-published"].contiguous()
    fusion, heads = name.removeprefix("chumachenko-"), 8 if name == "avtca" else 1

    def ours(batch: Batch) -> None:
        model.zero_grad()
        F.cross_entropy(model(batch).logits, batch.targets).backward()

    def written_plainly() -> None:
        for weight in weights.values():
            weight.grad = None
        logits = plain_networks.chumachenko(weights, audio, images, fusion, heads)
        F.cross_entropy(logits, batch.targets).backward()

    every_copy = replace(batch, alike={})
    return {
        "ours": partial(ours, batch),
        "every_copy": partial(ours, every_copy),
        "plain": written_plainly,
    }


def ir50_training() -> Versions:
    """60 images of 40 x 40 as training has them: ours beside the network written plainly."""
    net = ir50_without_dropout()
    back = inverse(BACKBONE)
    named = {str(translate(n, back)): x for n, x in net.named_parameters()}
    weights = {n: x.detach().clone().requires_grad_() for n, x in named.items()}
    images = torch.rand(60, 3, 40, 40) * 2 - 1
    last = images.contiguous(memory_format=torch.channels_last)

    def ours() -> None:
        net.zero_grad()
        net(last).sum().backward()

    def written_plainly() -> None:
        for weight in weights.values():
            weight.grad = None
        plain.ir50(weights, "", images).sum().backward()

    return {"ours": ours, "plain": written_plainly}


def efficientface_training() -> Versions:
    """32 images of 112 x 112 in bfloat16: ours beside convolutions that are all in it."""
    ours, pictures = EfficientFace(), torch.randn(32, 3, 112, 112)
    plain = replaced(ours, Convolution, plain_conv2d)
    with torch.inference_mode():
        assert torch.equal(ours(pictures), plain(pictures))

    def learn(net: nn.Module) -> None:
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            net(pictures).square().sum().backward()

    return {n: partial(learn, m) for n, m in (("ours", ours), ("plain", plain))}


def plain_conv2d(conv: nn.Conv2d) -> nn.Conv2d:
    plain = copy.copy(conv)
    plain.__class__ = nn.Conv2d
    return plain


def plain_conv(conv: nn.Conv3d) -> nn.Conv3d:
    plain = nn.Conv3d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False
    )
    plain.weight = conv.weight
    return plain


def replaced(model: nn.Module, kind: type[nn.Module], make: Callable[..., nn.Module]) -> nn.Module:
    """A copy of a model with every module of a kind replaced."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is kind:
                setattr(parent, name, make(child))
    return model


def step(model: nn.Module, batch: Batch) -> Callable[[], None]:
    """Forward and backward."""

    def run() -> None:
        model.zero_grad()
        model(batch).logits.square().sum().backward()

    return run
