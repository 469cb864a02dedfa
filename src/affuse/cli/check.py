"""`affuse check`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.cli.tables import print_table
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.corpora.clip import Clip, Corpus
    from affuse.corpora.protocols.protocol import Protocol

_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("corpus", nargs="?", help="name of the corpus (affuse list corpora)")
    parser.add_argument("root", nargs="?", type=Path, help="where the corpus lies")
    parser.add_argument("changes", nargs="*", metavar="key=value", help="options of the corpus")
    parser.add_argument(
        "--protocol", help="look for leaks in this protocol, a name (affuse list protocols) or file"
    )
    parser.add_argument(
        "--store",
        type=Path,
        help="with --protocol: prepared streams, by which copies of recordings are found too",
    )
    parser.add_argument("--whole", action="store_true", help="decode everything, not beginnings")
    parser.add_argument("--out", type=Path, help="write the table of clips to this CSV file")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Check a corpus or a protocol; exit code 1 when something is wrong with it."""
    if options.corpus and not options.root:
        raise AffuseError(f"say where {options.corpus} lies: affuse check {options.corpus} ROOT")
    if not (options.protocol or options.corpus):
        raise AffuseError("name a corpus and its folder, or a protocol with --protocol")
    return _protocol(options) if options.protocol else _corpus(options)


def _read(options: argparse.Namespace) -> Corpus:
    from affuse.corpora.registry import read_corpus
    from affuse.training.recipe import parse_change

    return read_corpus(options.corpus, options.root, dict(map(parse_change, options.changes)))


def _corpus(options: argparse.Namespace) -> int:
    from affuse.corpora.counts import label_counts
    from affuse.execution.files import write_csv
    from affuse.features.integrity import examine

    corpus = _read(options)
    clips = examine(corpus, options.workers, options.whole)
    by_id = {clip.id: clip for clip in corpus.clips}
    if options.out:
        header = ("clip", "speaker", "seconds", "sound", "pictures", "broken", "notes")
        write_csv(
            options.out,
            header,
            (
                (
                    one.clip,
                    by_id[one.clip].speaker or "",
                    "" if one.seconds is None else f"{one.seconds:.3f}",
                    "yes" if one.has_sound else "",
                    one.picture,
                    "; ".join(one.broken),
                    "; ".join(one.notes),
                )
                for one in clips
            ),
        )
    broken = {one.clip: one.broken for one in clips if one.broken}
    notes = {one.clip: one.notes for one in clips if one.notes}
    seconds = [one.seconds for one in clips if one.seconds is not None]
    facts: dict[str, Any] = {
        "corpus": corpus.name,
        "root": str(corpus.root),
        "licence": corpus.licence,
        "clips": len(clips),
        "speakers": len({clip.speaker for clip in corpus.clips if clip.speaker}),
        "sessions": len({clip.session for clip in corpus.clips if clip.session}),
        "with_sound": sum(one.has_sound for one in clips),
        "with_pictures": sum(one.has_pictures for one in clips),
        "with_face_pictures": sum(clip.images is not None for clip in corpus.clips),
        "with_annotation": sum(clip.annotation is not None for clip in corpus.clips),
        "seconds": round(sum(seconds), 1),
        "shortest": min(seconds, default=None),
        "longest": max(seconds, default=None),
        "pictures": sorted({one.picture for one in clips if one.picture}),
        "left_out": corpus.left_out,
        "missing": corpus.missing,
        "broken": broken,
        "notes": notes,
        "labels": label_counts(corpus),
    }
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _print(corpus, facts)
    return 1 if broken else 0


def _print(corpus: Corpus, facts: dict[str, Any]) -> None:
    print(corpus.summary())
    print(f"licence: {corpus.licence}")
    _print_people(corpus)
    there = {
        "sound": facts["with_sound"],
        "pictures": facts["with_pictures"],
        "face pictures": facts["with_face_pictures"],
        "annotation": facts["with_annotation"],
    }
    print(f"with {', '.join(f'{what} {n:,}' for what, n in there.items() if n) or 'no recording'}")
    if facts["longest"] is not None:
        length = f"{facts['shortest']:.2f} to {facts['longest']:.2f} s"
        print(f"{length}, {facts['seconds'] / 60:.1f} minutes in all")
    if facts["pictures"]:
        print(f"pictures: {_some(facts['pictures'])}")
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
    from affuse.corpora.leaks import KINDS, find_leaks
    from affuse.corpora.protocols.protocol import load_protocol
    from affuse.features.same import same_recordings
    from affuse.features.store import Store

    pairs, not_checked = [], list(KINDS)[4:8]
    if options.store:
        data = Store(options.store)
        clips = data.clips
        same = same_recordings(data, clips, ())
        pairs, not_checked = same.pairs, [*same.not_checked, "same-features"]
    elif options.corpus:
        clips = list(_read(options).clips)
    else:
        clips = []
    protocol = load_protocol(options.protocol, clips)
    if not clips:
        clips = _of_protocol(protocol)
    leaks = [
        leak
        for fold in range(len(protocol.folds))
        for leak in find_leaks(protocol, fold, clips, pairs)
    ]
    facts = {
        "protocol": protocol.name,
        "version": protocol.version,
        "sha256": protocol.sha256,
        "source": protocol.source,
        "known_flaws": protocol.flaws,
        "folds": len(protocol.folds),
        "clips": len(clips),
        "not_looked_for": not_checked,
        "leaks": [
            {"kind": k.kind, "fold": k.fold, "count": k.count, "example": k.example} for k in leaks
        ],
    }
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return 1 if leaks else 0
    print(f"{protocol.name}: {len(protocol.folds)} folds, {len(clips):,} clips")
    print(f"source: {protocol.source or 'not stated'}")
    print(f"known flaws: {protocol.flaws or 'none stated'}")
    print(f"SHA-256: {protocol.sha256 or '(made of the clips at hand)'}")
    for leak in leaks:
        print(f"{leak.kind}: {leak}")
    print(f"{len(leaks)} leaks" if leaks else "no leak found")
    if not_checked:
        how = "" if options.store else "; --store STORE compares the recordings"
        print(f"not looked for: {', '.join(not_checked)}{how}")
    return 1 if leaks else 0


def _of_protocol(protocol: Protocol) -> list[Clip]:
    """The clips that a protocol itself lists."""
    from affuse.corpora.clip import Clip

    if protocol.key != "clip":
        raise AffuseError(
            f"protocol {protocol.name} names no clips but each {protocol.key}: name a corpus and "
            "its folder, or --store, to look for leaks"
        )
    return [Clip(clip, speaker=speaker or None) for clip, speaker in protocol.speakers.items()]
