"""An extractor of numbers from text files, and a corpus of such files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import BadInput
from affuse.features.stream import Stream, StreamSpec


@dataclass
class Counting:
    """An extractor of numbers from text files, which fails on some and notes each call."""

    name: str = "audio/numbers"
    scale: float = 1.0
    log: Path | None = None
    stop_at: str | None = None
    spec: StreamSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = StreamSpec(self.name, 10.0, (2,), recipe={"scale": self.scale})

    def sources(self, clip: Clip) -> list[Path]:
        return [clip.audio] if clip.audio else []

    def extract(self, clip: Clip) -> Stream | None:
        if clip.id == self.stop_at:
            raise KeyboardInterrupt
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(clip.id + "\n")
        if clip.audio is None:
            return None
        text = clip.audio.read_text()
        if not text:
            raise BadInput(clip.audio, "is empty")
        values = self.scale * np.tile(np.float32(text.split()), (2, 1)).T
        return Stream(values.astype(np.float32), np.ones(len(values), bool), start=0.25)


def corpus(root: Path, texts: dict[str, str]) -> Corpus:
    clips = []
    for name, text in texts.items():
        (root / name).write_text(text)
        clips.append(Clip(name, audio=root / name, speaker=name, label="joy"))
    clips.append(Clip("zz-silent", speaker="s", label="joy"))
    return Corpus("folder", root, clips, ("joy",), "none")
