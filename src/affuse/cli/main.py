"""The entry point: finds the verb, runs it, turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from affuse.cli.examples import EXAMPLES
from affuse.cli.parser import Parser

#: Verb -> what it does; the module of the same name has `add_arguments` and `run`.
VERBS = {
    "demo": "a synthetic corpus, two models and a report, in minutes",
    "list": "what models, corpora, streams, recipes, protocols, leaks and conditions there are",
    "synth": "make a synthetic look-alike of a corpus",
    "fetch": "download a corpus from its official place, or say how to apply for it",
    "check": "what is there, missing or broken of a corpus; leaks in a protocol",
    "protocol": "make a protocol for a corpus: speaker-independent folds",
    "prepare": "turn the recordings of a corpus into streams in a store",
    "train": "train a recipe on a store, fold by fold",
    "evaluate": "score a run or any model file, also with a modality missing or noisy",
    "combine": "a model of the voice and one of the face, trained apart, into one calibrated file",
    "fuse": "fuse folds or models of continuous valence-arousal; write the files of a challenge",
    "predict": "an emotion over time for recordings: CSV, JSON, PNG, HTML and video",
    "stream": "an emotion over time in real time: a line of JSON per hop",
    "convert": "turn a published checkpoint into a model file",
    "parity": "re-compute the parity cases",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code: 0, 1 (a check failed), 2 (bad input), 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = Parser(
        prog="affuse",
        description="Audio-visual emotion recognition: prepare a corpus, train, evaluate, predict.",
        epilog="affuse VERB --help explains a verb.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs, in the order of use")
    chosen = next((word for word in words if word in VERBS), None)
    for verb, help_line in VERBS.items():
        example = f"example: {EXAMPLES[verb]}"
        subparser = verbs.add_parser(verb, help=help_line, description=help_line, epilog=example)
        if verb == chosen:
            import_module(f"affuse.cli.{verb}").add_arguments(subparser)
    options, rest = parser.parse_known_args(words)
    changes = hasattr(options, "changes") and all("=" in w and w[0] != "-" for w in rest)
    if rest and not changes:
        (verbs.choices[options.verb] if options.verb else parser).unrecognised(rest)
    if rest:  # argparse takes key=value only before the options; users put them anywhere
        options.changes += rest
    if options.version:
        from importlib.metadata import version

        print(version("affuse"))
        return 0
    if options.verb is None:
        parser.print_help()
        return 0
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    from affuse.errors import AffuseError

    try:
        code: int = import_module(f"affuse.cli.{options.verb}").run(options)
    except AffuseError as error:
        print(f"affuse {options.verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"affuse {options.verb}: interrupted; what was finished is kept, run it again to go on"
            + (" (with --resume)" if options.verb == "train" else ""),
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
