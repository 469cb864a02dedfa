"""Where the processor time of a process goes, by sampling what runs."""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Mapping
from types import FrameType
from typing import Any

#: Seconds of processor time between two samples.
INTERVAL = 0.005
OTHER = "other"


class Stages:
    """Samples the main thread of this process while the block runs.

    The innermost function that a table names decides the stage; the processor time since the last
    sample counts for it, so that long calls into compiled code count in full. Windows has no such
    timer: there the result stays empty.

    Args:
        table: `module`, `package`, `module:function` or `:function` -> stage.

    Attributes:
        seconds: Stage -> processor seconds.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = dict(table)
        self._last = 0.0
        self.seconds: dict[str, float] = defaultdict(float)

    def __enter__(self) -> Stages:
        self._last = time.process_time()
        if hasattr(signal, "setitimer"):
            self._before = signal.signal(signal.SIGPROF, self._sample)
            signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
        return self

    def __exit__(self, *_: Any) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, self._before)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        now = time.process_time()
        self.seconds[self._stage(frame)] += now - self._last
        self._last = now

    def _stage(self, frame: FrameType | None) -> str:
        while frame is not None:
            code, module = frame.f_code, str(frame.f_globals.get("__name__"))
            names = [f":{code.co_name}", f"{module}:{code.co_qualname}", module]
            while "." in module:
                module = module.rpartition(".")[0]
                names.append(module)
            for name in names:
                if name in self._table:
                    return self._table[name]
            frame = frame.f_back
        return OTHER
