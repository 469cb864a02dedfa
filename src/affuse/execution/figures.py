"""Images of scores and timelines, the same on every machine and for every name."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator

#: Settings of matplotlib are those of the process: one thread has its own at a time.
_settings = threading.RLock()


@contextlib.contextmanager
def plain_figures() -> Iterator[None]:
    """Within the block matplotlib draws every text as it is written, in its own style.

    `$`, `_` and `^` in names are no formulas, settings of the user do not count, and characters
    that no font has are boxes, without a word on the terminal.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib

    with _settings, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="matplotlib")
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams["text.parse_math"] = False
        yield
