"""`affuse synth`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.suggestions import unknown


def _first(count: int) -> range:
    return range(1, count + 1)


def _seconds(length: int) -> tuple[float, float]:
    return float(length), float(length)


def _sentences(count: int) -> tuple[str, ...]:
    return ("MTI", "IEO")[:count]


#: Corpus -> module of its look-alike or of `sounds`, and what can be said about its size.
_CORPORA: dict[str, tuple[str, Mapping[str, Callable[[int], Any]]]] = {
    "ravdess": ("ravdess", {"actors": _first}),
    "cremad": ("cremad", {"actors": int, "sentences": _sentences}),
    "msp-improv": ("msp_improv", {"sessions": _first, "turns": int}),
    "affwild2": ("affwild2", {"videos": int, "seconds": _seconds}),
    "sounds": ("sounds", {"each": int, "seconds": float}),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    sizes = "; ".join(f"{name}: {', '.join(known)}" for name, (_, known) in _CORPORA.items())
    parser.add_argument(
        "corpus", choices=tuple(_CORPORA), help="whose layout; or sounds, without a voice"
    )
    parser.add_argument("out", type=Path, help="folder to write the corpus to")
    parser.add_argument(
        "changes",
        nargs="*",
        metavar="key=number",
        help=f"how large it is, such as actors=4 ({sizes})",
    )
    parser.add_argument("--seed", type=int, default=0, help="another corpus for each (default: 0)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")


def run(options: argparse.Namespace) -> int:
    """Write the corpus; complete files that are there are kept."""
    from affuse.execution.progress import progress

    module, known = _CORPORA[options.corpus]
    sizes = dict(_size(change, known) for change in options.changes)
    import_module(f"affuse.corpora.synthetic.{module}").synthesise(
        options.out, seed=options.seed, workers=options.workers, progress=progress, **sizes
    )
    alike = f"a look-alike of {options.corpus}"
    what = "sounds without a voice" if options.corpus == "sounds" else alike
    print(f"{options.out}: {what}", file=sys.stderr)
    return 0


def _size(change: str, known: Mapping[str, Callable[[int], Any]]) -> tuple[str, Any]:
    key, _, text = change.partition("=")
    if key not in known:
        raise unknown("size", key, known)
    if not text.isdecimal() or int(text) < 1:
        raise AffuseError(f"{change!r}: expected {' or '.join(f'{name}=N' for name in known)}")
    return key, known[key](int(text))
