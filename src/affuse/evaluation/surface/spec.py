"""Which changes of the recordings a surface is made of, and how strong they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from affuse.errors import AffuseError
from affuse.media.changes.registry import CHANGES, Change, Modality, modality_of

#: Change -> its values from weak to strong; those of a delay from sound that is early to late.
DEFAULT = {
    "white-noise": (20.0, 10.0, 5.0, 0.0),
    "babble": (20.0, 10.0, 5.0, 0.0),
    "room": (0.3, 0.6, 1.2),
    "telephone": (8.0, 6.0, 4.0),
    "codec": (24.0, 12.0, 6.0),
    "packet-loss": (0.1, 0.3, 0.5),
    "blur": (0.005, 0.01, 0.02),
    "darkness": (2.0, 4.0, 6.0),
    "low-resolution": (240.0, 120.0, 60.0),
    "covered-eyes": (0.2, 0.3, 0.4),
    "covered-mouth": (0.2, 0.3, 0.4),
    "lost-frames": (0.3, 0.6, 0.9),
    "delay": (-1.0, -0.3, 0.3, 1.0),
}
_MEANS = {"audio": "sound", "video": "images", "both": "sound and images"}


@dataclass(frozen=True)
class Axis:
    """One change in several strengths.

    Args:
        name: In `CHANGES`.
        changes: In the order of the values.
    """

    name: str
    changes: tuple[Change, ...]

    @classmethod
    def of(cls, name: str, values: Sequence[float | str]) -> Axis:
        """The change with some values.

        Raises:
            AffuseError: There is no such change, or no such value.
        """
        return cls(name, tuple(Change.parse(f"{name}={value}") for value in values))

    @property
    def modality(self) -> Modality:
        """What the change is of."""
        return modality_of(self.name)

    @property
    def values(self) -> list[float]:
        """How strong it is."""
        return [change.low for change in self.changes]


def axes_of(words: Sequence[str], read: Collection[str]) -> list[Axis]:
    """The changes of a surface.

    Args:
        words: `NAME=VALUE,VALUE,...`, or `NAME` for the values of `DEFAULT`; none for all changes
            of what the model reads.
        read: Modalities that the model reads.

    Raises:
        AffuseError: A change is unknown, named twice, without values, or of what is not read.
    """
    if not words:
        chosen = [name for name in DEFAULT if _is_read(name, read)]
        return [Axis.of(name, DEFAULT[name]) for name in chosen]
    axes: list[Axis] = []
    for word in words:
        name, _, text = word.partition("=")
        CHANGES[name]
        if name in [axis.name for axis in axes]:
            raise AffuseError(f"--surface {word}: {name} is named twice")
        if not _is_read(name, read):
            reads = _MEANS["both" if len(read) > 1 else min(read)]
            alone = "" if len(read) > 1 else " alone"
            raise AffuseError(
                f"--surface {word}: {name} is a change of {_MEANS[modality_of(name)]}; the model "
                f"reads {reads}{alone}"
            )
        values = text.split(",") if text else DEFAULT.get(name, ())
        if not values:
            raise AffuseError(f"--surface {word}: say how strong: {name}=VALUE,VALUE,...")
        axis = Axis.of(name, values)
        if any(change.low != change.high for change in axis.changes):
            raise AffuseError(f"--surface {word}: one value after the other, not LOW:HIGH")
        if len({*axis.changes}) < len(axis.changes):
            raise AffuseError(f"--surface {word}: a value is named twice")
        axes.append(axis)
    return axes


def _is_read(name: str, read: Collection[str]) -> bool:
    needed = {"audio", "video"} if modality_of(name) == "both" else {modality_of(name)}
    return needed <= {*read}
