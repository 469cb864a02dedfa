"""The parser of the command line: mistakes are one line, with what was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from affuse.suggestions import closest, hint


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that says a mistake in one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the mistake and where the help is."""
        where = f"{self.prog} --help)"
        said = message if message.endswith(where) else f"{message} ({where}"
        self.exit(2, f"{self.prog}: {said}\n")

    def unrecognised(self, words: Sequence[str]) -> NoReturn:
        """The error of words that no argument takes."""
        known = [name for action in self._actions for name in action.option_strings]
        options = [word.partition("=")[0] for word in words if word.startswith("-")]
        near = closest(options[0], known) if options else None
        meant = f"; did you mean {near}?" if near else ""
        self.error(f"unrecognized arguments: {' '.join(words)}{meant}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        name = action.option_strings[0] if action.option_strings else action.dest
        known = hint(str(value), map(str, action.choices), f"{self.prog} --help")
        raise argparse.ArgumentError(None, f"no {name} named {value!r}; {known}")
