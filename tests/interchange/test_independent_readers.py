"""Other programs read what is written, and what they write is read.

They are not among the packages that `make test` installs; each test is skipped without its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.interchange.formats import FORMATS, read_coding
from affuse.interchange.segments import Coding, Segment

WHY = "pip install {} shows that another program reads the files"
CODING = Coding(
    [
        Segment("person1", "emotion", 0.0, 1.25, "happy"),
        Segment("person1", "emotion", 1.25, 2.5, 'un "quoted" é日😀'),
        Segment("person1", "emotion", 3.0, 3.5, "a<b>&c"),
        Segment('Änna "K"', "valence", 0.5, 2.0, "+0.4"),
    ],
    "my talk #1.mp4",
    4.0,
    {"emotion": ["happy", "sad"]},
)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Name of the format -> the coding in it."""
    found = {name: tmp_path / f"talk{one.ending}" for name, one in FORMATS.items()}
    for name, one in FORMATS.items():
        one.write(found[name], CODING)
    return found


def told(path: Path) -> list[Segment]:
    return sorted(read_coding(path).segments, key=lambda s: (s.tier, s.start))


def test_pympi_reads_and_writes_elan(files: dict[str, Path], tmp_path: Path) -> None:
    pympi = pytest.importorskip("pympi", reason=WHY.format("pympi-ling"))
    eaf = pympi.Elan.Eaf(str(files["eaf"]), suppress_version_warning=True)
    assert eaf.get_annotation_data_for_tier("emotion@person1") == [
        (0, 1250, "happy"),
        (1250, 2500, 'un "quoted" é日😀'),
        (3000, 3500, "a<b>&c"),
    ]
    assert eaf.get_annotation_data_for_tier('valence@Änna "K"') == [(500, 2000, "+0.4")]
    eaf.to_file(str(tmp_path / "theirs.eaf"))
    assert told(tmp_path / "theirs.eaf") == told(files["eaf"])


def test_praat_reads_and_writes_textgrids(files: dict[str, Path], tmp_path: Path) -> None:
    parselmouth = pytest.importorskip("parselmouth", reason=WHY.format("praat-parselmouth"))
    grid = parselmouth.read(str(files["textgrid"]))
    call = parselmouth.praat.call
    count = call(grid, "Get number of intervals", 1)
    labels = [call(grid, "Get label of interval", 1, k + 1) for k in range(count)]
    assert labels == ["happy", 'un "quoted" é日😀', "", "a<b>&c", ""]
    for how in ("Save as text file...", "Save as short text file..."):
        call(grid, how, str(tmp_path / "theirs.TextGrid"))
        assert told(tmp_path / "theirs.TextGrid") == told(files["textgrid"])


def test_praatio_reads_textgrids(files: dict[str, Path]) -> None:
    praatio = pytest.importorskip("praatio.textgrid", reason=WHY.format("praatio"))
    grid = praatio.openTextgrid(str(files["textgrid"]), includeEmptyIntervals=False)
    assert [tuple(entry) for entry in grid.getTier('valence@Änna "K"').entries] == [
        (0.5, 2.0, "+0.4")
    ]


def test_webvtt_py_reads_cues(files: dict[str, Path]) -> None:
    webvtt = pytest.importorskip("webvtt", reason=WHY.format("webvtt-py"))
    cues = [(cue.start, cue.end, cue.voice) for cue in webvtt.read(str(files["vtt"]))]
    assert cues[:2] == [
        ("00:00:00.000", "00:00:01.250", "person1"),
        ("00:00:00.500", "00:00:02.000", 'Änna "K"'),
    ]
