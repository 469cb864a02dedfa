"""Damages media files at random and reads them: `python -m tests.faults.mutate --count 600`.

Every file is one of a few small recordings with some bytes changed, moved, left out or repeated,
most of them in the headers. `affuse predict` reads all of them in one batch under a limit of
memory; each has to be read or refused in one line.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.containers import Container, Content, write

#: What is damaged.
SOURCES = (
    Container("mp4", "libx264", "aac"),
    Container("mov", "mjpeg", "pcm_s16le", turn=90),
    Container("mkv", "libvpx", "libopus", channels=2),
    Container("mkv", "ffv1", "flac"),
    Container("avi", "mpeg4", "libmp3lame"),
    Container("ts", "libx264", "mp2"),
    Container("flv", "flv", "aac", rate=44100),
)
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 48000, 1 << 20)


def mutated(data: bytes, draw: random.Random) -> bytes:
    """A file with one to twelve damages, two thirds of them in its first or last kilobytes."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 12))):
        size = len(changed)
        near = draw.choice((0, max(0, size - 4096), None))
        at = draw.randrange(size) if near is None else near + draw.randrange(min(4096, size))
        at = min(at, size - 1)
        match draw.randrange(7):
            case 0:
                changed[at] ^= 1 << draw.randrange(8)
            case 1:
                changed[at : at + 1] = bytes([draw.randrange(256)])
            case 2:
                number = draw.choice(_EXTREMES).to_bytes(4, draw.choice(("big", "little")))
                changed[at : at + 4] = number
            case 3:
                length = draw.choice((8, 256, 4096))
                changed[at : at + length] = draw.randbytes(length)
            case 4:
                del changed[at : at + draw.choice((1, 4, 188, 5000))]
            case 5:
                part = changed[at : at + draw.choice((4, 188, 5000))]
                changed[at:at] = part
            case _:
                changed = changed[: max(64, at)]
    return bytes(changed)


@dataclass
class Outcome:
    """What became of damaged files.

    Args:
        read: Name -> seconds that it is said to last.
        refused: Name -> the line about it.
        code: Exit code of the batch.
        seconds: How long it took.
        peak: Resident memory of the largest process in GB.
        other: Lines that are about no file, such as a traceback.
    """

    read: dict[str, float]
    refused: dict[str, str]
    code: int
    seconds: float
    peak: float
    other: list[str]


def make(content: Content, count: int, seed: int, folder: Path) -> list[Path]:
    """Write damaged files."""
    draw = random.Random(seed)
    sources = [write(made, content, folder / f"source{k}") for k, made in enumerate(SOURCES)]
    whole = [(path.suffix, path.read_bytes()) for path in sources]
    paths = []
    for number in range(count):
        suffix, data = draw.choice(whole)
        paths.append(folder / f"damaged{number:04}{suffix}")
        paths[-1].write_bytes(mutated(data, draw))
    return paths


def predict(paths: Sequence[Path], out: Path, memory: float = 6.0) -> Outcome:
    """Read files with `affuse predict`.

    Args:
        paths: The files.
        out: Folder for the timelines.
        memory: Limit of the address space of each process, in GB.
    """
    words = [sys.executable, "-m", "affuse", "predict", *map(str, paths), "--out", str(out)]
    limit = round(memory * 1e9)
    began = time.monotonic()
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    read, refused, other = {}, {}, []
    for line in done.stderr.splitlines():
        named = [path.name for path in paths if str(path) in line]
        if len(named) == 1 and line.startswith("affuse predict: "):
            refused[named[0]] = line
        elif line.strip() and "no --model given" not in line and not named:
            other.append(line)
    for path in paths:
        found = out / f"{path.stem}.json"
        if found.is_file():
            read[path.name] = json.loads(found.read_text(encoding="utf-8"))["duration"]
            refused.pop(path.name, None)  # a note about what was read
    return Outcome(read, refused, done.returncode, seconds, peak, other)


def _content() -> Content:
    """A talking face of two seconds."""
    from tests.faults.recordings import talking_face

    return talking_face(2.0)


def main() -> int:
    """Damage, read, and say what became of the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", type=float, default=6.0, help="GB of each process")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        paths = make(_content(), options.count, options.seed, Path(name))
        outcome = predict(paths, Path(name) / "out", options.memory)
    lost = [p.name for p in paths if p.name not in outcome.read and p.name not in outcome.refused]
    reasons = Counter(" ".join(x.split(": ", 2)[-1].split()[:6]) for x in outcome.refused.values())
    print(f"{options.count} files, seed {options.seed}, {options.memory:g} GB for each process")
    print(f"read {len(outcome.read)}, refused {len(outcome.refused)}, neither {len(lost)}")
    print("neither:", *lost[:10])
    print(f"{outcome.seconds:.0f} s, exit code {outcome.code}, peak {outcome.peak:.2f} GB")
    longest = sorted(outcome.read.items(), key=lambda item: -item[1])[:10]
    print("longest:", ", ".join(f"{name} {seconds:.2f} s" for name, seconds in longest))
    for reason, number in reasons.most_common():
        print(f"{number:5}  {reason}")
    for line in outcome.other:
        print("other:", line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
