"""Warnings of the package: the log of a program in Python, lines of a command."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

#: Set in a command and in its worker processes.
_SAID = "AFFUSE_SAY_WARNINGS"


class _Unhandled(logging.Handler):
    """Has warnings printed to the standard error where no other logger is set up."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers and logging.lastResort is not None:
            logging.lastResort.handle(record)


def quieten_torch() -> None:
    """Keep warnings of torch's own about several processes away; before torch is imported."""
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


@contextmanager
def said_warnings() -> Iterator[None]:
    """Within the block warnings are lines on the standard error, those of workers too."""
    handler, before = _Unhandled(logging.WARNING), os.environ.get(_SAID)
    logger = logging.getLogger("affuse")
    logger.addHandler(handler)
    os.environ[_SAID] = "1"
    try:
        yield
    finally:
        logger.removeHandler(handler)
        if before is None:
            os.environ.pop(_SAID, None)


def say_as_parent() -> None:
    """In a worker: say warnings as a command does, where a command started it."""
    if os.environ.get(_SAID):
        logging.getLogger("affuse").addHandler(_Unhandled(logging.WARNING))
