"""Other programs read what is written, and what they write is read.

BORIS is not among the packages that `make test` installs; its test is skipped without.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import parselmouth
import praatio.textgrid
import pympi
import pytest
import webvtt

from affuse.interchange.formats import FORMATS, read_coding
from affuse.interchange.segments import Coding, Segment

#: Lets BORIS paste the file into an observation, without its window, and prints the events.
BORIS = """
import json, sys
from types import SimpleNamespace
from boris import config, event_operations
from PyQt5.QtWidgets import QApplication

application = QApplication([])
QApplication.clipboard().setText(open(sys.argv[1], encoding="utf-8", newline="").read())
events = []
event_operations.paste_clipboard_to_events(SimpleNamespace(
    playerType=config.MEDIA, observationId="1", project_changed=lambda: None,
    pj={config.OBSERVATIONS: {"1": {config.EVENTS: events}}},
    load_tw_events=lambda name: None, update_realtime_plot=lambda **words: None,
))
print(json.dumps([[float(event[0]), *event[1:]] for event in events]))
"""
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
    grid = parselmouth.read(str(files["textgrid"]))
    call = parselmouth.praat.call
    count = call(grid, "Get number of intervals", 1)
    labels = [call(grid, "Get label of interval", 1, k + 1) for k in range(count)]
    assert labels == ["happy", 'un "quoted" é日😀', "", "a<b>&c", ""]
    for how in ("Save as text file...", "Save as short text file..."):
        call(grid, how, str(tmp_path / "theirs.TextGrid"))
        assert told(tmp_path / "theirs.TextGrid") == told(files["textgrid"])


def test_praatio_reads_textgrids(files: dict[str, Path]) -> None:
    grid = praatio.textgrid.openTextgrid(str(files["textgrid"]), includeEmptyIntervals=False)
    assert [tuple(entry) for entry in grid.getTier('valence@Änna "K"').entries] == [
        (0.5, 2.0, "+0.4")
    ]


def test_webvtt_py_reads_cues(files: dict[str, Path]) -> None:
    cues = [(cue.start, cue.end, cue.voice) for cue in webvtt.read(str(files["vtt"])).captions]
    assert cues[:2] == [
        ("00:00:00.000", "00:00:01.250", "person1"),
        ("00:00:00.500", "00:00:02.000", 'Änna "K"'),
    ]


def test_boris_pastes_events(files: dict[str, Path]) -> None:
    if importlib.util.find_spec("boris") is None:
        pytest.skip("pip install boris-behav-obs shows that BORIS takes the events")
    words = [sys.executable, "-c", BORIS, str(files["boris"])]
    settings = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(words, env=settings, capture_output=True, text=True, check=True)
    events = json.loads(done.stdout.splitlines()[-1])
    assert len(events) == 8 and events[0] == [0.0, "person1", "happy", "", "", "NA"]
    assert [2.0, 'Änna "K"', "valence", "+0.4", "", "NA"] in events
