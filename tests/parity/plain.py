"""Another published network in training, written plainly as those of `plain_networks` are."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from affuse.verification.bench.plain_networks import Weights, conv2d, norm


def ir50(w: Weights, prefix: str, images: Tensor) -> Tensor:
    """(N, 3, 40, 40) -> (N, 512), without dropout."""

    def prelu(name: str, x: Tensor) -> Tensor:
        return F.prelu(x, w[f"{name}.weight"])

    x = norm(w, f"{prefix}input_layer.1", conv2d(w, f"{prefix}input_layer.0", images, padding=1))
    x = prelu(f"{prefix}input_layer.2", x)
    for k in range(24):
        unit, stride = f"{prefix}body.{k}", 2 if k in (3, 7, 21) else 1
        part = f"{unit}.res_layer"
        y = conv2d(w, f"{part}.1", norm(w, f"{part}.0", x), padding=1)
        y = conv2d(w, f"{part}.3", prelu(f"{part}.2", y), padding=1, stride=stride)
        y = norm(w, f"{part}.4", y)
        if stride == 2:
            cut = conv2d(w, f"{unit}.shortcut_layer.0", x, stride=2)
            x = norm(w, f"{unit}.shortcut_layer.1", cut)
        x = x + y
    x = norm(w, f"{prefix}output_layer.0", x).flatten(1)
    x = F.linear(x, w[f"{prefix}output_layer.3.weight"], w[f"{prefix}output_layer.3.bias"])
    return F.normalize(norm(w, f"{prefix}output_layer.4", x))
