"""Memory that is freed and needed again at once."""

from __future__ import annotations

import subprocess
import sys
from platform import libc_ver

import pytest

_BATCHES = """
import resource, sys
import torch
from affuse.execution.memory import keep_freed
if sys.argv[1] == "kept":
    keep_freed()
def batch():
    one = torch.ones(16_000_000)  # more than glibc ever keeps by itself
    return one * 2
for _ in range(8):
    batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(6):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_batches_take_the_memory_of_those_before() -> None:
    faults = [
        int(subprocess.check_output([sys.executable, "-c", _BATCHES, how]))
        for how in ("freed", "kept")
    ]
    assert faults[0] > 20_000 and faults[1] < faults[0] / 2
