"""The content of a case, which remembers what was read: nothing that a case says is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Content(dict[str, Any]):
    """A mapping of a case that knows which of its keys nobody has read.

    Args:
        values: As JSON has them; mappings inside become the same, at any depth.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({key: _noticed(value) for key, value in values.items()})
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        self._read.add(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, which counts as read whether it is there or not."""
        self._read.add(key)
        return super().get(key, default)

    def items(self) -> Any:
        """All keys and values, which then count as read."""
        self._read.update(self)
        return super().items()

    def values(self) -> Any:
        """All values, which then count as read."""
        self._read.update(self)
        return super().values()

    def __eq__(self, other: object) -> bool:
        self._read.update(self)  # the comparison reads what is inside in the same way
        return super().__eq__(other)

    def unread(self) -> list[str]:
        """The keys that nobody has read, as paths such as `train_step.loss`."""
        found = []
        for key, value in super().items():
            inside = [name for part in _parts(value) for name in part.unread()]
            found += [f"{key}.{name}" for name in dict.fromkeys(inside)]
            if key not in self._read and not inside:
                found.append(key)
        return sorted(found)


def _noticed(value: Any) -> Any:
    if isinstance(value, dict):
        return Content(value)
    return [_noticed(item) for item in value] if isinstance(value, list) else value


def _parts(value: Any) -> Iterator[Content]:
    """The mappings in a value, whether it is one or a list of some."""
    if isinstance(value, Content):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item)
