import io
import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.loopback import Resource, Server, zipped

from affuse.cli.main import main

PATH = "/records/1188976/files/Video_Speech_Actor_{:02d}.zip?download=1"


@pytest.fixture
def server(server: Server) -> Server:
    """The archives of RAVDESS with other, small contents."""
    for actor in range(1, 25):
        name = f"Actor_{actor:02d}/01-01-01-01-01-01-{actor:02d}.mp4"
        server.files[PATH.format(actor)] = Resource(zipped({name: name.encode()}))
    return server


def words(server: Server, out: Path) -> list[str]:
    return ["fetch", "ravdess", str(out), "--parts", "speech-video", "--mirror", server.url]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_licence_is_shown_and_the_files_arrive(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words(server, tmp_path), "--yes"]) == 0
    printed = capsys.readouterr()
    assert "CC BY-NC-SA 4.0" in printed.out and "about 12.0 GB to download" in printed.out
    assert printed.err.count("SHA-256") == 24 and "speech-video complete" in printed.err
    assert len(list(tmp_path.glob("Actor_*/*.mp4"))) == 24
    assert len(json.loads((tmp_path / "fetched.json").read_text())) == 24


def test_nothing_is_fetched_before_the_licence_is_accepted(
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(words(server, tmp_path)) == 2
    printed = capsys.readouterr()
    assert "CC BY-NC-SA 4.0" in printed.out
    assert "--yes" in printed.err and printed.err.count("\n") == 1
    for answer in ("", "\n", "n\n", "what?\n"):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert main(words(server, tmp_path)) == 2
        printed = capsys.readouterr()
        assert printed.out.index("CC BY-NC-SA") < printed.out.index("[y/N]")
        assert "not accepted" in printed.err and printed.err.count("\n") == 1
    assert server.requests == [] and list(tmp_path.iterdir()) == []
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert main(words(server, tmp_path)) == 0
    assert len(server.requests) == 24


@pytest.mark.parametrize("corpus", ["msp-improv", "affwild2"])
def test_a_corpus_under_an_agreement_is_explained(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", corpus, str(tmp_path / "here")]) == 0
    printed = capsys.readouterr()
    assert "agreement" in printed.out and "https://" in printed.out and "Cite:" in printed.out
    assert f"affuse check {corpus} {tmp_path / 'here'}" in printed.out
    assert printed.err == "" and not (tmp_path / "here").exists()
    assert main(["fetch", corpus]) == 0


def test_the_list_tells_parts_and_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--list"]) == 0
    printed = capsys.readouterr().out
    assert "song-video" in printed and "about 208 MB" in printed and "under an agreement" in printed


def test_mistakes_end_with_one_line(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del server.files[PATH.format(2)]
    (tmp_path / "file").write_text("x")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "fetched.json").write_text("{")
    for line, expected in (
        (["fetch"], "fetch NAME OUT"),
        (["fetch", "ravdess"], "fetch ravdess OUT"),
        (["fetch", "iemocap", str(tmp_path)], "there are: affwild2, cremad"),
        (["fetch", "ravdess", str(tmp_path), "--parts", "speech"], "no part 'speech'"),
        (["fetch", "ravdess", str(tmp_path), "--mirror", "example.org"], "https://"),
        ([*words(server, tmp_path / "file"), "--yes"], "file"),
        ([*words(server, tmp_path / "bad"), "--yes"], "fetched.json: is not JSON"),
    ):
        assert main(line) == 2
        printed = capsys.readouterr().err
        assert expected in printed and printed.count("\n") == 1, printed
    assert main([*words(server, tmp_path / "some"), "--yes"]) == 2
    assert "Actor_02.zip?download=1: HTTP 404" in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in (tmp_path / "some").glob("Actor*")] == ["Actor_01"]


def test_ctrl_c_keeps_what_came_and_the_next_run_goes_on(server: Server, tmp_path: Path) -> None:
    late = server.files[PATH.format(3)]
    name, content = "Actor_03/01-01-01-01-01-01-03.mp4", random.Random(0).randbytes(400_000)
    late.body = zipped({name: content})
    late.wait = threading.Event()
    line = [sys.executable, "-m", "affuse", *words(server, tmp_path), "--yes"]
    with subprocess.Popen(
        line,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # a test run in the background ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        part, until = tmp_path / "Video_Speech_Actor_03.zip.part", time.monotonic() + 60
        while not (part.is_file() and part.stat().st_size):
            assert process.poll() is None and time.monotonic() < until, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
    late.wait.set()
    assert process.returncode == 130
    assert "interrupted" in printed and "Traceback" not in printed
    there = part.stat().st_size
    assert 0 < there <= len(late.body) // 2 and not (tmp_path / "Actor_03").exists()
    assert subprocess.run(line, stdout=subprocess.DEVNULL).returncode == 0
    assert (tmp_path / name).read_bytes() == content
    assert sum(PATH.format(1) == path for path, _ in server.requests) == 1
    asked = [headers for path, headers in server.requests if path == PATH.format(3)]
    assert asked[-1]["Range"] == f"bytes={there}-" and asked[-1]["If-Range"] == late.etag
    assert not list(tmp_path.glob("*.part*"))
