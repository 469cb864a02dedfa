"""Work that crashes, hangs or fails in every way that libraries do."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.execution.files import atomic_path
from affuse.execution.worker import allow, tell
from affuse.features.stream import Stream, StreamSpec


class Peculiar(Exception):
    """Cannot be made again from what it says."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


class PeculiarInput(AffuseError):
    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} of {other}")


#: What to do -> what is said of the process.
DEATHS = {
    "kill": "was killed by signal 9 (SIGKILL); perhaps there was no memory left",
    "crash": "was killed by signal 11 (SIGSEGV)",
    "abort": "was killed by signal 6 (SIGABRT)",
    "exit": "ended with exit code 0",
    "exit 3": "ended with exit code 3",
}


def act(what: str) -> str:
    """The word in capitals, unless it is one to misbehave at."""
    first, *rest = what.split()
    if first == "once":  # dies the first time, as what was ended for memory that others took
        marker = Path(rest[0])
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif first == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif first == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif first == "abort":
        os.kill(os.getpid(), signal.SIGABRT)
    elif first == "exit":
        os._exit(int(rest[0]) if rest else 0)
    elif first == "hang":
        while True:
            time.sleep(1)
    elif first == "hang-in-c":
        ctypes.PyDLL(None).sleep(600)  # and lets no thread of Python run
    elif first == "raise":
        raise {"peculiar": Peculiar, "input": PeculiarInput}[rest[0]](1, 2)
    elif first == "long":
        allow(30)
        time.sleep(1.5)
    elif first == "telling":
        tell("step 1")
        tell("step 2")
        os._exit(1)
    elif first == "close":  # soon its pipes are closed, as at the end of Python, and it is there
        threading.Timer(0.1, os.closerange, (3, 256)).start()
    elif first == "print":
        print("a library prints", flush=True)
    return what.upper()


def sign_and_hang(folder: str) -> None:
    """Leave one's number in a folder, then hang where no thread of Python runs."""
    (Path(folder) / str(os.getpid())).touch()
    act("hang-in-c")


def write_and_wait(path: str) -> None:
    """Begin a file, say so, and take long."""
    with atomic_path(Path(path)) as temporary:
        temporary.write_text("half")
        (Path(path).parent / "begun").touch()
        time.sleep(600)


@dataclass
class Numbers:
    """An extractor of numbers from text files; a file may hold what to do instead."""

    name: str
    spec: StreamSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = StreamSpec(self.name, 10.0, (1,))

    def sources(self, clip: Clip) -> list[Path]:
        return [clip.images] if clip.images else []

    def extract(self, clip: Clip) -> Stream | None:
        assert clip.images is not None
        text = clip.images.read_text()
        what, _, stream = text.partition("@")
        if stream and stream == self.name:
            act(what)
        if text == "bad":
            raise BadInput(clip.images, "is bad")
        if text == "peculiar":
            raise Peculiar(1, 2)
        values = np.full((len(text), 1), len(text), np.float32)
        return Stream(values, np.ones(len(text), bool))


def corpus(root: Path, **texts: str) -> Corpus:
    """Clips without a recording, each with its file of text, which is left where it is there."""
    root.mkdir(exist_ok=True)
    clips = []
    for name, text in texts.items():
        if not (root / name).exists():
            (root / name).write_text(text)
        clips.append(Clip(name, images=root / name, row=0, speaker=name, label="joy"))
    return Corpus("folder", root, clips, ("joy",), "none")
