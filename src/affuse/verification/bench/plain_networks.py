"""Published networks in training, written plainly from their descriptions and published names.

Functions of the published weights: the usual layout, no masks, the statistics of the batch in
every normalisation. They stand beside ours to tell whether a step of training is the published one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    """Batch normalisation with the statistics of the batch."""
    return F.batch_norm(x, None, None, w[f"{name}.weight"], w[f"{name}.bias"], True, eps=1e-5)


def conv2d(w: Weights, name: str, x: Tensor, **options: int) -> Tensor:
    """A convolution by the name of its weights."""
    return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), **options)


def shuffle_unit(w: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    """Inverted residual with two branches, and the channel shuffle."""

    def branch(x: Tensor) -> Tensor:
        part = f"{name}.branch2"
        y = F.relu(norm(w, f"{part}.1", conv2d(w, f"{part}.0", x)))
        y = conv2d(w, f"{part}.3", y, stride=stride, padding=1, groups=y.shape[1])
        return F.relu(norm(w, f"{part}.6", conv2d(w, f"{part}.5", norm(w, f"{part}.4", y))))

    if stride == 1:
        kept, changed = x.chunk(2, 1)
        y = torch.cat((kept, branch(changed)), 1)
    else:
        part = f"{name}.branch1"
        first = conv2d(w, f"{part}.0", x, stride=2, padding=1, groups=x.shape[1])
        first = F.relu(norm(w, f"{part}.3", conv2d(w, f"{part}.2", norm(w, f"{part}.1", first))))
        y = torch.cat((first, branch(x)), 1)
    n, c, rows, columns = y.shape
    return y.view(n, 2, c // 2, rows, columns).transpose(1, 2).reshape(n, c, rows, columns)


def modulator(w: Weights, name: str, x: Tensor) -> Tensor:
    """Attention over channels and over places of EfficientFace."""
    gate = f"{name}.channel_att.gate_c.gate_c_"
    c = F.linear(x.mean((2, 3)), w[f"{gate}fc_0.weight"], w[f"{gate}fc_0.bias"])
    c = F.relu(norm(w, f"{gate}bn_1", c))
    c = F.linear(c, w[f"{gate}fc_final.weight"], w[f"{gate}fc_final.bias"])
    gate = f"{name}.spatial_att.gate_s.gate_s_"
    s = F.relu(norm(w, f"{gate}bn_reduce0", conv2d(w, f"{gate}conv_reduce0", x)))
    for k in range(2):
        s = conv2d(w, f"{gate}conv_di_{k}", s, padding=4, dilation=4)
        s = F.relu(norm(w, f"{gate}bn_di_{k}", s))
    return torch.sigmoid(c[:, :, None, None] * conv2d(w, f"{gate}conv_final", s)) * x


def local_features(w: Weights, name: str, x: Tensor) -> Tensor:
    """Four patches of the image, each by convolutions of its own."""
    half = x.shape[2] // 2
    corners = ((0, 0), (half, 0), (0, half), (half, half))
    found = []
    for k, (top, left) in enumerate(corners, 1):
        patch = x[:, :, top : top + half, left : left + half]
        y = conv2d(w, f"{name}.conv{k}_1", patch, stride=2, padding=1, groups=x.shape[1])
        y = F.relu(norm(w, f"{name}.bn{k}_1", y))
        y = conv2d(w, f"{name}.conv{k}_2", y, padding=1, groups=y.shape[1])
        found.append(F.relu(norm(w, f"{name}.bn{k}_2", y)))
    return torch.cat((torch.cat(found[:2], 2), torch.cat(found[2:], 2)), 3)


def efficientface(w: Weights, prefix: str, images: Tensor) -> Tensor:
    """(N, 3, S, S) -> (N, 1024)."""
    x = conv2d(w, f"{prefix}conv1.0", images, stride=2, padding=1)
    x = F.max_pool2d(F.relu(norm(w, f"{prefix}conv1.1", x)), 3, 2, 1)
    y = x
    for k in range(4):
        y = shuffle_unit(w, f"{prefix}stage2.{k}", y, 2 if k == 0 else 1)
    y = modulator(w, f"{prefix}modulator", y) + local_features(w, f"{prefix}local", x)
    for stage, units in ((3, 8), (4, 4)):
        for k in range(units):
            y = shuffle_unit(w, f"{prefix}stage{stage}.{k}", y, 2 if k == 0 else 1)
    y = F.relu(norm(w, f"{prefix}conv5.1", conv2d(w, f"{prefix}conv5.0", y)))
    return y.mean((2, 3))


def temporal(w: Weights, name: str, x: Tensor, padding: int, pool: bool) -> Tensor:
    """One block of the audio or of the visual branch: (B, C, T)."""
    x = F.conv1d(x, w[f"{name}.0.weight"], w[f"{name}.0.bias"], padding=padding)
    x = F.relu(norm(w, f"{name}.1", x))
    return F.max_pool1d(x, 2, 1) if pool else x


def attention(w: Weights, name: str, keys: Tensor, queries: Tensor, heads: int) -> list[Tensor]:
    """The attended values and the weights (B, heads, queries, keys)."""
    q = F.linear(queries, w[f"{name}.q.weight"])
    k, v = F.linear(keys, w[f"{name}.kv.weight"]).chunk(2, -1)
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
    values = (weights @ v).transpose(1, 2).flatten(2)
    return [F.linear(values, w[f"{name}.proj.weight"], w[f"{name}.proj.bias"]), weights]


def transformer(w: Weights, name: str, keys: Tensor, queries: Tensor, heads: int) -> Tensor:
    """Attention of one modality to the other, and a perceptron."""

    def normed(part: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.{part}.weight"], w[f"{name}.{part}.bias"])

    keys, queries = normed("norm1_k", keys), normed("norm1_q", queries)
    y = attention(w, f"{name}.attn", keys, queries, heads)[0]
    z = F.linear(normed("norm2", y), w[f"{name}.mlp.fc1.weight"], w[f"{name}.mlp.fc1.bias"])
    return y + F.linear(F.gelu(z), w[f"{name}.mlp.fc2.weight"], w[f"{name}.mlp.fc2.bias"])


def chumachenko(w: Weights, audio: Tensor, images: Tensor, fusion: str, heads: int) -> Tensor:
    """Logits (B, C).

    Args:
        w: The published weights.
        audio: (B, 10, T).
        images: (B, T, 3, S, S).
        fusion: `lt`, `it`, `ia`, or `avtca`.
        heads: Of the fusion.
    """
    a, v = audio, efficientface(w, "visual_model.", images.flatten(0, 1))
    v = v.unflatten(0, images.shape[:2]).transpose(1, 2)
    for k in (0, 1):
        a = temporal(w, f"audio_model.conv1d_{k}", a, 0, True)
        v = temporal(w, f"visual_model.conv1d_{k}", v, 1, False)
    a, v = a.transpose(1, 2), v.transpose(1, 2)
    if fusion in ("it", "avtca"):
        pair = transformer(w, "av1", v, a, heads), transformer(w, "va1", a, v, heads)
        a, v = a + pair[0], v + pair[1]
    elif fusion == "ia":
        to_video = attention(w, "av1", v, a, heads)[1].mean(1).sum(1)
        to_audio = attention(w, "va1", a, v, heads)[1].mean(1).sum(1)
        a, v = a * to_audio.unsqueeze(-1), v * to_video.unsqueeze(-1)
    a, v = a.transpose(1, 2), v.transpose(1, 2)
    for k in (2, 3):
        a = temporal(w, f"audio_model.conv1d_{k}", a, 0, True)
        v = temporal(w, f"visual_model.conv1d_{k}", v, 1, False)
    a, v = a.transpose(1, 2), v.transpose(1, 2)
    if fusion == "lt":
        a, v = transformer(w, "av", v, a, heads), transformer(w, "va", a, v, heads)
    elif fusion == "avtca":
        a, v = (final_attention(w, x) for x in (a, v))
    pooled = torch.cat((a.mean(1), v.mean(1)), 1)
    return F.linear(pooled, w["classifier_1.0.weight"], w["classifier_1.0.bias"])


def final_attention(w: Weights, x: Tensor) -> Tensor:
    """The self-attention of AVT-CA, one for both modalities."""
    packed = F.linear(x, w["finalAttention.in_proj_weight"], w["finalAttention.in_proj_bias"])
    q, k, v = (y.unflatten(-1, (8, -1)).transpose(1, 2) for y in packed.chunk(3, -1))
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    out = "finalAttention.out_proj"
    return F.linear(y, w[f"{out}.weight"], w[f"{out}.bias"])
