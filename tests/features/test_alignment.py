"""What is said of imported streams that do not end with their recordings."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.clip import Clip, Corpus
from affuse.features.alignment import check_alignment
from affuse.features.catalogue import Rated, create_extractor
from affuse.features.extractor import Extractor
from affuse.features.prepare import prepare


def sound(path: Path, seconds: float) -> Path:
    """A silent recording."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * round(8000 * seconds)))
    return path


def rows(path: Path, count: int, width: int = 2) -> None:
    path.parent.mkdir(exist_ok=True)
    np.save(path, np.ones((count, width)))


def check(folder: Path, clips: list[Clip], *extractors: Extractor) -> list[str]:
    prepare(Corpus("folder", folder, clips, (), "none"), folder / "store", extractors)
    return check_alignment(folder / "store", clips, extractors)


def table(folder: Path) -> dict[tuple[str, str], list[float]]:
    with (folder / "store" / "alignment.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["clip", "stream", "stream_seconds", "recording_seconds", "difference"]
    return {(line[0], line[1]): [float(cell) for cell in line[2:]] for line in lines}


def own(folder: Path, rate: float = 25.0, name: str = "audio/imported-x") -> Extractor:
    return create_extractor(name, Rated(folder, rate))


def test_the_worst_clip_is_named_and_all_are_listed(tmp_path: Path) -> None:
    clips = []
    for number in range(12):
        name = f"c{number:02d}"
        clips.append(Clip(name, audio=sound(tmp_path / f"{name}.wav", 4.0)))
        rows(tmp_path / "own" / f"{name}.npy", {3: 60, 7: 110}.get(number, 98))
    (line,) = check(tmp_path, clips, own(tmp_path / "own"))
    assert line == (
        "audio/imported-x: 10 of 12 clips end within 0.2 s of their recordings; the worst is c03 "
        f"(1.60 s short), see {tmp_path / 'store' / 'alignment.csv'}"
    )
    found = table(tmp_path)
    assert len(found) == 12
    assert found["c07", "audio/imported-x"] == [4.4, 4.0, 0.4]
    assert found["c00", "audio/imported-x"] == [3.92, 4.0, -0.08]


def test_a_rate_that_would_fit_is_suggested(tmp_path: Path) -> None:
    clips = [Clip(n, audio=sound(tmp_path / f"{n}.wav", s)) for n, s in (("a", 4), ("b", 6))]
    for clip, seconds in zip(clips, (4, 6), strict=True):
        rows(tmp_path / "own" / f"{clip.id}.npy", 50 * seconds - 1)
    summary, line = check(tmp_path, clips, own(tmp_path / "own"))
    assert "0 of 2 clips end within" in summary and "b (5.96 s long)" in summary
    assert line == (
        "audio/imported-x: lasts 1.99 of the recordings (median): --rate audio/imported-x=25 is "
        "probably wrong, 50 would fit"
    )
    assert len(check(tmp_path, clips, own(tmp_path / "own", 50.0))) == 1
    assert len(check(tmp_path, clips, own(tmp_path / "own", 46.0))) == 1
    for clip, seconds in zip(clips, (4, 6), strict=True):
        rows(tmp_path / "own" / f"{clip.id}.npy", round(12.5 * seconds))
    assert (
        "=25 is probably wrong, 12.5 would fit" in check(tmp_path, clips, own(tmp_path / "own"))[1]
    )


def test_files_with_times_are_not_blamed_on_the_rate(tmp_path: Path) -> None:
    clips = [Clip("a", audio=sound(tmp_path / "a.wav", 4.0))]
    (tmp_path / "own").mkdir()
    lines = ["time,x", *(f"{k / 10},1" for k in range(20))]
    (tmp_path / "own" / "a.csv").write_text("\n".join(lines) + "\n")
    summary, line = check(tmp_path, clips, own(tmp_path / "own"))
    assert "2.08 s short" in summary
    assert line.endswith("are its files of these recordings, and their times in seconds?")


def test_openface_and_emoca_are_compared_too(tmp_path: Path) -> None:
    clips = [Clip(n, audio=sound(tmp_path / f"{n}.wav", 2.0)) for n in "abc"]
    for clip, seconds in zip(clips, (2.0, 1.0, 2.1), strict=True):
        (tmp_path / "of").mkdir(exist_ok=True)
        frames = [f"{k / 30:.3f},1,0.5" for k in range(round(30 * seconds))]
        text = "\n".join(["timestamp,success,AU01_r", *frames])
        (tmp_path / "of" / f"{clip.id}.csv").write_text(text + "\n")
        rows(tmp_path / "emoca" / f"{clip.id}.npy", 60, 50)
    sources = {"video/openface": tmp_path / "of", "video/emoca50": tmp_path / "emoca"}
    faces, codes = check(tmp_path, clips, *(create_extractor(n, sources) for n in sources))
    assert faces.startswith("video/openface: 2 of 3 clips") and "b (1.00 s short)" in faces
    assert codes.startswith("video/emoca50: 3 of 3 clips")
    assert len(table(tmp_path)) == 6


def test_clips_that_the_source_lacks_are_counted_and_three_named(tmp_path: Path) -> None:
    clips = [Clip(n, audio=sound(tmp_path / f"{n}.wav", 2.0)) for n in "abcdef"]
    rows(tmp_path / "own" / "d.npy", 50)
    lines = check(tmp_path, clips, own(tmp_path / "own"))
    assert (
        lines[0] == "audio/imported-x: the source has nothing of 5 of 6 clips: a, b, c and 2 more"
    )
    assert lines[1].startswith("audio/imported-x: 1 of 1 clips end")
    rows(tmp_path / "own" / "a.npy", 50)
    rows(tmp_path / "own" / "b.npy", 50)
    assert check(tmp_path, clips, own(tmp_path / "own"))[0].endswith("3 of 6 clips: c, e, f")


@pytest.mark.parametrize(("start", "end", "seconds"), [(1.0, 3.0, 2.0), (3.0, None, 1.0)])
def test_the_part_that_is_the_clip_is_compared(
    tmp_path: Path, start: float, end: float | None, seconds: float
) -> None:
    clip = Clip("a", audio=sound(tmp_path / "film.wav", 4.0), start=start, end=end)
    rows(tmp_path / "own" / "film.npy", 100)
    (line,) = check(tmp_path, [clip], own(tmp_path / "own"))
    assert "1 of 1 clips end within" in line
    assert table(tmp_path)["a", "audio/imported-x"] == [seconds, seconds, 0.0]


def test_an_end_after_the_end_of_the_recording_is_not_waited_for(tmp_path: Path) -> None:
    clip = Clip("a", audio=sound(tmp_path / "a.wav", 4.0), start=1.0, end=9.0)
    rows(tmp_path / "own" / "a.npy", 100)
    check(tmp_path, [clip], own(tmp_path / "own"))
    assert table(tmp_path)["a", "audio/imported-x"] == [3.0, 3.0, 0.0]


def test_without_recordings_it_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_text("x")
    clips = [Clip("a"), Clip("b", audio=tmp_path / "broken.wav", video=tmp_path / "gone.mp4")]
    for clip in clips:
        rows(tmp_path / "own" / f"{clip.id}.npy", 50)
    streams = [
        own(tmp_path / "own", name=name) for name in ("audio/imported-x", "video/imported-y")
    ]
    assert check(tmp_path, clips, *streams) == [
        "audio/imported-x, video/imported-y: no recordings at hand to compare the lengths with"
    ]
    assert table(tmp_path) == {}
    clips[0] = Clip("a", video=sound(tmp_path / "a.wav", 2.0))
    line = check(tmp_path, clips, *streams)[0]
    assert "1 of 1 clips end within" in line and "(1 have no recording at hand)" in line


def test_one_row_per_clip_and_computed_streams_are_not_compared(tmp_path: Path) -> None:
    clips = [Clip(n, audio=sound(tmp_path / f"{n}.wav", 2.0)) for n in "ab"]
    rows(tmp_path / "own" / "a.npy", 1)
    assert check(tmp_path, clips, create_extractor("audio/mfcc10")) == []
    assert not (tmp_path / "store" / "alignment.csv").exists()
    assert check(tmp_path, clips, own(tmp_path / "own", 0)) == [
        "audio/imported-x: the source has nothing of 1 of 2 clips: b"
    ]
    assert table(tmp_path) == {}


def test_what_is_known_of_other_streams_stays(tmp_path: Path) -> None:
    clips = [Clip("a", audio=sound(tmp_path / "a.wav", 2.0))]
    rows(tmp_path / "own" / "a.npy", 50)
    check(tmp_path, clips, own(tmp_path / "own"))
    check(tmp_path, clips, own(tmp_path / "own", 20.0, "video/imported-y"))
    assert table(tmp_path)["a", "audio/imported-x"] == [2.0, 2.0, 0.0]
    assert table(tmp_path)["a", "video/imported-y"] == [2.5, 2.0, 0.5]
    check(tmp_path, clips, own(tmp_path / "own", 25.0, "video/imported-y"))
    assert len(table(tmp_path)) == 2 and table(tmp_path)["a", "video/imported-y"][2] == 0
