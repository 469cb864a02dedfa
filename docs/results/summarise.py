"""Mean and spread over seeds: python docs/results/summarise.py NAME=RUN,RUN,RUN ...

RUN is a run, for its `evaluation`, or the folder of another evaluation of one, such as
`RUN/evaluation-past`. Results of different baselines do not go into one table.
"""

import json
import statistics
import sys
from pathlib import Path

print("| run | clips | accuracy, all clips | accuracy, mean over folds | UAR | macro F1 |")
print("|---|---|---|---|---|---|")
baselines = set()
for argument in sys.argv[1:]:
    name, runs = argument.split("=")
    rows = []
    for run in runs.split(","):
        folder = Path(run) if (Path(run) / "metrics.json").is_file() else Path(run) / "evaluation"
        conditions = json.loads((folder / "metrics.json").read_text())
        baselines.add(conditions.get("baseline", "none"))
        if len(baselines) > 1:
            sys.exit(f"{folder}: mixes the baselines {' and '.join(sorted(baselines))}")
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
print(f"\nBaseline: {', '.join(baselines)}.")
