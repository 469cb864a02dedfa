"""What a page shows of recordings: little, and only where it was asked for."""

import base64
import re
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from tests.commands import refused
from tests.evaluated import Page, evaluated_run
from tests.judged import class_rows

from affuse.corpora.clip import Clip
from affuse.corpora.synthetic.ravdess import synthesise
from affuse.evaluation.report import recordings
from affuse.evaluation.report.page import write_report
from affuse.media.encode import encoded_mp3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two actors of a synthetic RAVDESS."""
    root = tmp_path_factory.mktemp("corpus")
    synthesise(
        root,
        actors=[1, 2],
        seconds=1.2,
        intensities=(1,),
        repetitions=(1,),
        statements=(1,),
        workers=1,
    )
    return root


def ravdess_run(folder: Path) -> Path:
    """A run whose clips are those of the corpus, and of more actors who are not there."""
    names = iter(f"01-0{k % 8 + 1}-01-01-01-0{k // 8 + 1}" for k in range(1000))
    rows = [row | {"clip": next(names)} for row in class_rows(speakers=4, clips=8, skill=0.1)]
    return evaluated_run(folder, rows, corpus="ravdess")


def sounds(text: str) -> list[bytes]:
    return [base64.b64decode(x) for x in re.findall(r"data:audio/mpeg;base64,([^\"]+)", text)]


def test_worst_clips_have_images_and_sound_and_the_page_says_so(
    corpus: Path, tmp_path: Path
) -> None:
    run, out = ravdess_run(tmp_path / "run"), tmp_path / "r.html"
    write_report([run], out, root=corpus, clips=40)
    text = out.read_text()
    page = Page(text)
    there = [name for name in page.column(*worst(page)) if name.endswith(("01", "02"))]
    assert 4 < len(there) < 17 and len(sounds(text)) == len(there)
    assert text.count("data:image/jpeg") == recordings.FRAMES * len(there)
    assert "images and sound of identifiable people" in page.text and page.wrong == []
    assert all(x.startswith(("data:image/jpeg;", "data:audio/mpeg;", "#")) for x in page.asked)
    assert f"not below {corpus.name}" in page.text  # the other actors
    assert len(text) < 60_000 * len(there) + 200_000
    with av.open(BytesIO(sounds(text)[0])) as sound:
        assert sound.duration is not None and 1.0 < sound.duration / av.time_base < 5.0


def worst(page: Page) -> tuple[str, str]:
    (caption,) = (x for x in page.tables if x.startswith("Clips that the model is wrong about"))
    return caption, "clip"


def test_without_a_root_or_clips_there_is_none(corpus: Path, tmp_path: Path) -> None:
    run, out = ravdess_run(tmp_path / "run"), tmp_path / "r.html"
    for options in ({"root": None}, {"root": corpus, "clips": 0}):
        write_report([run], out, **options)
        assert "data:" not in out.read_text().partition("<body>")[2]
        assert "identifiable people" not in out.read_text()


def test_the_bytes_of_recordings_are_bounded(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "MOST", 100_000)
    run, out = ravdess_run(tmp_path / "run"), tmp_path / "r.html"
    write_report([run], out, root=corpus, clips=40)
    text = out.read_text()
    assert "left out: the page has enough of recordings" in text
    assert sum(map(len, re.findall(r'src="(data:[^"]+)"', text))) <= 100_000


def test_a_folder_without_the_clips_is_refused(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row | {"clip": f"x{row['clip']}"} for row in class_rows(skill=0.1)]
    run = evaluated_run(tmp_path / "run", rows, corpus="ravdess")
    line = refused(capsys, "report", run, "--root", corpus, "--out", tmp_path / "r.html")
    assert f"{corpus}: holds none of the clips, such as xc0" in line


def test_a_damaged_recording_is_said_and_the_rest_is_shown(corpus: Path, tmp_path: Path) -> None:
    whole = next(iter(sorted(corpus.rglob("*.mp4"))))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[:400])
    assert recordings.excerpt(Clip("a", broken, broken)).note
    silent = recordings.excerpt(Clip("b", video=whole))
    assert len(silent.images) == recordings.FRAMES and not silent.sound and not silent.note
    assert recordings.excerpt(Clip("c")).note == "has no recording here"


def test_images_of_a_packed_file_are_shown(tmp_path: Path) -> None:
    np.savez(tmp_path / "faces.npz", images=np.full((3, 48, 48), 90, np.uint8))
    found = recordings.excerpt(Clip("a", images=tmp_path / "faces.npz", row=2))
    assert len(found.images) == 1 and found.images[0][1].startswith("data:image/jpeg;base64,")


def test_sound_survives_mp3_and_is_the_same_every_time() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32) / 2
    data = encoded_mp3(tone, 22050, 40_000)
    assert data == encoded_mp3(tone, 22050, 40_000) and len(data) < 8_000
    with av.open(BytesIO(data)) as file:
        parts = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
    spectrum = abs(np.fft.rfft(np.concatenate(parts)[4000:20000]))
    assert np.argmax(spectrum) * 22050 / 16000 == pytest.approx(440, abs=2)
