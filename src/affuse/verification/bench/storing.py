"""Reading streams: a store beside a raw memory map and one `.npz` per clip."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from affuse.features.stream import StreamSpec
from affuse.verification.bench.comparison import Bench, Check, Runs, Target
from affuse.verification.bench.sides import Side, Work, own_memory
from affuse.verification.bench.stores import arrays, names, write_store

OURS, RAW, NPZ = "affuse store", "raw numpy memory map", ".npz per clip"
PLAIN = NPZ
#: Streams that are read, and frames of a clip of 3.6 s.
STREAMS = (
    (StreamSpec("audio/mfcc10", 22050 / 512, (10,)), 156),
    (StreamSpec("video/faces48", 15 / 3.6, (48, 48, 3), "uint8"), 15),
)
#: Of many clips: 40 values each.
SMALL = ((StreamSpec("audio/mfcc10", 1.0, (10,)), 4),)
#: Clips that are read, in a random order; passes over them.
READS, PASSES = 1000, 9
MANY = 100_000
#: Targets: times the raw memory map; seconds to open many clips.
WITHIN, OPENED = 1.2, 1.0

Read = Callable[[str, str], Any]


def read_store(folder: str, clips: int) -> Work:
    """Sets up reading clips of a store in a random order."""
    from affuse.features.store import Store

    def opened() -> Read:
        store = Store(Path(folder) / "store")
        files = {spec.name: store.stream(spec.name) for spec, _ in STREAMS}
        return lambda stream, clip: files[stream][clip].values

    return lambda: _passes(opened, clips)


def read_raw(folder: str, clips: int) -> Work:
    """Sets up reading the same from a memory map of one `.npy` per stream."""

    def opened() -> Read:
        maps = {spec.name: np.load(_raw(folder, spec), mmap_mode="r") for spec, _ in STREAMS}
        lengths = {spec.name: frames for spec, frames in STREAMS}
        rows = {clip: row for row, clip in enumerate(names(clips))}

        def read(stream: str, clip: str) -> Any:
            first = rows[clip] * lengths[stream]
            return maps[stream][first : first + lengths[stream]]

        return read

    return lambda: _passes(opened, clips)


def read_npz(folder: str, clips: int) -> Work:
    """Sets up reading the same from one `.npz` for each clip."""

    def read(stream: str, clip: str) -> Any:
        with np.load(Path(folder) / "npz" / f"{clip}.npz") as file:
            return file[stream]

    return lambda: _passes(lambda: read, clips)


def _passes(opened: Callable[[], Read], clips: int) -> Mapping[str, float]:
    """Times of opening, and of passes over random clips, in which every value is copied."""
    began = time.process_time()
    read = opened()
    taken = [time.process_time() - began]
    random = np.random.default_rng(0)
    known = names(clips)
    total = 0
    for _ in range(PASSES):
        order = [known[k] for k in random.integers(0, clips, READS)]
        began = time.process_time()
        for clip in order:
            for spec, _ in STREAMS:
                total += int(np.array(read(spec.name, clip)).flat[-1])
        taken.append((time.process_time() - began) / len(order))
    return {
        "open_s": taken[0],
        "first_us": 1e6 * taken[1],
        "later_us": 1e6 * statistics.median(taken[2:]),
        "total": total,
        "own_mb": round(own_memory(), 1),
    }


def open_many(folder: str) -> Work:
    """Sets up opening a store of many clips and reading its last one."""
    from affuse.features.store import Store

    def work() -> Mapping[str, float]:
        began = time.perf_counter(), time.process_time()
        store = Store(Path(folder))
        file = store.stream(SMALL[0][0].name)
        last = file[store.clips[-1].id].values
        assert len(store.clips) == len(file.clips) and last.shape == (4, 10)
        passed, spent = time.perf_counter() - began[0], time.process_time() - began[1]
        return {"open_s": passed, "open_cpu_s": spent, "own_mb": round(own_memory(), 1)}

    return work


def write_all(folder: Path, clips: int) -> None:
    """The same arrays in all three ways."""
    write_store(folder / "store", STREAMS, clips)
    for spec, frames in STREAMS:
        shape = clips * frames, *spec.shape
        path = _raw(folder, spec)
        file = np.lib.format.open_memmap(path, mode="w+", dtype=spec.dtype, shape=shape)
        for k, values in enumerate(arrays(spec, frames, clips)):
            file[k * frames : (k + 1) * frames] = values
    (folder / "npz").mkdir()
    streams = [arrays(spec, frames, clips) for spec, frames in STREAMS]
    for name, *values in zip(names(clips), *streams, strict=True):
        found = dict(zip((spec.name for spec, _ in STREAMS), values, strict=True))
        np.savez(folder / "npz" / f"{name}.npz", **found)
    if hasattr(os, "sync"):
        os.sync()  # so that no side waits for what another wrote


def _raw(folder: Path | str, spec: StreamSpec) -> Path:
    return Path(folder) / f"{spec.name.replace('/', '-')}.npy"


def compare(bench: Bench, clips: int) -> None:
    """Measure one number of clips."""
    folder = bench.folder / f"store{clips}"
    write_all(folder, clips)
    options = {"folder": str(folder), "clips": clips}
    sides = [
        Side(OURS, f"{__name__}:read_store", options),
        Side(RAW, f"{__name__}:read_raw", options),
        Side(NPZ, f"{__name__}:read_npz", options),
    ]
    runs = bench.measure(sides, clips=clips)
    for row in bench.rows[-len(sides) :]:
        for key in ("open_s", "first_us", "later_us", "own_mb"):
            found = statistics.median(run.outcome[key] for run in runs[row["side"]])
            row[key] = float(f"{found:.3g}")
    totals = {run.outcome["total"] for found in runs.values() for run in found}
    bench.checks.append(Check("sum of the last values read", max(totals) - min(totals), 0))
    within = _times(runs, OURS, RAW)
    bench.targets += [
        Target(f"{clips} clips, a read, times the raw memory map (CPU)", within, WITHIN, "most"),
        Target(f"{clips} clips, times as fast as .npz (CPU)", _times(runs, NPZ, OURS), 1.0),
    ]
    if clips >= READS:
        _many(bench)


def _many(bench: Bench) -> None:
    """Open a store of `MANY` clips."""
    folder = bench.folder / "many"
    if folder.exists():
        return
    write_store(folder, SMALL, MANY)
    name = f"affuse store of {MANY:,}, opened"
    runs = bench.measure(
        [Side(name, f"{__name__}:open_many", {"folder": str(folder)})], clips=MANY
    )[name]
    spent = statistics.median(run.outcome["open_cpu_s"] for run in runs)
    bench.targets.append(Target(f"seconds to open {MANY:,} clips (CPU)", spent, OPENED, "most"))


def _times(runs: Runs, over: str, under: str) -> float:
    pairs = zip(runs[over], runs[under], strict=True)
    return statistics.median(x.outcome["later_us"] / y.outcome["later_us"] for x, y in pairs)


def grow(bench: Bench, limit: float) -> None:
    """How the memory of reading 1,000 clips, and the time to do so, grow with the store."""

    def side(clips: int) -> Side:
        folder = bench.folder / f"grown{clips}"
        write_store(folder / "store", STREAMS, clips)
        options = {"folder": str(folder), "clips": clips}
        return Side("store", f"{__name__}:read_store", options)

    bench.grow("clips", (10, 100, 1000, 10_000), side, limit)
