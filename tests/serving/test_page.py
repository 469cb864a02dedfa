"""The web page without a browser: its files, what it may load, and what it asks the server for."""

from __future__ import annotations

import re
import time
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from affuse.inference.colours import colours_of
from affuse.serving.tickets import GOOD_FOR, opens, ticket_for
from tests.serving.running import ROOT, Running, running

PAGE = Path(str(files("affuse.serving") / "page"))
NAMES = sorted(path.name for path in PAGE.iterdir())
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
#: Names of XML vocabularies, which nobody opens.
VOCABULARIES = {"http://www.w3.org/2000/svg"}


class Tags(HTMLParser):
    """What the tags of a page say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def text_of(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["/", "/page/limits.html"])
def test_a_page_may_load_nothing_from_elsewhere_and_run_nothing_but_its_files(
    server: Running, path: str
) -> None:
    answer = server.client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert rules[name] == "'none'"
    assert answer.headers["permissions-policy"].startswith("camera=(self), microphone=(self)")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    for tag, facts in Tags(answer.text).found:
        assert tag != "style" and "style" not in facts
        assert tag != "script" or facts["src"]
        assert not [name for name in facts if name.startswith("on")]


def test_every_file_of_the_page_is_served_under_its_type(server: Running) -> None:
    for name in NAMES:
        answer = server.client.get(f"/page/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"].partition(";")[0] == TYPES[Path(name).suffix]
        assert answer.content == (PAGE / name).read_bytes()
    for name in ("none.js", "..%2Fapi.py", "%2e%2e/api.py", "../api.py"):
        assert server.client.get(f"/page/{name}").status_code == 404


def test_files_that_the_page_names_are_there_and_no_other_host_is_named() -> None:
    for name in NAMES:
        text = text_of(name)
        assert {*re.findall(r"[a-z]+://[^\s\"'`)]+", text)} <= VOCABULARIES, name
        assert "//fonts" not in text and "@import" not in text
        found = re.findall(r'(?:from|import) "\./([^"]+)"', text)
        if name.endswith(".html"):
            links = [facts.get("src") or facts.get("href") for _, facts in Tags(text).found]
            found += [link.removeprefix("page/") for link in links if link and "#" not in link]
        assert {*found} <= {*NAMES}, name


def test_the_wheel_holds_every_kind_of_file_that_the_page_has() -> None:
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    globs = facts["tool"]["setuptools"]["package-data"]["affuse"]
    assert {f"**/*{Path(name).suffix}" for name in NAMES} <= {*globs}


def test_the_limits_are_those_of_the_documentation() -> None:
    document = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    first = document.partition("## Biases")[0]
    told = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", first)
    wanted = " ".join(" ".join(line.lstrip("# ") for line in told.splitlines()[1:]).split())
    assert wanted in " ".join(" ".join(Tags(text_of("limits.html")).texts).split())


def test_what_the_page_shows_of_a_job(server: Running, short: Path) -> None:
    job = server.job(short)
    server.when(job, "done")
    view = server.client.get(f"/v1/jobs/{job}/view").json()
    result = server.client.get(f"/v1/jobs/{job}/result").json()
    (person,) = view["people"]
    assert view["duration"] == result["duration"]
    assert person["kind"] == "classes" and person["names"] == ["neutral", "happy", "sad"]
    assert person["colours"] == colours_of(person["names"])
    rows = [[*window["probabilities"].values()] for window in result["windows"]]
    assert person["rows"] == [pytest.approx(row, abs=1e-4) for row in rows]
    assert [one["name"] for one in person["presence"]] == ["sound"]
    assert person["frames"] == [] and person["low"] == []
    limits = server.client.get("/v1/limits").json()
    assert limits == {"bytes": 2_000_000, "seconds": 60.0, "people": 2, "keep": 86_400.0}


def test_nothing_is_shown_of_a_job_that_failed_or_is_not(server: Running, tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_text("no video\n" * 30)
    job = server.job(tmp_path / "talk.mp4")
    error = server.when(job, "failed")["error"]
    for path in ("view", "segments", "segments/eaf"):
        answer = server.client.get(f"/v1/jobs/{job}/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (422, error)
        assert server.client.get(f"/v1/jobs/{'0' * 32}/{path}").status_code == 404


def test_a_player_gets_a_recording_in_parts_and_nothing_of_it_runs(
    server: Running, short: Path, tmp_path: Path
) -> None:
    job = server.job(short)
    url = server.client.get(f"/v1/jobs/{job}/link").json()["url"]
    whole = short.read_bytes()
    answer = server.client.get(f"/{url}", headers={"Range": "bytes=100-199"})
    assert answer.status_code == 206 and answer.content == whole[100:200]
    assert answer.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert answer.headers["content-type"].startswith("audio/")
    assert server.client.get(f"/{url}").content == whole
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    job = server.job(tmp_path / "page.html")
    answer = server.client.get(f"/v1/jobs/{job}/recording")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_with_a_token_the_page_is_open_and_recordings_need_a_ticket(
    model: Path, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "an-entirely-secret-word"
    (tmp_path / "token").write_text(token)
    (tmp_path / "browser").write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    (tmp_path / "browser").chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{tmp_path}/browser %s")
    words = ("--model", model, "--token-file", tmp_path / "token", "--open")
    with running(tmp_path / "data", *words, token=token) as server:
        nobody = {"Authorization": ""}
        for path in ("/", *(f"/page/{name}" for name in NAMES)):
            assert server.client.get(path, headers=nobody).status_code == 200
        job, other = server.job(short), server.job(short)
        for path in ("view", "segments", "segments/eaf", "link", "recording", "result"):
            answer = server.client.get(f"/v1/jobs/{job}/{path}", headers=nobody)
            assert answer.status_code == 401, path
        url = server.client.get(f"/v1/jobs/{job}/link").json()["url"]
        assert token not in url
        assert server.client.get(f"/{url}", headers=nobody).content == short.read_bytes()
        for wrong in (url[:-1], url.replace(job, other), url.replace("recording", "view")):
            assert server.client.get(f"/{wrong}", headers=nobody).status_code == 401
        assert server.client.delete(f"/{url}", headers=nobody).status_code == 401
        segments = {"revision": 0, "segments": []}
        put = server.client.put(f"/v1/jobs/{job}/segments", json=segments, headers=nobody)
        assert put.status_code == 401
        assert (tmp_path / "opened").read_text().strip() == str(server.client.base_url).rstrip("/")


def test_a_ticket_is_good_for_one_path_and_some_hours() -> None:
    token, path, now = "an-entirely-secret-word", "/v1/jobs/1/recording", time.time()
    ticket = ticket_for(token, path, now)
    assert opens(ticket, token, path, now + GOOD_FOR - 2)
    assert not opens(ticket, token, path, now + GOOD_FOR + 2)
    assert not opens(ticket, token, "/v1/jobs/2/recording", now)
    assert not opens(ticket, "another-secret-word-here", path, now)
    later = f"9{ticket[1:]}"
    for wrong in ("", "-", "1", later, f"{ticket}0", ticket.replace("-", "é-"), "9" * 400 + "-0"):
        assert not opens(wrong, token, path, now)
