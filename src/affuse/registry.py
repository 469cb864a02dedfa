"""What there is by name: models, streams, corpora, detectors; affuse's own and other packages'.

A package adds to a registry by an entry point whose group is the registry's, such as, in its
`pyproject.toml`,

    [project.entry-points."affuse.models"]
    my-model = "my_package.model:MyModel"

Entry points are read when a name is asked for that affuse itself does not have, or when all names
are listed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

from affuse.errors import AffuseError, reason_of, shown
from affuse.suggestions import unknown

#: Group -> the `module:dictionary` of entries that rooms further down the flow add to it.
_LATER: dict[str, str] = {}


@dataclass(frozen=True)
class Entry:
    """Something that can be asked for by name; imported when it is used.

    Args:
        target: `module:attribute`, or a module.
        summary: What it is, in a line; by default the first line of its docstring.
        arguments: What it is built with.
        package: The distribution that adds it; empty for affuse's own.
    """

    target: str
    summary: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    package: str = ""

    def load(self) -> Any:
        """The module, class or function.

        Raises:
            AffuseError: Another package's cannot be imported.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found = import_module(module)
            return getattr(found, attribute) if attribute else found
        except Exception as error:
            if not self.package:
                raise
            raise AffuseError(
                f"{self.target} of the package {self.package} cannot be imported: "
                f"{reason_of(error)}"
            ) from error

    def describe(self) -> str:
        """The line about it; of another package's with the name of that."""
        if self.summary:
            return self.summary
        try:
            first = (inspect.getdoc(self.load()) or "").partition("\n")[0]
        except AffuseError as error:
            return str(error)
        return f"{first} ({self.package})" if self.package else first


E = TypeVar("E", bound=Entry)


class UnknownName(AffuseError, KeyError):
    """A registry has no such name; the message has the closest one."""

    def __str__(self) -> str:  # that of KeyError is in quotes
        return shown(self.args[0])


class Registry(Mapping[str, E], Generic[E]):
    """Entries by name, or by a pattern of names.

    In a pattern `<N>` stands for a number and `<word>` for letters, digits, `-` and `_`. A name
    that is affuse's own is never another package's; of two packages with one name the first in
    alphabetical order has it.

    Args:
        kind: What messages call one of them, such as `model`.
        own: affuse's own, in the order of listings.
        group: Group of the entry points by which other packages add to it; empty for none.
        listed_by: Command that lists them all.
        foreign: Makes an entry of the type `E` of another package's.
    """

    def __init__(
        self,
        kind: str,
        own: Mapping[str, E],
        *,
        group: str = "",
        listed_by: str = "",
        foreign: Callable[[Entry], E] | None = None,
    ) -> None:
        self.kind, self.group, self.listed_by = kind, group, listed_by
        self._first, self._foreign = dict(own), foreign

    def __getitem__(self, name: str) -> E:
        if (pattern := self.pattern_of(name)) is None:
            raise UnknownName(str(unknown(self.kind, name, self, self.listed_by)))
        if pattern in self._own:
            return self._own[pattern]
        entry = self._others[pattern]
        return self._foreign(entry) if self._foreign else cast(E, entry)

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._others

    def __len__(self) -> int:
        return len(self._own) + len(self._others)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.pattern_of(name) is not None

    def pattern_of(self, name: str) -> str | None:
        """The name or pattern of the registry that a name is one of; None where it has none."""
        return _pattern_among(self._own, name) or _pattern_among(self._others, name)

    @cached_property
    def _own(self) -> dict[str, E]:
        if self.group not in _LATER:
            return self._first
        return self._first | Entry(_LATER[self.group]).load()

    @cached_property
    def _others(self) -> dict[str, Entry]:
        if not self.group:
            return {}
        from importlib.metadata import entry_points

        points = sorted(
            (point.dist.name if point.dist else "another package", point.name, point.value)
            for point in entry_points(group=self.group)
        )
        found: dict[str, Entry] = {}
        for package, name, target in points:
            if name not in self._own:
                found.setdefault(name, Entry(target, package=package))
        return found


def _pattern_among(known: Mapping[str, Entry], name: str) -> str | None:
    if name in known:
        return name
    return next((one for one in known if "<" in one and match(one, name)), None)


def match(pattern: str, name: str) -> re.Match[str] | None:
    """How a name fits a pattern of a registry."""
    parts = re.split(r"(<N>|<word>)", pattern)
    kinds = {"<N>": r"([1-9]\d{0,2})", "<word>": r"([A-Za-z0-9][\w-]*)"}
    return re.fullmatch("".join(kinds.get(p) or re.escape(p) for p in parts), name, re.ASCII)


def later(group: str) -> Any:
    """What a room further down the flow added for a room above it; see `add_later`."""
    return Entry(_LATER[group]).load()


def add_later(group: str, target: str) -> None:
    """Add entries of a room to the registry of a room above it, which may not import it.

    Args:
        group: Of the registry.
        target: `module:dictionary` of name -> entry; or, of what is asked for with `later`,
            anything that can be imported.
    """
    _LATER[group] = target
