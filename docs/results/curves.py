"""Loss on training and development clips: python docs/results/curves.py OUT.png NAME=RUN ..."""

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for number, argument in enumerate(sys.argv[2:]):
    name, run = argument.split("=")
    with (Path(run) / "fold0" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) for row in rows]
    for column, style in (("train/loss", "--"), ("development/cross_entropy", "-")):
        values = [float(row[column]) for row in rows]
        label = f"{name}, {'training' if column == 'train/loss' else 'development'}"
        axes.plot(epochs, values, style, color=f"C{number}", label=label)
axes.set(xlabel="epoch", ylabel="cross-entropy in nats")
axes.grid(alpha=0.3)
axes.legend()
figure.savefig(sys.argv[1], dpi=110)
