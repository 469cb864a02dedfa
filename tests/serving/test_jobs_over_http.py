"""From an upload to what `affuse predict` writes."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.commands import run
from tests.serving.running import Running


@pytest.fixture(scope="module")
def predicted(short: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `affuse predict` writes of the recording under the name that uploads have."""
    folder = tmp_path_factory.mktemp("predicted")
    shutil.copy(short, folder / "recording.wav")
    out = folder / "result"
    assert run("predict", folder / "recording.wav", "--model", model, "--out", out) == 0
    return out


def test_the_files_are_those_of_predict(server: Running, short: Path, predicted: Path) -> None:
    job = server.job(short)
    facts = server.when(job, "done", "failed")
    assert (facts["state"], facts["progress"], facts["error"]) == ("done", 1, None)
    result = server.client.get(f"/v1/jobs/{job}/result")
    assert result.headers["content-type"] == "application/json"
    assert result.content == (predicted / "recording.json").read_bytes()
    assert facts["files"] == sorted(path.name for path in predicted.iterdir())
    for name in facts["files"]:
        sent = server.client.get(f"/v1/jobs/{job}/files/{name}")
        assert sent.content == (predicted / name).read_bytes(), name
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert ("sandbox" in sent.headers.get("content-security-policy", "")) == (
            name.endswith(".html")
        )


def test_options_are_those_of_predict(server: Running, short: Path) -> None:
    job = server.job(short, hop="0.25", people="2", low_quality="keep", formats="eaf,tidy")
    files = server.when(job, "done")["files"]
    assert {"recording.eaf", "recording.tidy.csv"} < {*files}
    windows = server.client.get(f"/v1/jobs/{job}/result").json()["windows"]
    assert [one["start"] for one in windows] == [0, 0.25, 0.5, 0.75, 1]


def test_options_have_the_names_of_hosted_services_too(server: Running, short: Path) -> None:
    names = {"granularity": "window", "window_length": "2.0", "window_step": "0.25"}
    hosted = server.job(short, **names, people="2", identify_speakers="true", formats="tidy")
    own = server.job(short, hop="0.25", people="2", voice="speaker", formats="tidy")
    for name in server.when(own, "done")["files"]:
        server.when(hosted, "done")
        one, other = (server.client.get(f"/v1/jobs/{job}/files/{name}") for job in (hosted, own))
        assert one.content == other.content, name


def test_events_tell_progress_until_it_is_done(server: Running, short: Path) -> None:
    job = server.job(short, hop="0.02")
    with server.client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert {*lines[::2]} == {"event: job"}
    told = [json.loads(line.removeprefix("data: ")) for line in lines[1::2]]
    shares = [one["progress"] for one in told]
    assert shares == sorted(shares) and shares[-1] == 1
    assert told[-1] == server.client.get(f"/v1/jobs/{job}").json()


def test_ten_uploads_at_once_are_ten_jobs(server: Running, short: Path, predicted: Path) -> None:
    with ThreadPoolExecutor(10) as pool:
        jobs = [*pool.map(lambda _: server.job(short), range(10))]
    assert len({*jobs}) == 10
    for job in jobs:
        server.when(job, "done")
        result = server.client.get(f"/v1/jobs/{job}/result")
        assert result.content == (predicted / "recording.json").read_bytes()


def test_models_and_their_cards(server: Running) -> None:
    (told,) = server.client.get("/v1/models").json()
    assert (told["name"], told["default"], told["window"]) == ("voice", True, 2)
    assert told["outputs"] == ["neutral", "happy", "sad"]
    card = server.client.get("/v1/models/voice/card")
    assert card.headers["content-type"].startswith("text/markdown") and "voice" in card.text
    assert server.client.get("/v1/models/other/card").status_code == 404


def test_health_metrics_and_description(server: Running, short: Path) -> None:
    server.when(server.job(short), "done")
    assert server.client.get("/healthz").json() == {"status": "ok"}
    metrics = server.client.get("/metrics").text
    assert 'affuse_jobs{state="queued"} 0.0' in metrics
    assert 'affuse_job_seconds_count{state="done"}' in metrics
    described = server.client.get("/v1/openapi.json").json()
    assert {*described["paths"]["/v1/jobs/{id}"]} == {"get", "delete"}
    assert "recording" in json.dumps(described["components"]["schemas"])
    assert server.client.get("/docs").status_code == 404


def test_a_job_that_waits_or_runs_can_be_cancelled_and_a_done_one_deleted(
    server: Running, short: Path
) -> None:
    running, waiting = (server.job(short, hop="0.002") for _ in range(2))
    server.when(running, "running")
    assert server.client.get(f"/v1/jobs/{running}/result").status_code == 409
    with server.client.stream("GET", f"/v1/jobs/{waiting}/events") as events:
        for job in (waiting, running):
            assert server.client.delete(f"/v1/jobs/{job}").status_code == 204
            assert server.client.get(f"/v1/jobs/{job}").status_code == 404
            assert job not in [path.name for path in server.folders()]
        assert [*events.iter_lines()][-2] == 'data: {"state": "deleted"}'
    after = server.job(short)
    server.when(after, "done")
    assert server.client.delete(f"/v1/jobs/{after}").status_code == 204
    assert after not in [path.name for path in server.folders()]
    assert server.client.delete(f"/v1/jobs/{after}").status_code == 404
