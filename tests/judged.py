"""Generated tables of predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CLASSES = ("happy", "sad", "angry")
#: Rows of a table, column -> cell.
Rows = list[dict[str, str]]


def class_rows(
    seed: int = 0,
    skill: float = 1.0,
    speakers: int = 8,
    clips: int = 12,
    condition: str = "av",
    votes: bool = False,
) -> Rows:
    """Predictions of a model; the truth is the same for all seeds and skills."""
    random, rows = np.random.default_rng(seed), []
    truth = np.random.default_rng(99)
    for k in range(speakers * clips):
        counts = truth.multinomial(9, truth.dirichlet(np.full(3, 0.6)))
        scores = random.normal(0, 1, 3) + skill * (np.arange(3) == counts.argmax())
        shares = (np.exp(scores) / np.exp(scores).sum()).round(6)
        speaker = k % speakers
        row = {
            "fold": str(speaker % 4),
            "condition": condition,
            "baseline": "none",
            "clip": f"c{k:03d}",
            "speaker": f"s{speaker}",
            "label": CLASSES[counts.argmax()],
            "predicted": CLASSES[shares.argmax()],
            **{f"p_{name}": f"{x:.6f}" for name, x in zip(CLASSES, shares, strict=True)},
        }
        more = {f"votes_{name}": str(x) for name, x in zip(CLASSES, counts, strict=True)}
        rows.append(row | (more if votes else {}))
    return rows


def frame_rows(seed: int = 0, noise: float = 0.2, videos: int = 6) -> Rows:
    """Predictions of valence and arousal of videos of 20 frames, the first not annotated."""
    names = ("valence", "arousal")
    random, truth, rows = np.random.default_rng(seed), np.random.default_rng(99), []
    for video in range(videos):
        for k in range(20):
            values = truth.normal(0, 0.4, len(names))
            said = 0.8 * values + random.normal(0, noise, len(names))
            row = {"clip": f"v{video}", "speaker": f"s{video}"}
            row |= {name: f"{x:.5f}" for name, x in zip(names, said, strict=True)}
            told = [f"{x:.5f}" if k else "" for x in values]
            rows.append(row | {f"annotated_{n}": x for n, x in zip(names, told, strict=True)})
    return rows


def write_rows(path: Path, rows: Rows) -> Path:
    """Write a table."""
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def without(rows: Rows, *columns: str) -> Rows:
    """The rows without some columns."""
    return [{name: x for name, x in row.items() if name not in columns} for row in rows]
