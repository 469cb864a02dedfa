"""Streams of frozen encoders of sound that an ONNX file holds as graphs; no torch is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from affuse.execution.onnx_session import session_of
from affuse.features.sound import LocalExtractor
from affuse.features.stream import StreamSpec
from affuse.models.frozen.encoder import HOP, RATE, encoded

#: Input and output of such a graph: (N,) float32 samples -> (N / 320, layers + 1, width) float32.
SAMPLES, STATES = "samples", "states"


class GraphStream(LocalExtractor):
    """What an encoder makes of sound, computed by onnxruntime.

    The same as `affuse.models.frozen.encoder.EncoderStream`, whose graph `affuse export` wrote.

    Args:
        spec: Of the stream, as the model file tells it.
        graph: File with the graph.
    """

    sound_rate, hop = RATE, HOP

    def __init__(self, spec: StreamSpec, graph: Path) -> None:
        self.spec = spec
        self.section, self.context = spec.recipe["section"], spec.recipe["context"]
        self._session: Any = session_of(graph.read_bytes())

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(N,) float32 -> (ceil(N / 320), ...) float16, of all the samples together."""
        return encoded(self._states, samples, len(self.spec.shape) == 2)

    def _states(self, samples: np.ndarray) -> np.ndarray:
        (states,) = self._session.run([STATES], {SAMPLES: samples})
        return np.asarray(states)
