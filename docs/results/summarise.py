"""Mean and spread over seeds: python docs/results/summarise.py NAME=RUN,RUN,RUN ..."""

import json
import statistics
import sys
from pathlib import Path

print("| run | clips | accuracy, all clips | accuracy, mean over folds | UAR | macro F1 |")
print("|---|---|---|---|---|---|")
for argument in sys.argv[1:]:
    name, runs = argument.split("=")
    rows = []
    for run in runs.split(","):
        conditions = json.loads((Path(run) / "evaluation" / "metrics.json").read_text())
        scores = next(iter(conditions["conditions"].values()))
        folds = statistics.mean(scores["accuracy_per_fold"].values())
        rows.append((scores["accuracy"], folds, scores["uar"], scores["macro_f1"]))
    cells = [
        f"{statistics.mean(column):.3f} ± {statistics.stdev(column):.3f}"
        if len(column) > 1
        else f"{column[0]:.3f}"
        for column in zip(*rows, strict=True)
    ]
    print(f"| {name} | {scores['clips']} | {' | '.join(cells)} |")
