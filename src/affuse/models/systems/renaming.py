"""Renaming between published state dicts and ours.

A rule is a pair of prefixes that end where a module ends: (published, ours). The first rule that
fits a name is applied, so special cases stand before general ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affuse.errors import BadInput

Rules = list[tuple[str, str]]

AFFWILD2 = {
    "data": "Aff-Wild2",
    "licence": "Aff-Wild2: research use under the agreement of its authors",
}
#: What is added where the repository of a system has no licence file.
NO_LICENCE = "; published code and weights: no licence stated"


def translate(name: str, rules: Rules) -> str | None:
    """Our name of a published entry or module; None where no rule fits."""
    for published, ours in rules:
        if name == published or name.startswith(published + "."):
            return ours + name[len(published) :]
    return None


def inverse(rules: Rules) -> Rules:
    """The rules in the other direction."""
    return [(ours, published) for published, ours in rules]


def prefixed(published: str, ours: str, rules: Rules) -> Rules:
    """The rules of a part that stands behind these prefixes."""
    return [(published + a, ours + b) for a, b in rules]


def class_names(path: Path, count: int, names: Sequence[str] | None) -> list[str]:
    """The names of `count` classes; `BadInput` where there are none or another number."""
    if names is None:
        raise BadInput(path, f"has {count} classes of unknown meaning; name them with classes=")
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise BadInput(path, f"classes={names!r}: expected a list of names")
    if len(names) != count:
        raise BadInput(path, f"has {count} classes, but {len(names)} names are given")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < count:
        raise BadInput(path, f"classes={names}: expected {count} different names")
    return list(names)
