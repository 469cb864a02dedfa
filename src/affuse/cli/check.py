"""`affuse check`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.cli.tables import print_table
from affuse.errors import AffuseError, BadInput

if TYPE_CHECKING:
    from affuse.corpora.clip import Corpus
    from affuse.features.store import Store

_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("corpus", nargs="?", help="name of the corpus (affuse list corpora)")
    parser.add_argument("root", nargs="?", type=Path, help="where the corpus lies")
    parser.add_argument("changes", nargs="*", metavar="key=value", help="options of the corpus")
    parser.add_argument(
        "--protocol",
        help="look for leaks in this protocol, a name (affuse list protocols) or file, or in split "
        "files as others publish them (EmoBox, HiCMAE, annotations.txt, label tables), or a folder",
    )
    parser.add_argument(
        "--store",
        type=Path,
        help="prepared streams: are they still what was written? With --protocol: copies of "
        "recordings are found by them too",
    )
    parser.add_argument(
        "--submission",
        type=Path,
        metavar="DIR",
        help="look for mistakes in files for the challenge (affuse ensemble makes them)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="look whether a model file is whole: its content against its digest",
    )
    parser.add_argument("--whole", action="store_true", help="decode everything, not beginnings")
    parser.add_argument(
        "--out",
        type=Path,
        help="write the table of clips to this CSV file; with --protocol and split files of "
        "others: write them as a protocol",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Check a corpus, a store, a protocol, a submission or a model file.

    Returns:
        1 when something is wrong with the corpus, store or protocol, 2 with the submission.
    """
    if options.model:
        return _model(options)
    if options.corpus and not options.root:
        raise AffuseError(f"say where {options.corpus} lies: affuse check {options.corpus} ROOT")
    if options.submission and not options.corpus:
        raise AffuseError("name the corpus too: affuse check --submission DIR affwild2 ROOT")
    if not (options.protocol or options.corpus or options.store):
        raise AffuseError(
            "name a corpus and its folder, a protocol (--protocol), a --store, or a model file "
            "(--model)"
        )
    if options.submission:
        return _submission(options)
    if options.store and not (options.protocol or options.corpus):
        return _store(options)
    return _protocol(options) if options.protocol else _corpus(options)


def _read(options: argparse.Namespace) -> Corpus:
    from affuse.corpora.registry import read_corpus
    from affuse.training.recipe_files import parse_change

    return read_corpus(options.corpus, options.root, dict(map(parse_change, options.changes)))


def _store(options: argparse.Namespace) -> int:
    from affuse.features.damages import damages

    damaged, unchecked = damages(options.store)
    if options.json:
        print(json.dumps({"damaged": damaged, "unchecked": unchecked}, indent=2))
    else:
        for line in damaged:
            print(line)
        if unchecked:
            print(f"without checksums: {', '.join(unchecked)}; affuse prepare adds them")
        print(f"{len(damaged)} damaged" if damaged else f"{options.store}: nothing is damaged")
    return 1 if damaged else 0


def _corpus(options: argparse.Namespace) -> int:
    from affuse.audit.integrity import COLUMNS, examine, summary, table
    from affuse.execution.files import write_csv

    corpus = _read(options)
    clips = examine(corpus, options.workers, options.whole)
    if options.out:
        write_csv(options.out, COLUMNS, table(corpus, clips))
    facts = summary(corpus, clips)
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _print(corpus, facts)
    return 1 if facts["broken"] else 0


def _print(corpus: Corpus, facts: dict[str, Any]) -> None:
    print(corpus.summary())
    for note in corpus.notes:
        print(note)
    print(f"licence: {corpus.licence}")
    _print_people(corpus)
    there = {
        "sound": facts["with_sound"],
        "images": facts["with_pictures"],
        "face images": facts["with_face_pictures"],
        "annotation": facts["with_annotation"],
    }
    print(f"with {', '.join(f'{what} {n:,}' for what, n in there.items() if n) or 'no recording'}")
    if facts["longest"] is not None:
        length = f"{facts['shortest']:.2f} to {facts['longest']:.2f} s"
        print(f"{length}, {facts['seconds'] / 60:.1f} minutes in all")
    if facts["pictures"]:
        print(f"images: {_some(facts['pictures'])}")
    if rows := [dict(row) for row in facts["labels"]]:
        for row in rows:
            row["left out"] = ", ".join(f"{n} {why}" for why, n in row.pop("left_out").items())
        print()
        print_table(rows)
    for title, lines in (
        ("missing", facts["missing"]),
        ("broken", [f"{clip}: {why}" for clip, all_ in facts["broken"].items() for why in all_]),
        ("notes", [f"{clip}: {why}" for clip, all_ in facts["notes"].items() for why in all_]),
    ):
        if lines:
            print(f"\n{title} ({len(lines):,}):")
            for line in lines[:_SHOWN]:
                print(f"  {line}")
            if len(lines) > _SHOWN:
                print(f"  ... {len(lines) - _SHOWN:,} more (--out FILE or --json tells all)")
    if not facts["broken"]:
        print("\nnothing is broken")


def _print_people(corpus: Corpus) -> None:
    people = {clip.speaker: clip for clip in corpus.clips if clip.speaker}
    sexes = [clip.sex for clip in people.values()]
    ages = [clip.age for clip in people.values() if clip.age is not None]
    parts = [f"{len(people)} speakers"]
    parts += [f"{sexes.count(sex)} {sex}" for sex in ("female", "male") if sex in sexes]
    parts += [f"{min(ages):g} to {max(ages):g} years old"] if ages else []
    for what in ("race", "ethnicity"):
        words = [getattr(clip, what) for clip in people.values() if getattr(clip, what)]
        parts += [f"{words.count(word)} {word}" for word in sorted(set(words))]
    if people:
        print(", ".join(parts))


def _some(words: list[str]) -> str:
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return ", ".join(words[:3]) + more


def _protocol(options: argparse.Namespace) -> int:
    from affuse.audit.split_check import examine_protocol
    from affuse.corpora.protocols.load import list_protocols
    from affuse.corpora.splits.split import is_split
    from affuse.features.store import Store

    store = Store(options.store) if options.store else None
    corpus = _read(options) if options.corpus else None
    if options.protocol not in list_protocols() and is_split(Path(options.protocol)):
        return _split(options, corpus, store)
    facts = examine_protocol(options.protocol, corpus.clips if corpus else None, store)
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return 1 if facts["leaks"] else 0
    print(f"{facts['protocol']}: {facts['folds']} folds, {facts['clips']:,} clips")
    print(f"source: {facts['source'] or 'not stated'}")
    print(f"known flaws: {facts['known_flaws'] or 'none stated'}")
    print(f"SHA-256: {facts['sha256'] or '(made of the clips at hand)'}")
    for leak in facts["leaks"]:
        more = f" ({leak['count']} such cases)" if leak["count"] > 1 else ""
        print(f"{leak['kind']}: fold {leak['fold']}: {leak['example']}{more}")
    print(f"{len(facts['leaks'])} leaks" if facts["leaks"] else "no leak found")
    if facts["not_looked_for"]:
        how = "" if store else "; --store STORE compares the recordings"
        print(f"not looked for: {', '.join(facts['not_looked_for'])}{how}")
    return 1 if facts["leaks"] else 0


def _split(options: argparse.Namespace, corpus: Corpus | None, store: Store | None) -> int:
    from affuse.audit.split_files import examine_split
    from affuse.cli.splits import print_split
    from affuse.corpora.protocols.load import load_protocol
    from affuse.corpora.protocols.protocol import protocol_text
    from affuse.execution.files import write_text

    if options.out and options.out.exists():
        raise BadInput(options.out, "is there already; protocols are frozen, so choose a new name")
    facts = examine_split(Path(options.protocol), corpus, store)
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print_split(facts)
    if options.out:
        clips = corpus.clips if corpus else store.clips if store else ()
        protocol = replace(load_protocol(options.protocol, clips), name=options.out.stem)
        write_text(options.out, protocol_text(protocol))
        print(f"{options.out}: train with protocol={options.out}", file=sys.stderr)
    return 1 if facts["leaks"] else 0


def _model(options: argparse.Namespace) -> int:
    from affuse.models.opening import open_model
    from affuse.models.spec_files import read_digest

    applied = open_model(options.model)
    spec = applied.spec
    facts = {
        "model": spec.model,
        "streams": list(spec.streams),
        "classes": spec.outputs,
        "parameters": applied.parameters,
        "version": spec.version,
        "digest": read_digest(options.model),
    }
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return 0
    print(f"{options.model}: {spec.model} on {' and '.join(spec.streams)}")
    print(f"{facts['parameters']:,} parameters; classes or values: {_some(spec.outputs)}")
    print(
        "content: " + ("as its digest says" if facts["digest"] else "it has no digest (older file)")
    )
    return 0


def _submission(options: argparse.Namespace) -> int:
    from affuse.evaluation.submission import submission_problems

    problems, unchecked = submission_problems(options.submission, _read(options))
    if options.json:
        facts = {"problems": problems, "unchecked": unchecked}
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        for line in [*problems, *unchecked]:
            print(line)
        print(
            f"{len(problems)} problems" if problems else f"{options.submission}: nothing is wrong"
        )
    return 2 if problems else 0
