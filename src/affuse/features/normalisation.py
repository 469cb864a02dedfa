"""The statistics that streams are normalised with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affuse.execution.fields import check_list, check_number

#: The largest statistic that a file can tell, and how many there can be of each kind.
_LARGEST, _VALUES = 1e30, 1 << 24


@dataclass(frozen=True)
class Normalisation:
    """x -> (x - mean) / std, per feature (vectors) or per colour channel (images).

    Args:
        mean: Values over the last axis of a frame, one value for all, or one for each of a frame.
        std: The same; never zero.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def to_json(self) -> dict[str, Any]:
        """The statistics as JSON values."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Normalisation:
        """The inverse of `to_json`, of values that a file tells.

        Raises:
            KeyError: One of them is missing.
            ValueError: One of them cannot be; the message names it.
        """
        for name, least in (("mean", -_LARGEST), ("std", 1 / _LARGEST)):
            check_list(name, value[name], 1, _VALUES)
            for x in value[name]:
                check_number(name, x, least, _LARGEST)
        return cls(tuple(value["mean"]), tuple(value["std"]))
