"""`affuse agree`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affuse.cli.tables import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "coders",
        nargs="+",
        type=Path,
        metavar="CODER",
        help="of each coder, person or model, a file (.eaf, .TextGrid, .boris, .tsv, .vtt, .txt, "
        "or a timeline .json or .csv), a folder of such files, or a quoted pattern such as "
        "'human/*.eaf'; recordings are matched by the names of the files",
    )
    parser.add_argument(
        "--tier",
        action="append",
        default=[],
        metavar="NAME",
        help="the tier that is compared; given once for all coders, or once for each in their "
        "order (default: every signal that all of them have)",
    )
    parser.add_argument(
        "--map",
        nargs="+",
        default=[],
        metavar="LABEL=LABEL|FILE",
        help="which label counts as which, such as joy=happy; or a file of such lines",
    )
    parser.add_argument(
        "--step",
        type=float,
        default=0.1,
        metavar="SECONDS",
        help="from frame to frame (default: 0.1)",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Compare, and print a table."""
    from affuse.errors import AffuseError, shown
    from affuse.evaluation.agreement import agreement

    if len(options.coders) < 2:
        raise AffuseError("agreement needs two coders: name the files of one, then of the other")
    if not 0.001 <= options.step <= 60:
        raise AffuseError(f"--step must be 0.001 to 60 seconds, not {options.step:g}")
    result = agreement(options.coders, options.tier, _meant(options.map), options.step)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return 0
    names = result["recordings"]
    told = f"{len(names)} recordings" if len(names) > 1 else f"recording {names[0]}"
    print(shown(f"{told}, frames of {result['step']:g} s"))
    for line in result["left_out"]:
        print(shown(f"left out: {line}"))
    if counted := [f"{a} as {b}" for a, b in result["counted_as"].items()]:
        print(shown(f"counted as: {', '.join(counted)}"))
    for signal, facts in result["signals"].items():
        _print_signal(signal, facts, result["coders"])
    return 0


def _meant(words: Sequence[str]) -> dict[str, str]:
    """Label -> label of the words, and of the lines of the files among them."""
    from affuse.errors import AffuseError, BadInput
    from affuse.execution.text_files import read_lines

    found = {}
    for word in words:
        file = "=" not in word
        lines = [line for _, line in read_lines(Path(word))] if file else [word]
        for line in lines:
            label, equals, name = line.partition("=")
            if not equals or not label.strip() or not name.strip():
                told = f"{line!r} is no LABEL=LABEL"
                raise BadInput(Path(word), told) if file else AffuseError(f"--map: {told}")
            found[label] = name
    return found


def _print_signal(signal: str, facts: Mapping[str, Any], coders: Sequence[str]) -> None:
    from affuse.errors import shown
    from affuse.metrics.agreement import CLASS_AGREEMENT
    from affuse.metrics.over_time import SERIES_METRICS

    print(f"\n{shown(signal)}: {facts['frames']:,} frames")
    print_table([{"coder": shown(name), **_in_words(facts["counts"][name])} for name in coders])
    if why := facts.get("no_interval"):
        print(f"no intervals: {why}")
    alpha = {"alpha": "Krippendorff's alpha (interval)"}
    titles = (CLASS_AGREEMENT, SERIES_METRICS)[facts["kind"] == "dimension"]
    named = {name: metric.title for name, metric in titles.items()}
    for pair in facts["pairs"]:
        both = shown(f"{pair['first']} and {pair['second']}")
        print(f"\n{both}: {pair['frames']:,} frames of both")
        print_table(
            [
                {"score": title, "value": _told(pair, name)}
                for name, title in (named if "alpha" in named else named | alpha).items()
            ]
        )
        if "per_class" in pair:
            print()
            print_table(
                [
                    {
                        "class": shown(name),
                        "frames of the first": own["first"],
                        "of the second": own["second"],
                        "agreement": _told(own, "agreement"),
                    }
                    for name, own in pair["per_class"].items()
                ]
            )
    if "alpha" in facts:
        print(f"\nKrippendorff's alpha of all coders: {_told(facts, 'alpha')}")


def _in_words(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.replace("_", " "): count for name, count in counts.items()}


def _told(scores: Mapping[str, Any], name: str) -> str:
    """A score and its interval."""
    if scores.get(name) is None:
        return "undefined"
    low, high = scores[f"{name}_interval_95"]
    value = f"{scores[name]:.3f}"
    return value if low is None else f"{value} ({low:.3f} to {high:.3f})"
