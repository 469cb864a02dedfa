"""What a user asks of a model file instead of what it says: hop, windows, smoothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from affuse.errors import AffuseError, BadInput
from affuse.models.spec import ModelSpec, Windows
from affuse.models.systems.rjca.windows import FRAMES
from affuse.models.systems.rjca.windows import MODELS as JOINT_ATTENTION
from affuse.tasks.registry import TASKS


def asked_spec(
    path: Path,
    spec: ModelSpec,
    hop: float | None,
    windows: Windows | None,
    smoothing: float | Literal["published"] | None,
) -> ModelSpec:
    """The spec of a model file with what was asked for instead of what it says.

    Args:
        path: The model file.
        spec: What it says.
        hop: Seconds between windows; None as it says, as are the others.
        windows: How windows lie.
        smoothing: Seconds over which values are averaged, or `published`.

    Raises:
        BadInput: The model does not have that.
        AffuseError: Windows that lie end to end have no distance, or the distance would leave
            something out.
    """
    if (windows, smoothing) != (None, None) and not TASKS[spec.task].over_time:
        raise BadInput(
            path, "gives no continuous valence and arousal; windows and smoothing are for these"
        )
    if "published" in (windows, smoothing) and spec.model not in JOINT_ATTENTION:
        raise BadInput(
            path,
            f"holds {spec.model}; published windows and smoothing are those of "
            f"{', '.join(JOINT_ATTENTION)}",
        )
    if (windows, smoothing) != (None, None):
        spec = replace(spec, calibration=None)  # its bands are of other values
    spec = replace(spec, windows=windows or spec.windows)
    if hop is not None and spec.windows == "published":
        raise AffuseError("published windows lie end to end; a hop is for overlapping ones")
    if hop is not None and not 0 < hop <= spec.seconds:
        raise AffuseError(
            f"a hop of {hop:g} s: expected more than 0 and at most the window of the model, "
            f"{spec.seconds:g} s, so that nothing is left out"
        )
    if smoothing == "published":
        if other := [name for name in spec.outputs if name not in FRAMES]:
            raise BadInput(path, f"gives {other[0]}, which has no published smoothing")
        return replace(spec, smoothing=[FRAMES[name] for name in spec.outputs])
    return spec if smoothing is None else replace(spec, smoothing=smoothing)
