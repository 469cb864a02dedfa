"""The learning rate over time."""

from __future__ import annotations

import math

from affuse.training.recipe_parts import Optimiser


def rate_factor(chosen: Optimiser, done: int, total: int) -> float:
    """Factor on the learning rate.

    Args:
        chosen: The schedule, its warm-up and its steps.
        done: Steps done (`cosine`) or epochs done.
        total: Steps or epochs in all.
    """
    if chosen.schedule == "constant":
        return 1.0
    if chosen.schedule == "steps":
        return float(0.1 ** sum(done + 1 >= step for step in chosen.steps))
    warmup = max(1, round(chosen.warmup * total)) if chosen.warmup else 0
    if done < warmup:
        return (done + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / max(1, total - warmup)))
