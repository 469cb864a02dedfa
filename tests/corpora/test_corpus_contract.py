"""Corpora keep the contract of a corpus."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tests.folders import touch

from affuse.verification.contracts.corpus import CorpusContract


class TestFolder(CorpusContract):
    name = "folder"

    def make(self, root: Path) -> None:
        touch(root, "a.mp4", "b.mp4", "c.wav")
        (root / "clips.csv").write_text(
            "path,label,speaker,start,end\n"
            "a.mp4,joy,s1,0,2\na.mp4,anger,s1,2,4\nb.mp4,joy,s2,,\nc.wav,anger,s2,,\n"
        )


class TestFolderPerClass(CorpusContract):
    name = "folder"

    def make(self, root: Path) -> None:
        touch(root, "joy/a.mp4", "joy/b.mp4", "anger/c.mp4")


class TestRavdess(CorpusContract):
    name = "ravdess"

    def make(self, root: Path) -> None:
        for name in ("03-01-03-01-01-01-01", "03-01-05-02-02-01-01"):
            touch(root, f"Actor_01/{name}.wav", f"Actor_01/02{name[2:]}.mp4")


class TestDiffusionFER(CorpusContract):
    name = "diffusionfer"

    def make(self, root: Path) -> None:
        rows = ["path,prompted_label,annotated_label,valence,arousal"]
        for label in ("happy", "angry"):
            (root / label).mkdir()
            image = np.full((64, 64, 3), len(label) * 20, np.uint8)
            cv2.imwrite(str(root / label / "a.jpg"), image)
            rows.append(f"{label}/a.jpg,{label},{label},0.5,0.25")
        (root / "index.csv").write_text("\n".join(rows) + "\n")


class TestNemo(CorpusContract):
    name = "nemo"

    def make(self, root: Path) -> None:
        touch(root, "samples/EB0_anger_11.wav", "samples/KS0_surprised_2.wav")


class TestEmovo(CorpusContract):
    name = "emovo"

    def make(self, root: Path) -> None:
        touch(root, "f1/dis-f1-b1.wav", "m1/gio-m1-n5.wav")


class TestEmotale(CorpusContract):
    name = "emotale"

    def make(self, root: Path) -> None:
        touch(root, "DK_001_A_1.wav", "EN_019_B_5.wav")


class TestAsed(CorpusContract):
    name = "ased"

    def make(self, root: Path) -> None:
        touch(root, "01Neutral/n1-01-01-01-01.wav", "05Angry/a5-07-02-02-64.wav")
