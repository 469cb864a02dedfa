"""What the device reaches at best: products of matrices, and copies."""

from __future__ import annotations

import torch

from tests.device.setting import Figures, Setting
from tests.device.timing import seconds, without_tf32


def measure(setting: Setting) -> Figures:
    """TFLOP/s of products by type, and GB/s of reading and writing memory."""
    size, megabytes = (512, 64) if setting.quick else (8192, 2048)
    repeats = 3 if setting.quick else 10
    without_tf32()
    for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        yield f"matmul_{name}_tflops", _product(setting.device, size, dtype, repeats)
    if setting.device != "cpu":
        torch.backends.cuda.matmul.allow_tf32 = True
        yield "matmul_tf32_tflops", _product(setting.device, size, torch.float32, repeats)
    source = torch.zeros(megabytes * 250_000, device=setting.device)
    target = torch.empty_like(source)
    took = seconds(lambda: target.copy_(source), setting.device, repeats)
    yield "memory_gb_per_second", round(2 * source.nbytes / took / 1e9, 1)


def _product(device: str, size: int, dtype: torch.dtype, repeats: int) -> float:
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return float(f"{2 * size**3 / seconds(lambda: a @ b, device, repeats) / 1e12:.4g}")
