"""Pairs of nearly the same image: python docs/results/near_pictures.py ferplus.npz OUT.png

Counts those of FER+ by correlation, and how many the list that came with the data has. OUT.png
shows pairs from either side of the threshold, to look at; the images are for research only.
"""

import sys

import matplotlib
import numpy as np

from affuse.corpora.near_pictures import THRESHOLD, correlation_patterns

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROWS, LOWEST, BLOCK = 12, 0.92, 1024
with np.load(sys.argv[1]) as table:
    pictures, listed = table["images"], table["dup_group"]
patterns = correlation_patterns(pictures)
found = []
for first in range(0, len(pictures), BLOCK):
    alike = np.triu(patterns[first : first + BLOCK] @ patterns[first:].T, 1)
    found += [(a + first, b + first, alike[a, b]) for a, b in np.argwhere(alike >= LOWEST)]
one, other = np.array([pair[:2] for pair in found]).T
alike = np.array([pair[2] for pair in found])
bands = {"from the threshold on": (THRESHOLD, 2.0), "just below": (LOWEST, THRESHOLD)}
figure, axes = plt.subplots(1, 2, figsize=(5, 1.2 * ROWS), layout="constrained")
for axis, (name, (low, high)) in zip(axes, bands.items(), strict=True):
    there = np.flatnonzero((alike >= low) & (alike < high))
    same = (listed[one[there]] == listed[other[there]]).sum()
    print(f"{name} ({low} to {min(high, 1)}): {len(there)} pairs, {same} of them in the list")
    drawn = there[np.argsort(alike[there])][:ROWS]
    axis.imshow(np.block([[pictures[one[k]], pictures[other[k]]] for k in drawn]), cmap="gray")
    axis.set(title=f"{name}\n{alike[drawn[0]]:.3f} to {alike[drawn[-1]]:.3f}", xticks=[], yticks=[])
figure.savefig(sys.argv[2], dpi=60)
