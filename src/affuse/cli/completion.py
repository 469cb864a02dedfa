"""`affuse completion`, and what a shell is told when somebody presses Tab."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from importlib.resources import files

SHELLS = ("bash", "zsh", "fish")
#: Set by a shell that asks; the line so far is in `COMP_LINE`.
_ASKED = "_ARGCOMPLETE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("shell", choices=SHELLS, help="for which shell")


def run(options: argparse.Namespace) -> int:
    """Print the code that the shell has to run."""
    from argcomplete import shellcode

    print(shellcode(["affuse"], shell=options.shell).strip())
    return 0


def line_so_far() -> list[str] | None:
    """The words after `affuse` that a shell wants completed; None where none asks."""
    if _ASKED not in os.environ:
        return None
    return os.environ.get("COMP_LINE", "").split()[1:]


def complete(parser: argparse.ArgumentParser, verb: argparse.ArgumentParser | None) -> None:
    """Answer the shell and end.

    Args:
        parser: Of the whole command.
        verb: That of the verb in the line, if there is one.
    """
    import argcomplete

    for action in verb._actions if verb else ():
        if (names := _NAMES.get(action.dest)) and not action.choices:
            action.completer = _completer(names)  # type: ignore[attr-defined]  # what it looks for
    argcomplete.autocomplete(parser, always_complete_options=False)


def _completer(names: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    """Completes the last of several names with commas between them."""

    def completer(prefix: str, **_: object) -> list[str]:
        before, comma, _last = prefix.rpartition(",")
        return [f"{before}{comma}{name}" for name in names()]

    return completer


def _corpora() -> Iterable[str]:
    from affuse.corpora.registry import CORPORA

    return CORPORA


def _recipes() -> Iterable[str]:
    """The names of the files: to import what reads them takes seconds."""
    found = (files("affuse") / "training" / "recipes").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in found)


def _streams() -> Iterable[str]:
    from affuse.features.catalogue import STREAMS

    return (name for name in STREAMS if "<" not in name)


def _formats() -> Iterable[str]:
    from affuse.interchange.formats import FORMATS

    return [*FORMATS, "tidy"]


#: Name of an argument -> what it may be; files and folders complete themselves.
_NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "corpus": _corpora,
    "recipe": _recipes,
    "streams": _streams,
    "formats": _formats,
}
