"""Deterministic weights and inputs for the parity cases.

Neither weights nor inputs are stored in a case file.  Both are a function of
(name, shape, seed) only, so any program that knows the names and shapes of a
state dict can produce them again on any machine.

    weights = fill_listing("state_dicts/lt.txt", case["seed"])
    batch = inputs(case["inputs"])

Needs numpy; torch only for `fill_state_dict`.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]

# Entries that hold no information (position helpers, format versions).  They
# are listed in the state dict but get no value.
SKIP = re.compile(r"(^|\.)(_float_tensor|version)$")

# A tensor that is registered twice keeps one value: the second name is
# replaced by the first before anything is drawn.
ALIASES = (
    (re.compile(r"^module\."), ""),
    (re.compile(r"(\.network\.\d+)\.net\.0\."), r"\1.conv1."),
    (re.compile(r"(\.network\.\d+)\.net\.4\."), r"\1.conv2."),
)

# One-dimensional "weight" entries that are PReLU slopes, not norm scales.
PRELU = re.compile(r"(^|\.)(input_layer\.2|res_layer\.2)\.weight$")

# Layer norms over more than one axis (their scale is not one-dimensional).
NORM = re.compile(r"(^|\.)ln\.weight$")

# Extra factors, applied on top of the general rule, by name.
#  * The last norm of a residual branch is damped where many blocks follow one
#    another without normalisation at inference, so that nothing explodes.
#  * A layer that reads raw MFCCs (values of some hundreds) is damped, one that
#    reads unit vectors is boosted, so that the outputs depend on the data and
#    not only on the biases, and no attention saturates.
#  * Attention and gate logits that would be tiny are boosted, so that a softmax
#    is far from uniform and a tanh or sigmoid is not linear.
GAINS = (
    (re.compile(r"(^|\.)res_layer\.4\.weight$"), 0.3),
    (re.compile(r"^audio_model\.conv1d_0\.0\.weight$"), 0.03),
    (re.compile(r"^(av1|va1)\.q\.weight$"), 0.4),
    (re.compile(r"(^|\.)gate_(c_fc|s_conv)_final\.weight$"), 4.0),
    (re.compile(r"^temporal\.network\.0\.conv1\.weight_g$"), 16.0),
    (re.compile(r"^temporal\.network\.0\.downsample\.weight$"), 12.0),
    (re.compile(r"^(audio_extract|video_extract)\.rnn\.weight_ih_l0"), 16.0),
    (re.compile(r"^Joint\.rnn\.weight_ih_l0"), 16.0),
    (re.compile(r"^[va]regressor\.0\.weight$"), 12.0),
    (re.compile(r"^video_attn\.attn\.affine_(video|audio)\.weight$"), 40.0),
    (re.compile(r"^video_attn\.attn\.affine_feat\.weight$"), 40.0),
    (re.compile(r"^video_attn\.attn\.affine_h\.weight$"), 8.0),
    (re.compile(r"dense_coattn\.query_linear\.weight$"), 8.0),
    (re.compile(r"dense_coattn\.(key|value)\d_linear\.weight$"), 4.0),
)


def canonical(name: str) -> str:
    """The name under which the values of `name` are drawn."""
    for pattern, replacement in ALIASES:
        name = pattern.sub(replacement, name)
    return name


def kind_of(name: str, shape: Sequence[int]) -> str:
    """Kind of an entry: one of the branches of `tensor`."""
    name = canonical(name)
    last = name.rsplit(".", 1)[-1]
    if SKIP.search(name):
        return "skip"
    if last == "num_batches_tracked":
        return "count"
    if last == "running_var":
        return "variance"
    if last == "running_mean" or last.endswith("init_hidden"):
        return "small"
    if last == "alpha":
        return "mix"
    if last == "weight_g":
        return "magnitude"
    if "bias" in last:
        return "small"
    if PRELU.search(name):
        return "slope"
    if NORM.search(name) or (len(shape) == 1 and last == "weight"):
        return "scale"
    if len(shape) <= 1:
        return "small"
    return "conv" if len(shape) >= 3 else "matrix"


def tensor(name: str, shape: Sequence[int], seed: int, kind: str) -> NDArray[np.float32]:
    """float32 array drawn from (name, shape, seed), shaped by `kind`."""
    shape = tuple(int(n) for n in shape)
    state = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
    if kind in ("unit", "signed", "image", "pixel"):
        return _image(state, shape, kind).astype(np.float32)
    x = np.asarray(state.standard_normal(shape), dtype=np.float64)
    if kind == "variance":
        x = 0.5 + np.abs(x)
    elif kind == "small":
        x = 0.1 * x
    elif kind == "scale":
        x = 1.0 + 0.1 * x
    elif kind == "magnitude":
        x = 1.0 + 0.1 * np.abs(x)
    elif kind == "slope":
        x = 0.25 + 0.05 * x
    elif kind == "mix":
        x = 0.5 + 0.1 * x
    elif kind in ("matrix", "conv"):
        gain = math.sqrt(2.0) if kind == "conv" else 1.0
        x = gain * x / math.sqrt(np.prod(shape[1:]))
    elif kind == "relu":
        x = np.maximum(x, 0.0)
    elif kind == "vector":
        x = x / np.sqrt((x * x).sum(-1, keepdims=True))
    elif kind == "mfcc":
        rows = np.arange(shape[-2], dtype=np.float64)[:, None]
        shift = state.standard_normal((*shape[:-1], 1))
        x = 60.0 / (1.0 + rows) * (x + shift) - 350.0 * (rows == 0)
    elif kind != "normal":
        raise ValueError(f"unknown kind: {kind}")
    return x.astype(np.float32)


def _image(state: np.random.RandomState, shape: tuple[int, ...], kind: str) -> Array:
    """Values in [0, 1] ("unit", "image") or [-1, 1] ("signed", "pixel").

    "unit" and "signed" are plain uniform noise.  "image" and "pixel" are images
    (..., height, width): a coarse grid of uniform cells, 32 pixels wide for
    "image" and 8 for "pixel", with 30 % uniform noise and a brightness per
    plane, so that rows, columns, channels and frames are distinguishable.
    """
    noise = state.random_sample(shape)
    if kind in ("unit", "signed"):
        return noise if kind == "unit" else 2.0 * noise - 1.0
    cell = 32 if kind == "image" else 8
    height, width = shape[-2:]
    grid = state.random_sample((*shape[:-2], -(-height // cell), -(-width // cell)))
    grid = grid.repeat(cell, axis=-2).repeat(cell, axis=-1)[..., :height, :width]
    bright = 0.2 + 0.8 * state.random_sample((*shape[:-2], 1, 1))
    x = bright * (0.7 * grid + 0.3 * noise)
    return 2.0 * x - 1.0 if kind == "pixel" else x


def entry(name: str, shape: Sequence[int], seed: int) -> Array | None:
    """Value of one state-dict entry, or None where it holds no information."""
    name = canonical(name)
    kind = kind_of(name, shape)
    if kind == "skip":
        return None
    if kind == "count":
        return np.zeros(tuple(shape), dtype=np.int64)
    value = tensor(name, shape, seed, kind)
    for pattern, factor in GAINS:
        if pattern.search(name):
            value = value * np.float32(factor)
    return value


def read_listing(path: str | Path) -> dict[str, tuple[int, ...]]:
    """{name: shape} from a file of `name<TAB>(d0, d1, ...)` lines."""
    shapes: dict[str, tuple[int, ...]] = {}
    with Path(path).open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                name, shape = line.rstrip("\n").split("\t")
                shapes[name] = tuple(int(n) for n in re.findall(r"\d+", shape))
    return shapes


def fill_listing(path: str | Path, seed: int) -> dict[str, Array]:
    """{name: array} for a listing; skipped entries are zeros."""
    filled: dict[str, Array] = {}
    for name, shape in read_listing(path).items():
        value = entry(name, shape, seed)
        filled[name] = np.zeros(shape, np.float32) if value is None else value
    return filled


def fill_state_dict(state_dict: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """New state dict with the same names, shapes and dtypes, filled by rule.

    Skipped entries keep the value they have.
    """
    import torch

    filled: dict[str, Tensor] = {}
    for name, old in state_dict.items():
        value = entry(name, tuple(old.shape), seed)
        if value is None:
            filled[name] = old.clone()
        else:
            filled[name] = torch.from_numpy(np.ascontiguousarray(value)).to(old.dtype)
    return filled


def inputs(spec: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """{name: array} for `{name: {"shape", "dist", "seed", ["lengths"]}}`.

    `dist` is "normal", "relu", "vector" (unit length over the last axis),
    "unit", "signed", "image", "pixel" or "mfcc" (axis -2 holds the coefficients).  With
    `lengths`, row b is zero from index lengths[b] of axis 1 on.
    """
    batch = {}
    for name, item in spec.items():
        value = tensor(name, item["shape"], item["seed"], item["dist"])
        for row, length in enumerate(item.get("lengths", ())):
            value[row, length:] = 0.0
        batch[name] = value
    return batch


def signal(length: int, rate: float, seed: int) -> NDArray[np.float32]:
    """Mono test signal: float32, every value a multiple of 1/32768.

    The first eighth is silence.  After that five sines with random frequency
    (60 Hz to 0.4 * rate, log-uniform), phase and slow amplitude modulation,
    plus 1 % Gaussian noise, scaled to 0.2 and rounded to 16-bit steps.
    """
    state = np.random.RandomState(seed & 0xFFFFFFFF)
    draw = state.random_sample((5, 4))
    noise = state.standard_normal(length)
    t = np.arange(length) / float(rate)
    x = 0.01 * noise
    for u in draw:
        frequency = 60.0 * (0.4 * rate / 60.0) ** u[0]
        envelope = 1.0 + np.sin(2.0 * np.pi * (0.5 + 3.0 * u[2]) * t)
        x = x + (0.2 + u[3]) * envelope * np.sin(2.0 * np.pi * (frequency * t + u[1]))
    x[: length // 8] = 0.0
    return (np.round(np.clip(0.2 * x, -1.0, 1.0) * 32767.0) / 32768.0).astype(np.float32)
