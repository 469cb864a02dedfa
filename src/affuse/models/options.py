"""Options given by name: checked before anything is built, so that a slip is one clear line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from affuse.errors import AffuseError
from affuse.suggestions import closest, hint

#: What a model ends in. `classes`: scores of classes per clip, for the tasks classification and
#: distribution; `frames`: values such as valence and arousal for every frame of the leader.
Head = Literal["classes", "frames"]

#: Option -> the value that earlier versions called `sound`; `reference` was `published`.
_SOUND = {
    "masking": "exclude",
    "padding": "exclude",
    "spatial": "positions",
    "readout": "attended",
}


def current_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a model as they are called now, of files and commands of earlier versions."""
    now = dict(options)
    for name, usual in _SOUND.items():
        if now.get(name) in ("sound", "reference"):
            now[name] = usual if now[name] == "sound" else "published"
    return now


def accepted(build: Callable[..., Any]) -> list[str]:
    """Names of the keyword-only parameters; of a class that hands `**shared` on, its base's too."""
    parameters = inspect.signature(build).parameters.values()
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    if isinstance(build, type) and any(p.kind is p.VAR_KEYWORD for p in parameters):
        names += [name for name in accepted(build.__mro__[1]) if name not in names]
    return names


def defaults(build: type) -> dict[str, Any]:
    """Keyword-only parameters of a class, and of those that it hands `**shared` on to: defaults."""
    parameters = inspect.signature(build).parameters.values()
    shared = any(p.kind is p.VAR_KEYWORD for p in parameters)
    usual = defaults(build.__mro__[1]) if shared else {}
    return usual | {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def check_options(owner: str, build: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Compare options with the keyword-only parameters of what will be built.

    Args:
        owner: What the message calls it.
        build: A class or function.
        options: Name -> value.

    Raises:
        AffuseError: One of them does not exist; the message names those that do.
    """
    known = accepted(build)
    for name in options:
        if name not in known:
            raise AffuseError(f"{owner} has no option {name!r}; {hint(name, known)}")


def check_choice(name: str, value: object, literal: Any) -> None:
    """Raise an `AffuseError` unless the value is one of a `Literal`."""
    if value not in get_args(literal):
        choices = get_args(literal)
        near = closest(str(value), map(str, choices))
        meant = f"did you mean {near!r}? " if near else ""
        listed = " or ".join(map(repr, choices))
        raise AffuseError(f"{name}={value!r}: {meant}expected {listed}")
