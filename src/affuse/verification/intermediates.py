"""What modules inside a model return, as a case lists it: module, call, item of a tuple."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from affuse.models.systems.renaming import Rules, translate


@dataclass(frozen=True)
class Place:
    """Where an intermediate comes from.

    Args:
        module: Published name of the module.
        call: 0 for its first call, n for its n-th further one.
        item: Of the tuple that it returns; None for the value itself, or the first of a tuple.
        separate: Whether the case tells calls of the module apart. Otherwise they may be parts of
            one, such as images that pass a network in several chunks.
    """

    module: str
    call: int = 0
    item: int | None = None
    separate: bool = False


def intermediates_of(content: Mapping[str, Any], entries: Iterable[str]) -> dict[str, Place]:
    """The places of all intermediates of a case.

    Args:
        content: The case.
        entries: Published names of its weights; they tell the module `layers.1` from the second
            item that `layers` returns.

    Raises:
        ValueError: A name is none of a module with weights, and its calls and items.
    """
    modules = {
        entry[:end].removeprefix("module.")
        for entry in entries
        for end, letter in enumerate(entry)
        if letter == "."
    }
    found = {name: _place(name, modules) for name in content["intermediates"]}
    several = {place.module for place in found.values() if place.call}
    return {
        name: Place(place.module, place.call, place.item, place.module in several)
        for name, place in found.items()
    }


def _place(name: str, modules: set[str]) -> Place:
    """`x`, `x.call2` (the second further call of x), `x.0` (an item), `x.call2.0`, `x.0.call2`."""
    module, call, item = name, 0, None
    while module not in modules:
        module, _, last = module.rpartition(".")
        number = last.removeprefix("call")
        if not (module and number.isdecimal()):
            raise ValueError(f"intermediates: {name!r} is no module with weights")
        if number == last:
            item = int(number)
        else:
            call = int(number)
    return Place(module, call, item)


def our_names(model: nn.Module, places: Mapping[str, Place], rules: Rules) -> dict[str, str]:
    """Published module -> our name of it.

    Raises:
        ValueError: The model has no such module.
    """
    names = {}
    for published in (place.module for place in places.values()):
        ours = translate(published, rules)
        if ours is None or ours not in dict(model.named_modules()):
            raise ValueError(f"intermediates: affuse has no counterpart of the module {published}")
        names[published] = ours
    return names


def place_error(
    place: Place,
    calls: list[Any],
    expected: Mapping[str, Any],
    arrange: Callable[[str, Tensor], Tensor] = lambda module, x: x,
) -> float:
    """How far an intermediate is off; see `tensor_error`.

    Args:
        place: Where it comes from.
        calls: What the module returned, call by call.
        expected: The tensor as the case summarises it.
        arrange: Published name of the module and our value -> the published axes.

    Raises:
        ValueError: There was no such call, or the module returns no such item.
    """
    if place.call >= len(calls):
        raise ValueError(f"{place.module}.call{place.call}: called {len(calls)} times here")
    found = [arrange(place.module, _item(place, call)) for call in calls]
    whole = found[place.call]
    if not place.separate and list(whole.shape) != expected["shape"]:
        whole = arrange(place.module, torch.cat([_item(place, call) for call in calls]))
    return tensor_error(whole, expected)


def _item(place: Place, value: Any) -> Tensor:
    if isinstance(value, tuple):
        index = place.item or 0
        if index < len(value):
            item: Tensor = value[index]
            return item
    elif place.item is None:
        tensor: Tensor = value
        return tensor
    raise ValueError(f"{place.module}.{place.item}: it returns no such item here")


@contextmanager
def recorded(model: nn.Module, names: Mapping[str, str]) -> Iterator[dict[str, list[Any]]]:
    """Collect what modules return while the block runs.

    Args:
        model: The model.
        names: Key -> name of a module.

    Yields:
        Key -> the result of every call.
    """
    values: dict[str, list[Any]] = {key: [] for key in names}

    def keep(key: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, result: Any) -> None:
            several = isinstance(result, tuple)
            kept = tuple(x.detach().clone() for x in (result if several else (result,)))
            values[key].append(kept if several else kept[0])

        return hook

    handles = [
        model.get_submodule(name).register_forward_hook(keep(key)) for key, name in names.items()
    ]
    try:
        yield values
    finally:
        for handle in handles:
            handle.remove()


def tensor_error(found: Tensor, expected: Mapping[str, Any]) -> float:
    """Largest difference over the listed values, of the mean, the spread or the norm.

    All but that of the norm are relative to the largest of the listed values.

    Args:
        found: What was computed.
        expected: A tensor as a case summarises it.

    Returns:
        The error; infinite where the shape differs.
    """
    if list(found.shape) != expected["shape"]:
        return float("inf")
    flat = found.detach().double().cpu().flatten()
    if not flat.isfinite().all():
        return float("inf")
    if "values" in expected:
        listed, values = flat, expected["values"]
    else:
        listed = flat[[index for index, _ in expected["probe"]]]
        values = [value for _, value in expected["probe"]]
    target = torch.tensor(values, dtype=torch.float64)
    largest = target.abs().max().item()
    errors = [(listed - target).abs().max().item() / largest]
    errors.append(abs(flat.norm().item() - expected["l2"]) / expected["l2"])
    for name, value in (("mean", flat.mean()), ("std", flat.std(correction=0))):
        if name in expected:
            errors.append(abs(value.item() - expected[name]) / largest)
    return max(errors) if all(map(math.isfinite, errors)) else float("inf")
