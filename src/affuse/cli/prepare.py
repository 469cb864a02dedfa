"""`affuse prepare`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.cli.sites import add_site, opened_site
from affuse.cli.sources import add_source, read_sources

if TYPE_CHECKING:
    from affuse.execution.executors import Executor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("corpus", help="name of the corpus (affuse list corpora)")
    parser.add_argument("root", type=Path, help="where the corpus lies")
    parser.add_argument(
        "changes",
        nargs="*",
        metavar="key=value",
        help="options of the corpus (affuse list corpora), such as channel=song",
    )
    parser.add_argument("--store", type=Path, required=True, help="folder for the streams")
    parser.add_argument(
        "--streams",
        required=True,
        help="comma-separated names, such as audio/mfcc10,video/faces224 (affuse list streams)",
    )
    add_source(parser)
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what is done to the recordings before, such as white-noise=5, blur=0.01 or "
        "babble=0:20, drawn for each clip (affuse list changes); repeat for several",
    )
    parser.add_argument("--workers", type=int, help="processes (default: 2)")
    add_site(parser, "--workers")
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="compute only the I-th of N equal parts of the clips, such as 2/12; several machines "
        "may share --store; the same command without --shard makes the store of them",
    )


def run(options: argparse.Namespace) -> int:
    """Prepare; exit code 2 when some clips failed, after all others are done."""
    with opened_site(options.site, "" if options.workers is None else "--workers") as site:
        return _prepare(options, site)


def _prepare(options: argparse.Namespace, site: Executor | None) -> int:
    from affuse.corpora.registry import read_corpus
    from affuse.execution.sharing import Share
    from affuse.features.alignment import check_alignment
    from affuse.features.arrays import corpus_extractor
    from affuse.features.prepare import prepare
    from affuse.media.changes.registry import Change
    from affuse.training.recipe_files import parse_change

    share = Share.parse(options.shard)
    changes = [Change.parse(text) for text in options.change]
    sources = read_sources(options.source, options.rate)
    corpus = read_corpus(options.corpus, options.root, dict(map(parse_change, options.changes)))
    print(corpus.summary(), file=sys.stderr)
    for note in corpus.notes:
        print(note, file=sys.stderr)
    if corpus.rows is not None:
        sources.setdefault("video/openface", corpus.rows)
    extractors = [corpus_extractor(corpus, name, sources) for name in options.streams.split(",")]
    workers = 2 if options.workers is None else options.workers
    report = prepare(
        corpus, options.store, extractors, workers, changes, share=share, executor=site
    )
    for clip, reason in dict.fromkeys((clip, reason) for clip, _, reason in report.failures):
        print(f"affuse prepare: {reason} (clip {clip})", file=sys.stderr)
    failed = {reason for _, _, reason in report.failures}
    for clip, note in report.notes:
        if note not in failed:
            print(f"affuse prepare: {note} (clip {clip})", file=sys.stderr)
    absent = "".join(f", {n} clips have no {name}" for name, n in report.absent.items() if n)
    print(
        f"{options.store}: {report.computed - len(report.failures)} streams computed, "
        f"{report.kept} were there already{absent}",
        file=sys.stderr,
    )
    if not share.is_all:
        print(
            f"shard {share} is done; the same command without --shard makes the store of shards in "
            "this folder, affuse merge that of shards in several",
            file=sys.stderr,
        )
        return 2 if report.failures else 0
    for line in check_alignment(options.store, corpus.clips, extractors):
        print(line, file=sys.stderr)
    if report.unprinted:
        print(
            f"{report.unprinted} recordings cannot be decoded, so that copies of them under other "
            "names are not found before a training",
            file=sys.stderr,
        )
    if report.failures:
        print(
            f"{len({clip for clip, _, _ in report.failures})} clips failed and are left out, "
            f"or are read without what cannot be decoded: {options.store / 'failures.csv'}",
            file=sys.stderr,
        )
    return 2 if report.failures else 0
