"""The folder in which examples of the documentation run: recordings and a recipe."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from affuse.corpora.synthetic.ravdess import Clip, _Job, _write

RECIPE = """\
name: example
corpus: folder
protocol: protocol.csv
streams: [audio/mfcc10]
window: 1.0
model: {name: audio-only}
epochs: 1
batch_size: 4
selection: last
"""
ROLES = ("train", "train", "development", "test")


def write_examples(folder: Path) -> None:
    """Write `talk.mp4`, `recordings/` of four speakers, `protocol.csv` and `recipe.yaml`."""
    _made(folder / "talk.mp4", "01", emotion=3, actor=1)
    rows, roles = ["path,label,speaker"], ["clip,speaker,fold0"]
    for actor, role in enumerate(ROLES, 1):
        for label, emotion in (("happy", 3), ("sad", 4)):
            name = f"p{actor}-{label}"
            _made(folder / "recordings" / f"{name}.wav", "03", emotion, actor)
            rows.append(f"{name}.wav,{label},p{actor}")
            roles.append(f"{name},p{actor},{role}")
    (folder / "recordings" / "clips.csv").write_text("\n".join(rows) + "\n")
    head = [f"# {key}: example" for key in ("name", "source", "flaws")]
    table = [*head, "# version: 1", "# corpus: folder", *roles]
    (folder / "protocol.csv").write_text("\n".join(table) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE)


def _made(path: Path, modality: str, emotion: int, actor: int) -> None:
    """One synthetic recording of 1.2 seconds."""
    clip = Clip(modality, emotion, 1, 1, 1, actor)
    out = path.parent / "made"
    _write(_Job(out, 0, 1.2, Fraction(20), clip))
    (out / clip.path).rename(path)
    (out / clip.path).parent.rmdir()
    out.rmdir()
