"""What the machine and the installed versions are."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from tests.device.setting import Figures, Setting


def measure(setting: Setting) -> Figures:
    """Names and versions."""
    yield "python", platform.python_version()
    yield "platform", platform.platform()
    yield "processors", os.cpu_count()
    yield "torch", torch.__version__
    yield "cuda", torch.version.cuda
    try:
        yield "affuse", version("affuse")
    except PackageNotFoundError:
        yield "affuse", "not installed"
    if setting.device != "cpu":
        properties = torch.cuda.get_device_properties(0)
        yield "name", properties.name
        yield "memory_gb", round(properties.total_memory / 1e9, 1)
        yield "capability", f"{properties.major}.{properties.minor}"
        yield "multiprocessors", properties.multi_processor_count
        yield "cudnn", torch.backends.cudnn.version()
        yield "bf16", torch.cuda.is_bf16_supported(including_emulation=False)
