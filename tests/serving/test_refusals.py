"""What is not taken, and why, in one line; and what a refusal leaves behind: nothing."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.commands import refused
from tests.serving.conftest import tone
from tests.serving.hostile import PATH_TRICKS
from tests.serving.running import Running


def reason(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert isinstance(detail, str) and "\n" not in detail
    return detail


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model": "other"}, "model: none of voice"),
        ({"people": "3"}, "people: this server takes 2 at most"),
        ({"people": "-1"}, "people: '-1' is neither largest, all nor a number of people"),
        ({"hop": "0"}, "hop: input should be greater than 0"),
        ({"hop": "nan"}, "hop: "),
        ({"formats": "eaf,doc"}, "formats: no format 'doc'"),
        ({"granularity": "frame"}, "granularity: this model speaks about every window"),
        ({"granularity": "word"}, "granularity: input should be 'window' or 'frame'"),
        ({"window_length": "4"}, "window_length: that of this model is 2 s"),
        ({"window_step": "1", "hop": "1"}, "window_step: is another name of hop; give one"),
        ({"window_step": "-1"}, "window_step: input should be greater than 0"),
        ({"identify_speakers": "perhaps"}, "identify_speakers: input should be a valid boolean"),
        (
            {"identify_speakers": "true", "voice": "all"},
            "identify_speakers: is another name of voice; give one",
        ),
        ({"voice": "x\ny"}, "voice: input should be 'all' or 'speaker'"),
    ],
)
def test_options(server: Running, short: Path, options: dict[str, str], why: str) -> None:
    before = len(server.folders())
    assert reason(server.upload(short, **options), 422).startswith(why)
    assert len(server.folders()) == before


def test_a_form_without_a_recording(server: Running) -> None:
    assert reason(server.client.post("/v1/jobs", data={"hop": "1"}), 422).startswith("recording: ")
    empty = {"recording": ("x.wav", b"")}
    assert reason(server.client.post("/v1/jobs", files=empty), 422) == "recording: is empty"


def test_what_is_no_recording_fails_as_a_job(server: Running, tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_text("no video\n" * 30)
    job = server.job(tmp_path / "talk.mp4")
    error = server.when(job, "failed")["error"]
    assert error.startswith("recording.mp4: ") and "/" not in error
    assert reason(server.client.get(f"/v1/jobs/{job}/result"), 422) == error
    assert server.client.get(f"/v1/jobs/{job}").json()["files"] == []


def test_a_hop_that_the_model_cannot_have_fails_as_a_job(server: Running, short: Path) -> None:
    assert server.when(server.job(short, hop="9"), "failed")["error"].startswith("a hop of 9 s")


def test_a_recording_that_is_too_long(server: Running, tmp_path: Path) -> None:
    job = server.job(tone(tmp_path / "long.mp4", 61))
    error = server.when(job, "failed")["error"]
    assert error == "recording.mp4: is 61.0 s long; this server takes 60 s"


def parts(size: int) -> Iterator[bytes]:
    """A form without a stated length."""
    yield b'--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\n'
    for _ in range(size // 50_000):
        yield bytes(50_000)
    yield b"\r\n--x--\r\n"


def test_too_many_bytes_whether_stated_or_not(server: Running) -> None:
    before = len(server.folders())
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    stated = server.client.post("/v1/jobs", headers=form, content=b"".join(parts(3_000_000)))
    unstated = server.client.post("/v1/jobs", headers=form, content=parts(2_150_000))
    nearly = server.client.post("/v1/jobs", headers=form, content=parts(2_050_000))
    for answer in (stated, unstated, nearly):
        assert reason(answer, 413) == "this server takes 2,000,000 bytes"
    assert len(server.folders()) == before


@pytest.mark.parametrize("name", PATH_TRICKS)
def test_names_of_clients_are_no_paths(server: Running, short: Path, name: str) -> None:
    answer = server.upload(short, name)
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    server.when(job, "done")
    folder = server.data / "jobs" / job
    assert {path.stem for path in folder.iterdir()} == {"recording", "result", "view", "proposed"}
    assert folder.stat().st_mode & 0o777 == 0o700
    server.client.delete(f"/v1/jobs/{job}")


def test_only_results_are_files_of_a_job(server: Running, short: Path) -> None:
    job = server.job(short)
    server.when(job, "done")
    for name in ("../recording.wav", "..%2Frecording.wav", "%2Fetc%2Fpasswd", "recording.wav"):
        assert server.client.get(f"/v1/jobs/{job}/files/{name}").status_code == 404
    for other in ("..", "%2e%2e", "x" * 32, job.upper() + "x"):
        assert server.client.get(f"/v1/jobs/{other}/result").status_code == 404


def test_an_upload_that_is_broken_off_leaves_nothing(server: Running) -> None:
    before = len(server.folders())
    with socket.create_connection((server.client.base_url.host, server.client.base_url.port)) as s:
        s.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1900000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            + next(parts(0))
            + bytes(900_000)
        )
        time.sleep(0.3)
    time.sleep(0.3)
    assert len(server.folders()) == before
    assert [*(server.data / "incoming").glob("*.wav")] == []
    assert server.client.get("/healthz").status_code == 200
    assert "Traceback" not in server.said()


def test_other_hosts_and_origins(server: Running, short: Path) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example:80", "[::1"):
        answer = server.client.get("/v1/models", headers={"Host": host})
        assert answer.status_code in (400, 421), host
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:80"):
        assert server.client.get("/v1/models", headers={"Host": host}).status_code == 200
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        files = {"recording": ("x.wav", short.read_bytes())}
        answer = server.client.post("/v1/jobs", files=files, headers={"Origin": origin})
        assert "origin" in reason(answer, 403)
    own = f"http://{server.client.base_url.netloc.decode()}"
    answer = server.client.get("/v1/models", headers={"Origin": own})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_token_is_asked_for(guarded: Running, token: str, short: Path) -> None:
    for wrong in ("", "Bearer", "Bearer x", f"Basic {token}", f"Bearer {token}x"):
        answer = guarded.client.get("/v1/models", headers={"Authorization": wrong})
        assert reason(answer, 401) == "the token is missing or wrong"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert guarded.client.get("/healthz", headers={"Authorization": ""}).status_code == 200
    job = guarded.job(short)
    guarded.when(job, "done")
    deadline = time.monotonic() + 20
    while guarded.folders() and time.monotonic() < deadline:  # kept for a second
        time.sleep(0.1)
    assert guarded.folders() == []
    assert guarded.client.get(f"/v1/jobs/{job}").status_code == 404
    assert job in guarded.said() and token not in guarded.said()
    assert "Grandma" not in guarded.said() and "recording" not in guarded.said()


def test_who_can_be_reached_needs_a_token(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("serve", "--data", tmp_path / "data", "--model", model)
    line = refused(capsys, *words, "--host", "0.0.0.0")
    assert "others can reach a server on 0.0.0.0" in line and "--token-file" in line
    (tmp_path / "short").write_text("short")
    line = refused(capsys, *words, "--host", "0.0.0.0", "--token-file", tmp_path / "short")
    assert "a token is one word of at least 16 characters" in line
    assert "no such file" in refused(capsys, *words, "--token-file", tmp_path / "none").lower()
    assert not (tmp_path / "data").exists()


def test_what_cannot_be_served(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("serve", "--data", tmp_path / "data")
    (tmp_path / "x.safetensors").write_text("nothing")
    assert "x.safetensors" in refused(capsys, *data, "--model", tmp_path / "x.safetensors")
    assert "voice is" in refused(capsys, *data, "--model", model, "--model", model)
    assert "URL" in refused(capsys, *data, "--model", f"a/b={model}")


def test_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    line = refused(capsys, "serve", "--data", tmp_path)
    assert line.startswith("affuse serve: needs uvicorn") and "affuse[serve]" in line
