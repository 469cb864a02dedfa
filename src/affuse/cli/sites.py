"""Where verbs with much work do it: processes of this machine, or a site."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.execution.executors import Executor


def add_site(parser: argparse.ArgumentParser, instead_of: str, after: str = "") -> None:
    """The argument that names a site.

    Args:
        parser: Of a verb.
        instead_of: The option that it replaces.
        after: What the help line ends with.
    """
    parser.add_argument(
        "--site",
        type=Path,
        metavar="FILE.yaml",
        help="work where a file says, by Parsl: threads or processes here, SLURM or PBS Pro; "
        f"instead of {instead_of} (docs/how-to/cluster.md){after}",
    )


@contextmanager
def opened_site(path: Path | None, both: str = "") -> Iterator[Executor | None]:
    """What works at a site, ended after the block; None without one.

    Args:
        path: Its file.
        both: The option that was given although the site says it.

    Raises:
        AffuseError: The extra is missing, or an option is there twice.
        BadInput: The file is wrong.
    """
    if path is None:
        yield None
        return
    from affuse.execution.sites.description import read_site
    from affuse.execution.sites.executor import SiteExecutor

    if both:
        raise AffuseError(f"{both} and --site exclude each other: the site has workers")
    with SiteExecutor(read_site(path)) as executor:
        yield executor
