"""What the operator of a server decides."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from affuse.errors import AffuseError, BadInput
from affuse.serving.addresses import Host

#: Characters of a token at least.
_SHORTEST_TOKEN = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Limits:
    """How much a server takes.

    Args:
        size: Bytes of an upload.
        duration: Seconds of a recording.
        pixels: Width times height of its images.
        people: Timelines of a recording.
        seconds: Of work on a recording.
        queued: Jobs that wait, uploads that arrive included.
        at_once: Jobs that are worked on.
        upload_pause: Seconds in which some bytes of an upload have to come.
        sessions: Live sessions at once.
        session: Seconds that one takes.
        message: Bytes of a message in one.
        silence: Seconds in which the client of one has to send something, and to take an answer.
    """

    size: int = 500_000_000
    duration: float = 3600.0
    pixels: int = 40_000_000
    people: int = 10
    seconds: float = 3600.0
    queued: int = 100
    at_once: int = 1
    upload_pause: float = 60.0
    sessions: int = 1
    session: float = 3600.0
    message: int = 4_000_000
    silence: float = 30.0


@dataclass(frozen=True)
class Settings:
    """A server.

    Args:
        data: Folder of the queue and its jobs.
        models: Name -> model file; the first is used where a job names none.
        host: Name or address that it listens on.
        port: 0 for a free one.
        token: What who asks has to know; None where nobody is asked for it.
        limits: How much it takes.
        keep: Seconds after which finished jobs are deleted.
        hosts: Those that recordings may come from.
        device: Torch device.

    Raises:
        AffuseError: Others can reach it and there is no token.
    """

    data: Path
    models: dict[str, Path]
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    limits: Limits = field(default_factory=Limits)
    keep: float = 24 * 3600.0
    hosts: tuple[Host, ...] = ()
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.token is None and not self.loopback:
            raise AffuseError(
                f"others can reach a server on {self.host}; give a --token-file that they need, "
                "or serve on 127.0.0.1"
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def read_token(path: Path) -> str:
    """The token in a file, without the space around it.

    Raises:
        BadInput: It cannot be read, or holds no token that is hard to guess.
    """
    try:
        token = path.read_text(encoding="ascii").strip()
    except UnicodeError:
        raise BadInput(path, "a token is of ASCII characters") from None
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    if len(token) < _SHORTEST_TOKEN or not token.isprintable() or " " in token:
        raise BadInput(path, f"a token is one word of at least {_SHORTEST_TOKEN} characters")
    return token


def read_models(words: Sequence[str]) -> dict[str, Path]:
    """Name -> model file, as `FILE` (named as the file without its suffix) or `NAME=FILE`.

    Raises:
        AffuseError: Two models have one name, or a name that does not fit into a URL.
        BadInput: A file is no model file.
    """
    from affuse.models.bundled import BUNDLED
    from affuse.models.spec_files import read_spec

    models: dict[str, Path] = {}
    for word in words or [str(BUNDLED)]:
        name, equals, file = word.partition("=")
        if not equals or Path(word).exists():
            name, file = Path(word).stem, word
        if not _NAME.fullmatch(name):
            raise AffuseError(f"--model {word}: {name!r} is no name for a URL; say NAME=FILE")
        if name in models:
            raise AffuseError(f"--model {word}: {name} is {models[name]} already; say NAME=FILE")
        models[name] = Path(file).absolute()
        read_spec(models[name])
    return models
