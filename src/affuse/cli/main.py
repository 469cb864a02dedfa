"""The entry point: finds the verb, runs it, turns errors into one line and an exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from affuse.cli.completion import complete, line_so_far
from affuse.cli.examples import EXAMPLES
from affuse.cli.parser import Parser
from affuse.errors import AffuseError, is_defect, line_of
from affuse.execution import threads
from affuse.execution.logs import quieten_torch, said_warnings
from affuse.execution.progress import bars
from affuse.execution.signals import signals_raise
from affuse.execution.terminal import printable
from affuse.extras import need

#: Verb -> what it does; the module of the same name (`module_of`) has `add_arguments` and `run`.
VERBS = {
    "demo": "a synthetic corpus, two models and a report, in minutes",
    "list": "what models, corpora, streams, recipes, protocols, leaks and conditions there are",
    "synth": "make a synthetic look-alike of a corpus, or sounds without a voice",
    "fetch": "download a corpus or weights from the official place, or say how to apply for it",
    "check": "what is there, missing or broken of a corpus; leaks in a protocol",
    "protocol": "make a protocol for a corpus: speaker-independent folds",
    "prepare": "turn the recordings of a corpus into streams in a store",
    "merge": "make one store of shards that were prepared on several disks",
    "train": "train a recipe on a store, fold by fold",
    "evaluate": "score a run, any model file or table of predictions, also with a modality missing",
    "check-model": "checks that a model passes or fails: right, fair, steady, quiet about nothing",
    "calibrate": "probabilities that are as often right as they say, and what is not ruled out",
    "compare": "whether one model is better than another on the same clips",
    "report": "one page about evaluated runs: scores, figures, comparisons, worst clips",
    "card": "the model card of a run or a model file",
    "table": "the table of a paper: recipes, seeds, conditions, intervals, significance",
    "submit": "scripts by which SLURM or PBS Pro run prepare, train --grid or table in parts",
    "power": "how many speakers a comparison needs, before they are recorded",
    "reproduce": "a row of a published table again: as published, and by the default recipe",
    "combine": "a model of the voice and one of the face, trained apart, into one calibrated file",
    "ensemble": "folds or models of continuous valence-arousal as one; the files of a challenge",
    "predict": "an emotion over time for recordings: CSV, JSON, PNG, HTML and video",
    "agree": "how far people and models agree: kappa, alpha, CCC, frame by frame",
    "events": "what a timeline says around events, by condition",
    "live": "an emotion over time in real time: a line of JSON per hop",
    "serve": "an HTTP API for predictions: upload a recording, get its timelines",
    "export": "a model file as an ONNX file, which predicts without torch",
    "convert": "turn a published checkpoint into a model file",
    "parity": "re-compute the parity cases",
    "bench": "speed and memory of affuse beside the plain published way, with the breakdown",
    "completion": "Tab completion for bash, zsh or fish",
    "doctor": "what is usable here: versions, codecs, GPU, extras, and a prediction as a test",
}

#: Verb -> the extra that it does nothing without.
NEEDS = {
    **dict.fromkeys(("train", "evaluate", "check-model", "calibrate", "compare"), "train"),
    **dict.fromkeys(("report", "card", "table", "power", "reproduce", "combine"), "train"),
    **dict.fromkeys(("ensemble", "agree", "events"), "train"),
    "demo": "demo",
    "bench": "demo",
    "serve": "serve",
    "export": "export",
}

#: New objects after which the collector looks for unused ones. Libraries make as many that stay,
#: and looking at these was a sixth of the time of their import.
_OBJECTS = 100_000

#: What verbs were called in earlier versions.
RENAMED = {"fuse": "ensemble", "stream": "live"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb.

    Returns:
        The exit code: 0, 1 (a check failed, or a defect), 2 (bad input), 130 (Ctrl-C),
        143 (SIGTERM).
    """
    threads.settle()  # before anything imports torch
    gc.set_threshold(_OBJECTS)
    quieten_torch()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if (asked := line_so_far()) is not None:
        words = asked
    first = next((word for word in words if not word.startswith("-")), "")
    if first in RENAMED:
        print(f"affuse: {first} is called {RENAMED[first]} now", file=sys.stderr)
        return 2
    with printable(), signals_raise(), bars(), said_warnings():
        return _guarded(words, next((word for word in words if word in VERBS), None))


def module_of(verb: str) -> Any:
    """The module of a verb."""
    return import_module(f"affuse.cli.{verb.replace('-', '_')}")


def _guarded(words: list[str], verb: str | None) -> int:
    """Run a command; whatever ends it is one line."""

    def say(text: str) -> None:
        print(f"affuse {verb}: {text}" if verb else f"affuse: {text}", file=sys.stderr)

    kept = "what was finished is kept, run it again to go on" + (
        " (with --resume)" if verb in ("train", "predict") else ""
    )
    try:
        code = _run(words, verb)
        if sys.stdout is not None:
            sys.stdout.flush()  # a disk that is full, or a reader that went away, shows here
    except KeyboardInterrupt:
        say(f"interrupted; {kept}")
        return 130
    except SystemExit as error:  # Lightning's own, in a training, has no code
        number = signal.SIGTERM + 128 if error.code is None else int(error.code)
        if number <= 128:
            raise
        say(f"ended by {signal.Signals(number - 128).name}; {kept}")
        return number
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _discard_output()
        return 0
    except Exception as error:
        if not getattr(error, "told", False):
            say(line_of(error))
        _discard_output()
        return 1 if is_defect(error) else 2
    return code


def _run(words: list[str], chosen: str | None) -> int:
    parser = Parser(
        prog="affuse",
        description="Audio-visual emotion recognition: prepare a corpus, train, evaluate, predict.",
        epilog="affuse VERB --help explains a verb.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs, in the order of use")
    for verb, help_line in VERBS.items():
        example = f"example: {EXAMPLES[verb]}"
        subparser = verbs.add_parser(verb, help=help_line, description=help_line, epilog=example)
        if verb == chosen:
            module_of(verb).add_arguments(subparser)
    if line_so_far() is not None:
        complete(parser, verbs.choices.get(chosen or ""))
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
    if options.verb in NEEDS:
        need(NEEDS[options.verb])
    code: int = module_of(options.verb).run(options)
    return code


def _discard_output() -> None:
    """Let Python end without a word where what is left to print cannot be."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, AffuseError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
