"""Accuracy under every condition: python docs/results/fusions.py RUN RUN ..."""

import json
import sys
from pathlib import Path

from affuse.models.modelfile import load_model

CONDITIONS = ("av", "audio", "video")

print("| model | parameters | both | sound alone | action units alone | 95 % interval of both |")
print("|---|---|---|---|---|---|")
rows = []
for run in map(Path, sys.argv[1:]):
    scores = json.loads((run / "evaluation" / "metrics.json").read_text())["conditions"]
    model, spec = load_model(run / "fold0" / "model.safetensors")
    size = sum(p.numel() for p in model.parameters())
    low, high = scores["av"]["accuracy_interval_95"]
    cells = [f"{scores[name]['accuracy']:.3f}" for name in CONDITIONS]
    rows.append(
        (cells[0], f"| `{spec.model}` | {size:,} | {' | '.join(cells)} | {low:.2f} to {high:.2f} |")
    )
for _, row in sorted(rows, reverse=True):
    print(row)
