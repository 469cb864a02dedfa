"""How far a person who coded a video agrees with the model: agree_with_a_coder.py CODING VIDEO.

CODING is a file of ELAN, Praat, BORIS or Audacity with labels such as `happy`.
"""

import sys
import tempfile
from pathlib import Path

import affuse
from affuse.evaluation.agreement import agreement

coding, video = map(Path, sys.argv[1:])
with tempfile.TemporaryDirectory() as folder:
    affuse.predict(video, hop=0.25).save(folder)
    model = Path(folder) / f"{video.stem}.csv"
    result = agreement([coding, model])
for signal, facts in result["signals"].items():
    (pair,) = facts["pairs"]
    print(f"{signal}: {pair['frames']} frames, Cohen's kappa {pair['kappa']}")
