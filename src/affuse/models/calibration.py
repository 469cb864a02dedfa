"""How a model was calibrated, by which modalities it has to go by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from affuse.execution.fields import check_list, check_mapping, check_number, check_whole
from affuse.features.stream import StreamSpec

if TYPE_CHECKING:
    from torch import Tensor

    from affuse.features.batch import Batch

#: What a file can say: temperatures, biases, thresholds and coverages.
TEMPERATURES, _BIASES, _THRESHOLDS, COVERAGES = (
    (0.01, 100.0),
    (-100.0, 100.0),
    (0, 1e6),
    (0.5, 0.99),
)


def mask_name(modalities: Collection[str]) -> str:
    """What modalities that are present are called together: `av`, or the one."""
    return "av" if len(modalities) > 1 else "".join(modalities)


@dataclass(frozen=True)
class MaskCalibration:
    """Of clips in which the same modalities are present.

    Args:
        temperature: By which class scores are divided; 1 of values over time.
        bias: (C,) added to them after that; empty for none.
        thresholds: Of the class scores 1 - probability, one that clips of new speakers stay below
            as often as wanted; of values over time, one distance for each dimension. None where
            nothing can be promised.
        clips: On which it was fitted.
        speakers: Of these.
    """

    temperature: float
    bias: list[float]
    thresholds: list[float | None]
    clips: int
    speakers: int

    def check(self, name: str, outputs: int) -> None:
        """Refuse what no model file can say, with a `ValueError`."""
        check_number(f"{name}.temperature", self.temperature, *TEMPERATURES)
        check_list(f"{name}.bias", self.bias, 0, outputs)
        if self.bias and len(self.bias) != outputs:
            raise ValueError(f"{name}.bias has {len(self.bias)} values, not {outputs}")
        for value in self.bias:
            check_number(f"{name}.bias", value, *_BIASES)
        check_list(f"{name}.thresholds", self.thresholds, 1, outputs)
        for limit in self.thresholds:
            if limit is not None:
                check_number(f"{name}.thresholds", limit, *_THRESHOLDS)
        check_whole(f"{name}.clips", self.clips, 1, 1 << 40)
        check_whole(f"{name}.speakers", self.speakers, 1, 1 << 40)


@dataclass(frozen=True)
class ModelCalibration:
    """Of a model.

    Args:
        coverage: Share of the clips, or of the frames, of new speakers whose truth lies within the
            thresholds.
        masks: `av`, `audio` and `video` -> their calibration.
    """

    coverage: float
    masks: dict[str, MaskCalibration]

    def of(self, modalities: Collection[str]) -> MaskCalibration | None:
        """That of the modalities that are present; None where it was not calibrated for them."""
        return self.masks.get(mask_name(modalities))

    def threshold(self, modalities: Collection[str]) -> float | None:
        """Of classes: the threshold where these modalities are present, if there is one."""
        own = self.of(modalities)
        return None if own is None else own.thresholds[0]

    def calibrated(self, scores: Tensor, batch: Batch, specs: Mapping[str, StreamSpec]) -> Tensor:
        """Class scores (B, C) of a batch, by what is present in each of its rows."""
        there: dict[str, Tensor] = {}
        for name, spec in specs.items():
            some = batch.masks[name].any(1)
            there[spec.modality] = there[spec.modality] | some if spec.modality in there else some
        found = scores
        for size in range(1, len(there) + 1):
            for some_of in combinations(there, size):
                own = self.of(some_of)
                if own is None:
                    continue
                alike = scores.new_ones(scores.shape[0]).bool()
                for name, present in there.items():
                    alike = alike & (present if name in some_of else ~present)
                calibrated = scores / own.temperature + scores.new_tensor(own.bias or [0.0])
                found = calibrated.where(alike.unsqueeze(1), found)
        return found

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> ModelCalibration:
        """The inverse of `to_json`; `KeyError`, `TypeError` and `ValueError` as `ModelSpec`."""
        check_mapping("calibration", value)
        assert isinstance(value, Mapping)
        check_mapping("calibration.masks", value["masks"])
        masks = {name: MaskCalibration(**own) for name, own in value["masks"].items()}
        return cls(**{**value, "masks": masks})

    def check(self, modalities: Collection[str], outputs: int) -> None:
        """Refuse what no model file can say, with a `ValueError` that names the field."""
        check_number("calibration.coverage", self.coverage, *COVERAGES)
        known = {mask_name(modalities), *modalities}
        for name, own in self.masks.items():
            if name not in known:
                raise ValueError(f"calibration.masks names {name}, which the model does not read")
            own.check(f"calibration.masks.{name}", outputs)
