"""Segments that a person corrects: kept, checked, and taken by the programs that read them."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from affuse.corpora.folder import read
from affuse.evaluation.timeline_files import read_timeline
from affuse.interchange.formats import FORMATS, read_coding
from tests.commands import run
from tests.serving.running import PATIENCE, Running, running

LABELS = ["happy", "not sure", "embarrassed"]


def coded(*labels: str, person: str = "person1", signal: str = "emotion") -> list[dict[str, Any]]:
    """Segments of a second each."""
    facts = {"person": person, "signal": signal, "note": "corrected"}
    return [{**facts, "start": k, "end": k + 1, "label": label} for k, label in enumerate(labels)]


def put(server: Running, job: str, revision: int, segments: list[dict[str, Any]]) -> Any:
    body = {"revision": revision, "segments": segments}
    return server.client.put(f"/v1/jobs/{job}/segments", json=body)


def done(server: Running, recording: Path) -> str:
    id = server.job(recording)
    server.when(id, "done")
    return id


@pytest.fixture
def job(server: Running, short: Path) -> str:
    """A job with the segments that the model proposes."""
    return done(server, short)


@pytest.fixture(scope="module")
def coded_job(server: Running, short: Path) -> str:
    """A job whose segments were corrected once, to `LABELS`."""
    id = done(server, short)
    assert put(server, id, 0, coded(*LABELS)).status_code == 200
    return id


def test_the_first_segments_are_those_of_the_prediction(
    server: Running, short: Path, tmp_path: Path
) -> None:
    id = server.job(short, hop="0.5", formats="eaf")
    server.when(id, "done")
    answer = server.client.get(f"/v1/jobs/{id}/segments").json()
    assert answer["revision"] == 0
    predicted = server.client.get(f"/v1/jobs/{id}/files/recording.eaf").content
    (tmp_path / "predicted.eaf").write_bytes(predicted)
    wanted = read_coding(tmp_path / "predicted.eaf").segments
    assert [(s["person"], s["signal"], s["label"]) for s in answer["segments"]] == [
        (s.person, s.signal, s.label) for s in wanted
    ]
    assert [s["start"] for s in answer["segments"]] == [
        pytest.approx(s.start, abs=6e-4) for s in wanted
    ]


def test_what_was_saved_is_there_and_a_change_that_knows_an_older_one_is_refused(
    server: Running, job: str
) -> None:
    assert put(server, job, 0, coded(*LABELS)).json() == {"revision": 1}
    kept = server.client.get(f"/v1/jobs/{job}/segments").json()
    assert kept == {"revision": 1, "segments": coded(*LABELS)}
    late = put(server, job, 0, coded("sad"))
    assert late.status_code == 409
    assert late.json()["detail"] == "the segments were changed elsewhere in between"
    assert server.client.get(f"/v1/jobs/{job}/segments").json() == kept
    assert put(server, job, 1, []).json() == {"revision": 2}
    assert server.client.get(f"/v1/jobs/{job}/segments").json()["segments"] == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"person": "person2"}, "the recording has no 'emotion' of 'person2'"),
        ({"signal": "valence"}, "the recording has no 'valence' of 'person1'"),
        ({"start": 1.0}, "a segment from 1 to 1 s does not fit into 3 s"),
        ({"end": 3.2}, "a segment from 0 to 3.2 s does not fit into 3 s"),
        ({"end": 1.5}, "two segments of emotion of person1 overlap"),
        ({"label": " "}, "a label is blank"),
        ({"label": "a\nb"}, "a label is blank, or a label or note is not one line of text"),
        ({"label": "x" * 201}, "label: string should have at most 200 characters"),
        ({"note": "a\x00"}, "a label is blank, or a label or note is not one line of text"),
        ({"start": -0.1}, "start: input should be greater than or equal to 0"),
        ({"end": "soon"}, "end: input should be a valid number"),
    ],
)
def test_segments_that_cannot_be_of_the_recording_are_refused_in_a_line(
    server: Running, coded_job: str, change: dict[str, Any], why: str
) -> None:
    first, *others = coded("happy", "sad")
    answer = put(server, coded_job, 1, [first | change, *others])
    assert answer.status_code == 422
    assert answer.json()["detail"].removeprefix("segments: ").startswith(why)
    assert server.client.get(f"/v1/jobs/{coded_job}/segments").json()["revision"] == 1


@pytest.mark.parametrize("word", list(FORMATS))
def test_every_format_says_what_was_corrected(
    server: Running, coded_job: str, tmp_path: Path, word: str
) -> None:
    name = "Anna + Bär, 2. Teil.mp4"
    answer = server.client.get(
        f"/v1/jobs/{coded_job}/segments/{word}", params={"name": f"C:\\x\\{name}"}
    )
    ending = FORMATS[word].ending
    said = answer.headers["content-disposition"].partition("''")[2]
    assert unquote(said) == f"Anna + Bär, 2. Teil{ending}"
    path = tmp_path / f"anna{ending}"
    path.write_bytes(answer.content)
    found = read_coding(path).segments
    assert [(s.start, s.end, s.label) for s in found] == [
        (k, k + 1, label) for k, label in enumerate(LABELS)
    ]
    if word == "eaf":
        assert "not sure" in answer.text and "RELATIVE_MEDIA_URL" in answer.text


def test_a_format_that_is_not_is_named(server: Running, coded_job: str) -> None:
    answer = server.client.get(f"/v1/jobs/{coded_job}/segments/doc")
    assert answer.status_code == 404 and "eaf, textgrid, boris" in answer.json()["detail"]


def test_a_spreadsheet_has_a_row_per_segment(server: Running, job: str) -> None:
    put(server, job, 0, coded("happy", "=1+1"))
    text = server.client.get(f"/v1/jobs/{job}/segments/tidy", params={"name": "talk.mp4"}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["label"] for row in rows] == ["happy", "'=1+1"]
    assert rows[0] == {
        "recording": "talk.mp4",
        "person": "person1",
        "signal": "emotion",
        "start": "0.000",
        "end": "1.000",
        "label": "happy",
        "note": "corrected",
    }


def test_agree_and_a_corpus_take_what_was_corrected(
    server: Running,
    job: str,
    short: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = server.client.get(f"/v1/jobs/{job}/result")
    (tmp_path / "talk.json").write_bytes(result.content)
    (said,) = {*(read_timeline(tmp_path / "talk.json").labels or ())}
    labels, edges = (said, "embarrassed", "not sure"), (0, 1.5, 2.4, 3)
    times = [{"start": a, "end": b} for a, b in pairwise(edges)]
    coding = [{**one, **own} for one, own in zip(coded(*labels), times, strict=True)]
    assert put(server, job, 0, coding).status_code == 200
    (tmp_path / "anna").mkdir()
    answer = server.client.get(f"/v1/jobs/{job}/segments/eaf", params={"name": "talk.wav"})
    (tmp_path / "anna" / "talk.eaf").write_bytes(answer.content)
    capsys.readouterr()
    assert run("agree", tmp_path / "anna", tmp_path / "talk.json", "--json") == 0
    signal = json.loads(capsys.readouterr().out)["signals"]["emotion"]
    (pair,) = signal["pairs"]
    assert pair["frames"] == 24 and pair["agreement"] == pytest.approx(15 / 24)
    assert signal["counts"][str(tmp_path / "anna")]["not_sure"] == 6

    (tmp_path / "anna" / "talk.wav").write_bytes(short.read_bytes())
    clips = read(tmp_path / "anna").clips
    assert [(clip.label, clip.start, clip.end) for clip in clips] == [
        (said, 0, 1.5),
        ("embarrassed", 1.5, 2.4),
    ]


@pytest.mark.slow
def test_corrections_keep_a_job_from_being_deleted(
    model: Path, short: Path, tmp_path: Path
) -> None:
    with running(tmp_path / "data", "--model", model, "--keep-hours", 5 / 3600) as server:
        job, other = server.job(short), server.job(short)
        server.when(job, "done")
        assert put(server, job, 0, coded("happy")).status_code == 200
        saved = server.data / "jobs" / job / "segments.json"
        os.utime(saved, (time.time() + 3600,) * 2)  # as if it were corrected in an hour
        wait_until_gone(server, other)
        assert server.client.get(f"/v1/jobs/{job}/segments").json()["revision"] == 1
        os.utime(saved, (0, 0))
        wait_until_gone(server, job)


def wait_until_gone(server: Running, job: str) -> None:
    until = time.monotonic() + PATIENCE
    while server.client.get(f"/v1/jobs/{job}").status_code != 404:
        assert time.monotonic() < until, server.said()
        time.sleep(0.1)
