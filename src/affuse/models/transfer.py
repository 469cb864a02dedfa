"""The weights of one model into another: what fits by name and shape, classes by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from affuse.models.base import Model
from affuse.models.registry import create_model
from affuse.suggestions import unknown


@dataclass(frozen=True)
class Taken:
    """What a model took from another one.

    Args:
        tensors: Entries of its state dict that were taken, whole or by classes.
        of: Entries that it has.
        classes: Where classes (or dimensions) differ, those whose weights were taken by name.
        fresh_classes: The others, where there are any such.
        fresh: Parts that keep their fresh weights.
        unused: Parts of the other model that were not taken.
    """

    tensors: int
    of: int
    classes: list[str]
    fresh_classes: list[str]
    fresh: list[str]
    unused: list[str]

    def __str__(self) -> str:
        told = [f"{self.tensors} of {self.of} tensors"]
        for what, names in (
            ("classes by name", self.classes),
            ("fresh classes", self.fresh_classes),
            ("fresh", self.fresh),
            ("not taken", self.unused),
        ):
            if names:
                more = f" and {len(names) - 4} more" if len(names) > 4 else ""
                told.append(f"{what}: {', '.join(names[:4])}{more}")
        return "; ".join(told)


def take_weights(
    model: Model,
    name: str,
    options: Mapping[str, Any],
    classes: Sequence[str],
    given: Mapping[str, Tensor],
    given_classes: Sequence[str],
    parts: Sequence[str] = (),
) -> Taken:
    """Give a model the weights of another one, as far as they fit.

    A layer is taken whole, with its running statistics, or not at all; what is not taken keeps its
    values. Where classes differ, a layer that ends in them takes the weights of those that both
    have, by name.

    Args:
        model: Takes the weights.
        name: Of this model in the registry.
        options: That it was built with.
        classes: Its classes or dimensions.
        given: Entry -> value of the other model.
        given_classes: The classes or dimensions of the other model.
        parts: Prefixes of entries, such as `audio` or `video.stage1`, to take only these; empty
            for all.

    Returns:
        What was taken; no tensor where nothing fits.

    Raises:
        AffuseError: The model has no such part.
    """
    own = model.state_dict()
    for part in parts:
        if not any(_within(entry, part) for entry in own):
            raise unknown("part", part, dict.fromkeys(entry.split(".", 1)[0] for entry in own))
    same = list(classes) == list(given_classes)
    heads = _Heads() if same else _heads(model, name, options, len(classes))
    places = {k: list(given_classes).index(c) for k, c in enumerate(classes) if c in given_classes}
    source = _Source(given, heads, places, len(given_classes))
    layers: dict[str, dict[str, tuple[str, Tensor] | None]] = defaultdict(dict)
    for entry, fresh in own.items():
        if not parts or any(_within(entry, part) for part in parts):
            layers[entry.rpartition(".")[0]][entry] = source.fitting(entry, fresh)
    whole = [layer for layer in layers.values() if None not in layer.values()]
    taken = {entry: found for layer in whole for entry, found in layer.items() if found}
    model.load_state_dict(own | {entry: value for entry, (_, value) in taken.items()})
    used = {source for source, _ in taken.values()}
    ends = heads.rows | heads.single.keys()
    by_name = [classes[k] for k in places] if ends & taken.keys() else []
    return Taken(
        tensors=len(taken),
        of=len(own),
        classes=by_name,
        fresh_classes=[c for c in classes if c not in by_name] if by_name else [],
        fresh=_parts([entry for entry in own if entry not in taken], own),
        unused=_parts([entry for entry in given if entry not in used], given),
    )


@dataclass(frozen=True)
class _Heads:
    """Entries that depend on the number of outputs.

    Args:
        rows: Those with a row per output.
        single: Those of a layer for one output: the output, and where its number is in the name.
    """

    rows: set[str] = field(default_factory=set)
    single: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Source:
    """Another model, whose weights are looked up.

    Args:
        given: Entry -> value.
        heads: Entries of the taking model that depend on the outputs.
        places: Output of the taking model -> output of the other.
        outputs: How many the other has.
    """

    given: Mapping[str, Tensor]
    heads: _Heads
    places: Mapping[int, int]
    outputs: int

    def fitting(self, entry: str, fresh: Tensor) -> tuple[str, Tensor] | None:
        """The entry that fits one of the taking model, and the value; None where none does."""
        if entry in self.heads.single:
            number, place = self.heads.single[entry]
            if number not in self.places:
                return None
            entry = _numbered(entry, place, self.places[number])
        other = self.given.get(entry)
        if other is None:
            return None
        if entry in self.heads.rows:
            if not self.places or other.shape != (self.outputs, *fresh.shape[1:]):
                return None
            value = fresh.clone()
            value[list(self.places)] = other[list(self.places.values())].to(fresh.dtype)
            return entry, value
        return (entry, other.to(fresh.dtype)) if other.shape == fresh.shape else None


def _heads(model: Model, name: str, options: Mapping[str, Any], outputs: int) -> _Heads:
    """What changes in a model with one more output."""
    own = model.state_dict()
    with torch.device("meta"):
        grown = create_model(name, model.streams, outputs + 1, **options).state_dict()
    rows = {name for name, x in own.items() if name in grown and grown[name].shape != x.shape}
    single: dict[str, tuple[int, int]] = {}
    for entry in grown.keys() - own.keys():  # the layer of the additional output
        for place, word in enumerate(entry.split(".")):
            others = {_numbered(entry, place, k): (k, place) for k in range(outputs)}
            if word == str(outputs) and others.keys() <= own.keys():
                single |= others
    return _Heads(rows, single)


def _numbered(entry: str, place: int, number: int) -> str:
    """The name with another number at this place."""
    words = entry.split(".")
    return ".".join([*words[:place], str(number), *words[place + 1 :]])


def _within(entry: str, part: str) -> bool:
    return entry == part or entry.startswith(part + ".")


def _parts(entries: Sequence[str], everything: Iterable[str]) -> list[str]:
    """The fewest prefixes that hold these entries and none of the others."""
    chosen = set(entries)
    others = [entry for entry in everything if entry not in chosen]
    kept = {".".join(x.split(".")[:n]) for x in others for n in range(1, x.count(".") + 2)}
    found = []
    for entry in entries:
        words = entry.split(".")
        prefixes = (".".join(words[:n]) for n in range(1, len(words) + 1))
        found.append(next(prefix for prefix in prefixes if prefix not in kept))
    return list(dict.fromkeys(found))
