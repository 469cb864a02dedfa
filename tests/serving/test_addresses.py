"""Recordings that the server downloads from hosts that its operator allowed."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from affuse.errors import AffuseError
from affuse.serving.addresses import Host, Refused, check, fetch, read_hosts
from tests.loopback import Resource
from tests.loopback import Server as Shelf
from tests.serving.running import Running, running


def asked(server: Running, url: str, **options: Any) -> httpx.Response:
    return server.client.post("/v1/jobs", data={"url": url, **options})


def error_of(server: Running, url: str) -> str:
    """Why a job failed."""
    answer = asked(server, url)
    assert answer.status_code == 202, answer.text
    return str(server.when(answer.json()["id"], "failed", "done")["error"])


def port_of(shelf: Shelf) -> str:
    return shelf.url.rpartition(":")[2]


def test_a_url_gives_the_files_of_an_upload(server: Running, shelf: Shelf, short: Path) -> None:
    shelf.files["/Talk%20of%20Anna.WAV?key=secret"] = Resource(short.read_bytes())
    shelf.files["/moved"] = Resource(
        status=302,
        location=f"http://shelf.example:{port_of(shelf)}/Talk%20of%20Anna.WAV?key=secret",
    )
    uploaded = server.job(short, hop="0.5")
    shelf.requests.clear()
    for path in ("/Talk%20of%20Anna.WAV?key=secret", "/moved#part"):
        answer = asked(server, shelf.url + path, hop="0.5")
        assert answer.status_code == 202, answer.text
        job = answer.json()["id"]
        files = server.when(job, "done", "failed")["files"]
        expected = server.when(uploaded, "done")["files"]
        assert len(files) == len(expected)
        for name, other in zip(files, expected, strict=True):
            mine, theirs = (
                server.client.get(f"/v1/jobs/{one}/files/{file}")
                for one, file in ((job, name), (uploaded, other))
            )
            assert path == "/moved#part" or mine.content == theirs.content
        folder = server.data / "jobs" / job
        held = {file.name.split(".")[0] for file in folder.iterdir()}
        assert held >= {"recording", "result"} and not held & {"address", "part"}
    assert [path for path, _ in shelf.requests] == [
        "/Talk%20of%20Anna.WAV?key=secret",
        "/moved",
        "/Talk%20of%20Anna.WAV?key=secret",
    ]
    hosts = [headers["Host"] for _, headers in shelf.requests]
    assert hosts[-1] == f"shelf.example:{port_of(shelf)}"
    assert "Anna" not in server.said() and "secret" not in server.said()
    held = b"".join(path.read_bytes() for path in server.data.glob("jobs.sqlite*"))
    assert b"Anna" not in held and b"secret" not in held


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://other.example/a.wav", "its host is none that this server is allowed to ask"),
        ("http://127.0.0.1/a.wav", "its host is none that this server is allowed to ask"),
        ("https://127.0.0.1:{port}x/a.wav", "no URL"),
        ("http://127.1:{port}/a.wav", "its host is none"),
        ("http://2130706433:{port}/a.wav", "its host is none"),
        ("http://[::ffff:127.0.0.1]:{port}/a.wav", "its host is none"),
        ("http://127.0.0.1:{port}@other.example/a.wav", "names a user"),
        ("http://me:secret@127.0.0.1:{port}/a.wav", "names a user"),
        ("file:///etc/passwd", "neither http nor https"),
        ("ftp://127.0.0.1:{port}/a.wav", "neither http nor https"),
        ("a.wav", "neither http nor https"),
        ("http://127.0.0.1:{port}/a b.wav", "no URL in printable ASCII characters"),
        ("http://127.0.0.1:{port}/\r\nX: y", "no URL in printable ASCII characters"),
        ("http://127.0.0.1:{port}/" + "x" * 9000, "no URL"),
    ],
)
def test_urls_that_are_refused(server: Running, shelf: Shelf, url: str, why: str) -> None:
    before = len(server.folders())
    answer = asked(server, url.replace("{port}", port_of(shelf)))
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"].startswith(f"url: {why}")
    assert len(server.folders()) == before


def test_no_host_is_allowed_by_default(guarded: Running, shelf: Shelf) -> None:
    answer = asked(guarded, f"{shelf.url}/a.wav")
    assert answer.status_code == 422 and "allowed" in answer.json()["detail"]


def test_a_url_and_a_recording_are_too_much(server: Running, shelf: Shelf, short: Path) -> None:
    answer = server.upload(short, url=f"{shelf.url}/a.wav")
    assert answer.status_code == 422
    assert answer.json()["detail"] == "recording: send one, or its url"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Resource(b"not here", status=404), "the host answers 404"),
        (Resource(b"", status=204), "the host answers 204"),
        (Resource(b""), "is empty"),
        (Resource(bytes(2_000_001)), "has 2,000,001 bytes; this server takes 2,000,000"),
        (
            Resource(bytes(2_000_001), says_length=False),
            "has more than 2,000,000 bytes, which this server takes",
        ),
        (Resource(bytes(1000), cuts=[500]), "the host broke off"),
        (Resource(bytes(1000), encoding="gzip"), "the host sends it compressed"),
        (Resource(status=302), "the host redirects again and again"),
        (Resource(status=302, location="http://other.example/"), "its host is none that"),
        (Resource(status=301, location="http://127.0.0.1:1/"), "its host is none that"),
        (Resource(status=307, location="//[/"), "the host redirects to no URL"),
        (Resource(status=308, location="file:///etc/passwd"), "neither http nor https"),
    ],
)
def test_answers_that_are_not_taken(
    server: Running, shelf: Shelf, answer: Resource, why: str
) -> None:
    shelf.files["/a.mp4"] = answer
    assert error_of(server, f"{shelf.url}/a.mp4").startswith(f"recording.mp4: {why}")
    assert not any("address" in str(file) for file in server.data.glob("jobs/*/*"))
    assert not [*server.data.glob("jobs/*/part*")]


def test_what_is_no_recording_fails_whatever_its_type(server: Running, shelf: Shelf) -> None:
    shelf.files["/talk.mp4"] = Resource(b"<html>no video</html>" * 50)
    assert error_of(server, f"{shelf.url}/talk.mp4").startswith("recording.mp4: ")


def test_a_name_that_leads_to_this_machine_is_not_followed(server: Running, shelf: Shelf) -> None:
    shelf.requests.clear()
    error = error_of(server, f"http://localhost:{port_of(shelf)}/a.wav")
    assert error == "recording.wav: its host has an address that is not public"
    assert not shelf.requests


def test_a_host_that_nobody_answers_at(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        host = Host("127.0.0.1", port, "127.0.0.1")
        with pytest.raises(AffuseError, match=r"a\.wav: cannot be downloaded"):
            fetch(f"http://127.0.0.1:{port}/x", tmp_path / "a.wav", [host], 1000, 5.0)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("word", "host"),
    [
        ("media.example", Host("media.example")),
        ("Media.Example:8443", Host("media.example", 8443)),
        ("nas.lan=10.0.0.5", Host("nas.lan", None, "10.0.0.5")),
        ("nas.lan:81=fd00::5", Host("nas.lan", 81, "fd00::5")),
        ("10.0.0.5:81", Host("10.0.0.5", 81, "10.0.0.5")),
        ("[fd00::5]:81", Host("fd00::5", 81, "fd00::5")),
    ],
)
def test_hosts_that_an_operator_names(word: str, host: Host) -> None:
    assert read_hosts([word]) == (host,)


@pytest.mark.parametrize(
    "word", ["", "*", "*.example", "http://media.example", "a/b", "a:x", "a:", "a=b", "u@a", "a b"]
)
def test_what_is_no_host(word: str) -> None:
    with pytest.raises(AffuseError, match="NAME"):
        read_hosts([word])


def test_ports_are_those_of_the_scheme_unless_one_is_named() -> None:
    hosts = read_hosts(["media.example", "other.example:8443"])
    for url in (
        "http://media.example/a",
        "https://MEDIA.example:443/a?b",
        "https://other.example:8443",
    ):
        check(url, hosts)
    for url in (
        "http://media.example:443/a",
        "https://media.example:8443/",
        "https://other.example/",
    ):
        with pytest.raises(Refused):
            check(url, hosts)


@pytest.mark.slow
def test_a_killed_server_downloads_again(
    model: Path, short: Path, shelf: Shelf, tmp_path: Path
) -> None:
    held = Resource(short.read_bytes(), wait=threading.Event())
    shelf.files["/slow.wav"] = held
    words = ("--model", model, "--allow-host", shelf.url.removeprefix("http://"))
    with running(tmp_path / "data", *words) as first:
        job = asked(first, f"{shelf.url}/slow.wav").json()["id"]
        folder = tmp_path / "data" / "jobs" / job
        for _ in range(1000):
            if (folder / "part.download").exists():
                break
            time.sleep(0.02)
        assert (folder / "part.download").exists()
        first.kill()
    assert held.wait is not None
    held.wait.set()
    with running(tmp_path / "data", *words) as second:
        assert second.when(job, "done", "failed")["error"] is None
        names = {path.name for path in folder.iterdir()}
        assert names >= {"recording.wav", "result"}
        assert not names & {"address", "part.download"}
