"""`affuse fetch`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.errors import AffuseError
from affuse.suggestions import unknown

if TYPE_CHECKING:
    from affuse.corpora.fetching.manifest import Manifest, Part


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("name", nargs="?", help="name of a corpus, or of weights (see --list)")
    parser.add_argument("out", nargs="?", type=Path, help="folder to put it in")
    parser.add_argument("--list", action="store_true", help="what can be fetched, and exit")
    parser.add_argument(
        "--parts",
        default="",
        help="comma-separated parts of the corpus (default: those that --list names so)",
    )
    parser.add_argument("--yes", action="store_true", help="accept the licence without being asked")
    parser.add_argument(
        "--verify", action="store_true", help="compare checksums of the files that are there"
    )
    parser.add_argument(
        "--keep-archives",
        action="store_true",
        help="leave what was fetched beside what was unpacked",
    )
    parser.add_argument(
        "--any-size",
        action="store_true",
        help="unpack archives that grow to more than 20 times their size, too",
    )
    parser.add_argument(
        "--mirror", metavar="URL", help="takes the place of scheme and host of every address"
    )


def run(options: argparse.Namespace) -> int:
    """Show the licence, ask, fetch; or say how a corpus under an agreement is obtained."""
    from affuse.corpora.fetching.manifest import list_manifests, load_manifest
    from affuse.models.frozen.fetching import check_place, list_weights, load_weights

    weights = options.name in list_weights()
    if options.list:
        corpora = [load_manifest(name) for name in list_manifests()]
        _print_list([*corpora, *(load_weights(name) for name in list_weights())])
        return 0
    if options.name is None:
        raise AffuseError("say what and where to: affuse fetch NAME OUT (or --list)")
    if not weights and options.name not in list_manifests():
        known = [*list_manifests(), *list_weights()]
        raise unknown("corpus or weights to fetch", options.name, known, "affuse fetch --list")
    manifest = (load_weights if weights else load_manifest)(options.name, options.mirror)
    if manifest.agreement:
        print(f"{_head(manifest)}\nTo be obtained under an agreement:\n\n{manifest.agreement}")
        place = options.out or "FOLDER"
        print(f"Then: affuse check {manifest.name} {place}")
        return 0
    if options.out is None:
        raise AffuseError(f"say where to: affuse fetch {manifest.name} OUT")
    if weights:
        check_place(manifest, options.out)
    parts = manifest.choose([part for part in options.parts.split(",") if part])
    print(f"{_head(manifest)}\n{manifest.note}\nInto {options.out}:")
    for part in parts:
        print(f"  {part.name}: {part.what}, {_size(part.size)}")
    print(f"  in all {_size(sum(part.size for part in parts))} to download", flush=True)
    _ask(options.yes)
    _fetch(manifest, parts, weights, options)
    print(f"{options.out}: {', '.join(part.name for part in parts)} complete", file=sys.stderr)
    return 0


def _fetch(
    manifest: Manifest, parts: list[Part], weights: bool, options: argparse.Namespace
) -> None:
    from affuse.corpora.fetching.fetch import fetch
    from affuse.models.frozen.fetching import fetch_weights

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    out, keep, verify = options.out, options.keep_archives, options.verify
    if weights:
        fetch_weights(manifest, out, keep=keep, verify=verify, say=say)
        return
    any_size = options.any_size
    fetch(manifest, parts, out, keep_archives=keep, verify=verify, any_size=any_size, say=say)


def _ask(accepted: bool) -> None:
    if accepted:
        return
    if not sys.stdin.isatty():
        raise AffuseError("nobody is there to accept the licence; if you do, add --yes")
    print("Accept the licence and fetch? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise AffuseError("the licence was not accepted; nothing is fetched")


def _head(manifest: Manifest) -> str:
    return (
        f"{manifest.title}\n{manifest.page}\n\nLicence:\n{manifest.licence}\n"
        f"Cite:\n{manifest.citation}"
    )


def _print_list(manifests: list[Manifest]) -> None:
    from affuse.cli.tables import print_table

    rows: list[dict[str, object]] = []
    for manifest in manifests:
        facts = [(part.name, _size(part.size), part.what) for part in manifest.parts.values()]
        for name, size, what in facts or [("", "", "under an agreement; fetch tells how to apply")]:
            default = "yes" if name in manifest.default else ""
            row = {"name": manifest.name, "part": name, "by default": default, "size": size}
            rows.append({**row, "what": what})
    print_table(rows)


def _size(count: int) -> str:
    return f"about {count / 1e9:.1f} GB" if count >= 1e9 else f"about {count / 1e6:.0f} MB"
