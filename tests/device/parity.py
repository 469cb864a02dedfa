"""The published systems' numbers, computed on the device, at the tolerances of their cases."""

from __future__ import annotations

from affuse.verification.parity import run_parity
from tests.device.setting import ROOT, Figures, Setting
from tests.device.timing import without_tf32

#: Cases that a quick run computes.
_QUICK = 4


def measure(setting: Setting) -> Figures:
    """Each case with its error and tolerance; then how many failed."""
    without_tf32()
    failed: list[str] = []
    computed = 0
    for result in run_parity(ROOT / "tests" / "parity", setting.device, setting.data / "videos"):
        if setting.quick and computed == _QUICK:
            break
        if result.passed is None:
            yield result.case, result.note
            continue
        computed += 1
        if not result.passed:
            failed.append(result.case)
        yield (
            result.case,
            {
                "quantity": result.quantity,
                "error": result.error,
                "tolerance": result.tolerance,
                "passed": result.passed,
                **({"note": result.note} if result.note else {}),
            },
        )
    yield "computed", computed
    yield "failed", failed
