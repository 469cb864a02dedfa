"""What asks for windows and smoothing as the released joint attention has them."""

from __future__ import annotations

#: Frames over which its predictions are averaged, by dimension.
FRAMES = {"valence": 20, "arousal": 50}
#: The models of the three systems.
MODELS = ("rjca", "jca", "rjca-paper")
