"""100,000 clips: seconds of each step and the peak memory of a process that does them all."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from affuse.verification.bench.sides import peak_memory

CLIPS, SPEAKERS, CLASSES = 100_000, 500, 6


def hundred_thousand_clips() -> dict[str, float]:
    """Measure in a process of its own, so that the memory is that of the task."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.corpora"], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


T = TypeVar("T")


def _measure() -> dict[str, float]:
    from affuse.audit.duplicates import exact_duplicates
    from affuse.audit.leaks import find_leaks
    from affuse.corpora.protocols.make import make_protocol
    from affuse.corpora.protocols.protocol import protocol_text, read_protocol
    from affuse.corpora.registry import read_corpus
    from affuse.corpora.table import read_clips, write_clips

    seconds: dict[str, float] = {}

    def timed(name: str, step: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = step()
        seconds[f"{name}, s"] = round(time.perf_counter() - began, 2)
        return result

    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "corpus"
        for k in range(CLIPS):
            folder = root / f"class{k % CLASSES}" / f"s{k % SPEAKERS}"
            if k < CLASSES * SPEAKERS:
                folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{k}.wav").touch()
        corpus = timed("listing", lambda: read_corpus("folder", root))
        table = Path(temporary) / "clips.csv"
        timed("table written", lambda: write_clips(table, corpus.clips, root))
        clips = timed("table read", lambda: read_clips(table))
        path = Path(temporary) / "protocol.csv"
        made = timed("protocol made", lambda: make_protocol(corpus, "five", 5))
        path.write_text(protocol_text(made))
        protocol = timed("protocol read", lambda: read_protocol(path))
        digests = np.random.default_rng(0).integers(0, 256, (CLIPS, 1, 2, 32), np.uint8)
        digests[1::1000] = digests[::1000]  # a hundred copies, each of another speaker
        hashes = {clip.id: row for clip, row in zip(clips, digests, strict=True)}
        groups = timed("equal files", lambda: exact_duplicates(hashes))
        pairs = [("same-file", group[0], other) for group in groups for other in group[1:]]
        leaks = timed(
            "leaks, five folds",
            lambda: [leak for k in range(5) for leak in find_leaks(protocol, k, clips, pairs)],
        )
        assert len(clips) == CLIPS and len(groups) == 100
        assert {leak.kind for leak in leaks} == {"same-file"}
    return seconds | {"peak memory, MB": round(peak_memory())}


if __name__ == "__main__":
    print(json.dumps(_measure()))
