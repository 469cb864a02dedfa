"""`affuse submit`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.errors import AffuseError

#: Verbs that take `--shard`.
_SHARED = ("prepare", "train", "table")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("scheduler", choices=("slurm", "pbs"), help="slurm, or pbs for PBS Pro")
    parser.add_argument(
        "command",
        nargs="+",
        metavar="-- VERB ...",
        help="the command, after --: prepare, train with --grid, or table",
    )
    parser.add_argument(
        "--shards", type=int, required=True, metavar="N", help="equal parts of the work"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for scripts and logs")
    parser.add_argument(
        "--time", default="24:00:00", help="wall-clock time of a part (default: 24:00:00)"
    )
    parser.add_argument("--memory", default="8G", help="of a part (default: 8G)")
    parser.add_argument("--cpus", type=int, default=1, help="of a part (default: 1)")
    parser.add_argument("--gpus", type=int, default=0, help="of a part (default: 0)")
    parser.add_argument("--queue", default="", help="partition or queue (default: the site's)")
    parser.add_argument(
        "--account", default="", help="account or project that is charged (default: the site's)"
    )
    parser.add_argument("--name", default="affuse", help="of the job (default: affuse)")
    parser.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="a line of shell before the command, such as 'module load cuda'; repeat for several",
    )


def run(options: argparse.Namespace) -> int:
    """Check the command, write the scripts, and say how to start them."""
    from affuse.execution.files import write_text
    from affuse.execution.job_scripts import Job, scripts

    _check(options.command)
    job = Job(
        [sys.executable, "-m", "affuse", *options.command],
        Path.cwd(),
        options.out.resolve(),
        options.shards,
        options.name,
        options.time,
        options.memory,
        options.cpus,
        options.gpus,
        options.queue,
        options.account,
        options.setup,
    )
    written = scripts(options.scheduler, job)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        write_text(options.out / name, text)
        (options.out / name).chmod(0o755)
    print(f"start it: {options.out / 'submit.sh'}")
    return 0


def _check(command: list[str]) -> None:
    """Refuse a command that would fail on every machine.

    Raises:
        AffuseError: It cannot be shared.
    """
    from affuse.cli.main import module_of
    from affuse.cli.parser import Parser

    if command[0] not in _SHARED:
        raise AffuseError(f"after -- expected one of {', '.join(_SHARED)} and its arguments")
    verb, *words = command
    parser = Parser(prog=f"affuse {verb}")
    module_of(verb).add_arguments(parser)
    parsed, rest = parser.parse_known_args(words)
    if wrong := [word for word in rest if word.startswith("-") or "=" not in word]:
        parser.unrecognised(wrong)
    if parsed.shard is not None:
        raise AffuseError("--shard is written by submit; leave it out")
    if parsed.site is not None:
        raise AffuseError("--site asks a scheduler itself; leave it out, or do without submit")
    if verb == "train" and not parsed.grid:
        raise AffuseError("train is shared with --grid, such as --grid fold=0..4")
    if getattr(parsed, "dry_run", False):
        raise AffuseError("--dry-run does nothing; leave it out")
