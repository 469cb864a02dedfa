import hashlib
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.loopback import Resource, Server, serve

from affuse.errors import AffuseError, BadInput
from affuse.execution import download as module
from affuse.execution.download import download, post_json

BODY = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "a.zip"


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def interrupt_after(bytes_: int) -> Callable[[int, int | None], None]:
    def progress(done: int, total: int | None) -> None:
        if done >= bytes_:
            raise KeyboardInterrupt

    return progress


def test_a_file_arrives_whole_and_alone(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY)
    seen = []
    digest = download(
        f"{server.url}/a",
        target,
        size=len(BODY),
        sha256=SHA256,
        md5=MD5,
        progress=lambda *now: seen.append(now),
    )
    assert digest == SHA256 and target.read_bytes() == BODY and names(target) == ["a.zip"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert download(f"{server.url}/a", target, md5=MD5) == SHA256
    assert len(server.requests) == 1


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', ""])
def test_an_interrupted_download_goes_on(server: Server, target: Path, etag: str) -> None:
    server.files["/a"] = Resource(BODY, etag=etag)
    with pytest.raises(KeyboardInterrupt):
        download(f"{server.url}/a", target, sha256=SHA256, progress=interrupt_after(100_000))
    part = target.with_name("a.zip.part")
    there = part.stat().st_size
    assert 100_000 <= there < len(BODY) and not target.exists()
    assert part.read_bytes() == BODY[:there]
    assert download(f"{server.url}/a", target, sha256=SHA256) == SHA256
    assert server.ranges() == [None, f"bytes={there}-"] and names(target) == ["a.zip"]
    assert server.requests[1][1].get("If-Range") == (etag if etag == '"1"' else None)


def test_without_validator_and_digest_nothing_is_trusted(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY, etag="")
    with pytest.raises(KeyboardInterrupt):
        download(f"{server.url}/a", target, progress=interrupt_after(1))
    server.files["/a"].body = other = BODY[::-1]
    download(f"{server.url}/a", target)
    assert target.read_bytes() == other and server.ranges() == [None, None]


def test_a_file_that_changed_meanwhile_starts_over(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY)
    with pytest.raises(KeyboardInterrupt):
        download(f"{server.url}/a", target, progress=interrupt_after(1))
    other = BODY[::-1]
    server.files["/a"] = Resource(other, etag='"2"')
    assert download(f"{server.url}/a", target) == hashlib.sha256(other).hexdigest()
    assert target.read_bytes() == other and server.requests[1][1]["If-Range"] == '"1"'


def test_a_part_that_is_longer_than_the_file_starts_over(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY)
    target.parent.mkdir()
    target.with_name("a.zip.part").write_bytes(bytes(len(BODY) + 1))
    assert download(f"{server.url}/a", target, sha256=SHA256) == SHA256
    assert server.ranges() == [f"bytes={len(BODY) + 1}-", None]


def test_a_whole_part_is_not_fetched_again(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("a.zip.part").write_bytes(BODY)
    assert download(f"{server.url}/a", target, size=len(BODY), sha256=SHA256) == SHA256
    assert server.requests == [] and names(target) == ["a.zip"]


def test_dropped_connections_are_taken_up_where_they_broke(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY, cuts=[100_000] + 6 * [20_000])
    assert download(f"{server.url}/a", target) == SHA256
    assert server.ranges()[1:3] == ["bytes=100000-", "bytes=120000-"]
    assert len(server.requests) == 8 > module.ATTEMPTS


def test_a_server_that_ignores_range_starts_over(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY, ranges=False, cuts=[100_000, 50_000])
    assert download(f"{server.url}/a", target) == SHA256
    assert target.read_bytes() == BODY and len(server.requests) == 3


def test_a_connection_that_always_drops_is_given_up_and_kept(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY, ranges=False, cuts=20 * [100_000])
    with pytest.raises(AffuseError, match=r"lost after 100,000 of 300,000 bytes; run it again"):
        download(f"{server.url}/a", target)
    assert len(server.requests) == 1 + module.ATTEMPTS - 1
    assert target.with_name("a.zip.part").stat().st_size == 100_000


def test_a_server_that_sends_another_range_is_not_believed(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY)
    with pytest.raises(KeyboardInterrupt):
        download(f"{server.url}/a", target, progress=interrupt_after(1))
    server.files["/a"] = Resource(BODY, status=206, ranges=False)  # from 0, whatever is asked for
    assert download(f"{server.url}/a", target) == SHA256
    assert target.read_bytes() == BODY and len(server.requests) == 3


def test_a_length_that_is_not_told_is_no_obstacle(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY, says_length=False)
    assert download(f"{server.url}/a", target, sha256=SHA256) == SHA256


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"sha256": "0" * 64}, ["SHA-256", SHA256, "0" * 64]),
        ({"md5": "0" * 32}, ["MD5", MD5, "0" * 32]),
        ({"size": 5}, ["300,000 bytes", "expected 5"]),
    ],
)
def test_other_bytes_than_expected_are_refused(
    server: Server, target: Path, expected: dict[str, str | int], told: list[str]
) -> None:
    server.files["/a"] = Resource(BODY)
    with pytest.raises(BadInput) as caught:
        download(f"{server.url}/a", target, **expected)
    assert caught.value.path == target
    assert all(word in str(caught.value) for word in [f"{server.url}/a", *told])
    assert names(target) == []


def test_a_short_file_of_untold_length_is_refused(server: Server, target: Path) -> None:
    server.files["/a"] = Resource(BODY, says_length=False, cuts=[100_000])
    with pytest.raises(BadInput, match="has 100,000 bytes, expected 300,000"):
        download(f"{server.url}/a", target, size=len(BODY))
    assert names(target) == []


def test_a_wrong_file_of_the_user_is_named_and_left(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with pytest.raises(BadInput, match="SHA-256"):
        download(f"{server.url}/a", target, sha256=SHA256)
    assert target.read_bytes() == b"mine" and server.requests == []


def test_refusals_are_not_repeated_and_passing_troubles_are(server: Server, target: Path) -> None:
    with pytest.raises(AffuseError, match=rf"{server.url}/no: HTTP 404 Not Found"):
        download(f"{server.url}/no", target)
    assert len(server.requests) == 1
    server.files["/busy"] = Resource(b'{"message": "come back later"}', status=503)
    with pytest.raises(AffuseError, match="HTTP 503 Service Unavailable: come back later"):
        download(f"{server.url}/busy", target)
    assert len(server.requests) == 1 + module.ATTEMPTS


def test_redirects_are_followed_without_the_private_headers(server: Server, target: Path) -> None:
    with serve() as storage:
        storage.files["/b"] = Resource(BODY)
        server.files["/a"] = Resource(status=302, location=f"{storage.url}/b")
        headers = {"Authorization": "token"}
        assert download(f"{server.url}/a", target, headers=headers) == SHA256
        assert server.requests[0][1]["Authorization"] == "token"
        assert "Authorization" not in storage.requests[0][1]


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/a"])
def test_only_http_is_fetched_also_after_a_redirect(
    server: Server, target: Path, place: str
) -> None:
    with pytest.raises(AffuseError, match="is neither http nor https"):
        download(place, target)
    server.files["/a"] = Resource(status=302, location=place)
    with pytest.raises(AffuseError):
        download(f"{server.url}/a", target)
    assert names(target) == []


def test_https_is_not_left_for_http() -> None:
    redirects = module._Redirects()
    request = module.urllib.request.Request("https://example.org/a")
    with pytest.raises(AffuseError, match=r"redirected to http://example\.org/b"):
        redirects.redirect_request(request, None, 302, "", {}, "http://example.org/b")
    followed = redirects.redirect_request(request, None, 302, "", {}, "https://example.com/b")
    assert followed is not None and followed.full_url == "https://example.com/b"


def test_nobody_there(target: Path, server: Server) -> None:
    with serve() as gone:
        url = gone.url
    with pytest.raises(AffuseError, match=f"{url}/a: .*refused.*; run it again"):
        download(f"{url}/a", target)


def test_a_server_that_falls_silent_is_given_up_and_what_came_is_kept(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    server.files["/a"] = Resource(BODY, ranges=False, wait=threading.Event())
    with pytest.raises(AffuseError, match="timed out"):
        download(f"{server.url}/a", target)
    server.files["/a"].wait.set()
    assert target.with_name("a.zip.part").read_bytes() == BODY[: len(BODY) // 2]


def test_a_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="file"):
        download(f"{server.url}/a", tmp_path / "file" / "a")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 3000), max_size=3), size=st.integers(0, 3000), data=st.data())
def test_wherever_it_breaks_the_file_is_the_same(
    server: Server, tmp_path: Path, cuts: list[int], size: int, data: st.DataObject
) -> None:
    body = BODY[:size]
    server.files["/a"] = Resource(body, ranges=data.draw(st.booleans()), cuts=list(cuts))
    path = tmp_path / "a"
    path.unlink(missing_ok=True)
    assert download(f"{server.url}/a", path) == hashlib.sha256(body).hexdigest()
    assert path.read_bytes() == body and [p.name for p in tmp_path.iterdir()] == ["a"]


def test_json_is_asked_and_answered(server: Server) -> None:
    server.files["/ask"] = Resource(answer=lambda sent: b'{"got": ' + sent + b"}")
    assert post_json(f"{server.url}/ask", [1], {"Accept": "x/y"}) == {"got": [1]}
    assert server.requests[0][1]["Accept"] == "x/y"
    server.files["/page"] = Resource(b"<html>")
    with pytest.raises(AffuseError, match="not JSON"):
        post_json(f"{server.url}/page", [1], {})
