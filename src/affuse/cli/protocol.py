"""`affuse protocol`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.errors import AffuseError, BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("corpus", help="name of the corpus (affuse list corpora)")
    parser.add_argument("root", type=Path, help="where the corpus lies")
    parser.add_argument("changes", nargs="*", metavar="key=value", help="options of the corpus")
    parser.add_argument("--out", type=Path, required=True, help="the protocol, a CSV file")
    parser.add_argument("--folds", type=int, default=5, help="how many parts (default: 5)")
    parser.add_argument(
        "--development", type=int, default=1, help="parts for development (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="other folds for each (default: 0)")
    parser.add_argument(
        "--blocks",
        action="store_true",
        help="instead of folds: the six of leader-follower fusion, cut from the publisher's sets "
        "in the order in which the corpus lists them",
    )
    parser.add_argument(
        "--list",
        action="append",
        default=[],
        metavar="ROLE=FILE",
        help="instead of folds: a file with the clips of a role (train, development, test), one "
        "name per line, or a folder of .txt files with their names",
    )
    parser.add_argument(
        "--from",
        dest="files",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="instead of folds: published files with the set of each clip (AuxFormer's "
        "label_consensus_1.csv, annotations.txt, length.csv); several are several folds",
    )


def run(options: argparse.Namespace) -> int:
    """Write the protocol and say what is in it; exit code 1 when it leaks."""
    from affuse.audit.leaks import find_leaks
    from affuse.corpora.protocols.make import (
        make_protocol,
        protocol_of_blocks,
        protocol_of_files,
        protocol_of_lists,
    )
    from affuse.corpora.protocols.protocol import ROLES, UNUSED, protocol_text
    from affuse.corpora.published_lists import read_listing
    from affuse.corpora.registry import read_corpus
    from affuse.execution.files import write_text
    from affuse.training.recipe_files import parse_change

    if options.out.exists():
        raise BadInput(options.out, "is there already; protocols are frozen, so choose a new name")
    corpus = read_corpus(options.corpus, options.root, dict(map(parse_change, options.changes)))
    for note in corpus.notes:
        print(note, file=sys.stderr)
    name = options.out.stem
    ways = {"--list": options.list, "--from": options.files, "--blocks": options.blocks}
    if len(given := [way for way, value in ways.items() if value]) > 1:
        raise AffuseError(f"{' and '.join(given)} are ways to make a protocol: give one of them")
    if options.files:
        files = [read_listing(f, corpus.name, corpus.clips, corpus.classes) for f in options.files]
        protocol = protocol_of_files(corpus, name, files)
    elif options.list:
        protocol = protocol_of_lists(corpus, name, dict(map(_role, options.list)))
    elif options.blocks:
        protocol = protocol_of_blocks(corpus, name)
    else:
        protocol = make_protocol(corpus, name, options.folds, options.development, options.seed)
    write_text(options.out, protocol_text(protocol))
    if protocol.flaws:
        print(f"known flaws: {protocol.flaws}", file=sys.stderr)
    leaks = []
    for fold in range(len(protocol.folds)):
        roles = protocol.roles(fold, corpus.clips)
        counts = ", ".join(
            f"{count} {role}"
            for role in (*ROLES, UNUSED)
            if (count := sum(role in has for has in roles)) or role != UNUSED
        )
        print(f"fold {fold}: {counts}", file=sys.stderr)
        leaks += find_leaks(protocol, fold, corpus.clips)
    for leak in leaks:
        print(f"{leak.kind}: {leak}", file=sys.stderr)
    print(f"{options.out}: train with protocol={options.out}", file=sys.stderr)
    return 1 if leaks else 0


def _role(word: str) -> tuple[str, Path]:
    role, equals, path = word.partition("=")
    if not equals or not path:
        raise AffuseError(f"--list {word}: expected ROLE=FILE, such as train=train.txt")
    return role, Path(path)
