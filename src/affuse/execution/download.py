"""Downloads that are resumed and checked, for `affuse fetch`."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from affuse.errors import AffuseError, BadInput
from affuse.execution.files import file_digest

ATTEMPTS = 4  #: in a row without a further byte
PAUSE = 1.0  #: seconds before the second attempt; longer before later ones
TIMEOUT = 60.0  #: seconds without a byte
_PASSING = {408, 429, 500, 502, 503, 504}

T = TypeVar("T")


class _Dropped(Exception):
    """Worth another attempt."""


class _Changed(_Dropped):
    """The bytes that are there cannot be continued."""


def download(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
    headers: Mapping[str, str] | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> str:
    """Download a file; a file that is there already is checked instead.

    What came so far is kept in `path.part`, by an interrupt too, and the next call goes on from
    there unless the file has changed on the server.

    Args:
        url: http or https; redirects are followed, from https to https only.
        path: Where to; complete or absent.
        size: Expected size in bytes, where known.
        sha256: Expected digest (hexadecimal), where known.
        md5: Expected digest, where only that is published.
        headers: Sent to this host alone, not where it redirects to.
        progress: Called with the bytes that are there and in total (None: not known).

    Returns:
        The SHA-256 of the file.

    Raises:
        BadInput: The size or a digest is another one; the wrong bytes are removed, but a wrong file
            that was there before is not.
        AffuseError: The server refuses, or the connection is lost again and again.
    """
    path = Path(path)
    part, tag = (path.with_name(path.name + end) for end in (".part", ".part.tag"))
    if path.is_file():
        return _check(path, path, url, size, sha256, md5)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(path.parent, error.strerror or "cannot be made") from error
    if not (sha256 or md5 or tag.is_file()):
        part.unlink(missing_ok=True)  # nothing would tell whether it is of the same file

    def attempt() -> None:
        try:
            _receive(url, part, tag, size, headers or {}, progress)
        except _Changed:
            part.unlink(missing_ok=True)
            raise
        except OSError as error:
            raise BadInput(part, error.strerror or "cannot be written") from error

    _persistently(attempt, lambda: _bytes(part))
    try:
        digest = _check(part, path, url, size, sha256, md5)
    except BadInput:
        part.unlink()
        raise
    finally:
        tag.unlink(missing_ok=True)
    part.replace(path)
    return digest


def post_json(url: str, value: Any, headers: Mapping[str, str]) -> Any:
    """The JSON that a server answers to JSON.

    Raises:
        AffuseError: The server refuses, answers something else, or cannot be reached.
    """
    body = json.dumps(value).encode()

    def attempt() -> bytes:
        with _open(url, headers, {}, body) as response:
            return b"".join(_chunks(response))

    answer = _persistently(attempt, lambda: 0)
    try:
        return json.loads(answer)
    except ValueError as error:
        raise AffuseError(f"{url}: the answer is not JSON") from error


def _receive(
    url: str,
    part: Path,
    tag: Path,
    size: int | None,
    headers: Mapping[str, str],
    progress: Callable[[int, int | None], None],
) -> None:
    done = _bytes(part)
    if done and done == size:
        return
    resume = {"Range": f"bytes={done}-"} if done else {}
    if done and tag.is_file():
        resume["If-Range"] = tag.read_text(encoding="utf-8")
    with _open(url, resume, headers) as response:
        if response.status == 206:
            extent = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers["Content-Range"] or "")
            if extent is None or int(extent[1]) != done:
                raise _Changed(f"{url}: the server sent another range than {resume['Range']}")
            total: int | None = int(extent[2])
        else:
            done = 0
            length = response.headers["Content-Length"]
            total = int(length) if length else None
        if size is not None and total not in (None, size):
            raise BadInput(part.with_suffix(""), f"{url} has {total:,} bytes, expected {size:,}")
        with part.open("ab" if done else "wb") as file:
            if not done:
                _remember(tag, response)
            for chunk in _chunks(response):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:  # http.client ends such a body without a word
        raise _Dropped(f"{url}: the connection was lost after {done:,} of {total:,} bytes")


def _remember(tag: Path, response: HTTPResponse) -> None:
    """Keep what tells next time whether the file is the same (RFC 9110, section 13.1.5)."""
    etag = response.headers["ETag"]
    strong = etag is not None and not etag.startswith("W/")
    if mark := etag if strong else response.headers["Last-Modified"]:
        tag.write_text(mark, encoding="utf-8")
    else:
        tag.unlink(missing_ok=True)


def _check(
    file: Path, path: Path, url: str, size: int | None, sha256: str | None, md5: str | None
) -> str:
    if size is not None and _bytes(file) != size:
        raise BadInput(path, f"{url} has {_bytes(file):,} bytes, expected {size:,}")
    found = file_digest(file)
    if sha256 is not None and found != sha256:
        raise BadInput(path, f"{url} has SHA-256 {found}, expected {sha256}")
    if md5 is not None and (other := file_digest(file, "md5")) != md5:
        raise BadInput(path, f"{url} has MD5 {other}, expected {md5}")
    return found


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _persistently(attempt: Callable[[], T], position: Callable[[], int]) -> T:
    failures, furthest = 0, position()
    while True:
        try:
            return attempt()
        except _Dropped as dropped:
            failures = 1 if position() > furthest else failures + 1
            furthest = max(furthest, position())
            if failures >= ATTEMPTS:
                raise AffuseError(f"{dropped}; run it again to go on") from dropped
            time.sleep(PAUSE * failures)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        allowed = {"https"} | {urlsplit(req.full_url).scheme}
        if urlsplit(newurl).scheme not in allowed:
            raise AffuseError(f"{req.full_url}: is redirected to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(
    url: str, headers: Mapping[str, str], private: Mapping[str, str], body: bytes | None = None
) -> HTTPResponse:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise AffuseError(f"{url}: is neither http nor https")
    request = urllib.request.Request(url, body, {"User-Agent": "affuse", **headers})
    for name, value in private.items():
        request.add_unredirected_header(name, value)
    try:
        response: HTTPResponse = urllib.request.build_opener(_Redirects).open(
            request, timeout=TIMEOUT
        )
    except urllib.error.HTTPError as error:
        told = f"{url}: HTTP {error.code} {error.reason}{_explanation(error)}"
        if error.code == 416:
            raise _Changed(told) from error
        if error.code in _PASSING:
            raise _Dropped(told) from error
        raise AffuseError(told) from error
    except (OSError, HTTPException) as error:
        raise _Dropped(f"{url}: {getattr(error, 'reason', error)}") from error
    return response


def _explanation(error: urllib.error.HTTPError) -> str:
    """What a server that speaks JSON adds to the status, such as that a quota is used up."""
    try:
        return f": {json.loads(error.read(4096))['message']}"
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return ""


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    left = response.length
    try:
        while left != 0 and (chunk := response.read1(1 << 16)):
            yield chunk
            left = None if left is None else max(0, left - len(chunk))
    except (OSError, HTTPException) as error:
        raise _Dropped(f"{response.geturl()}: the connection was lost ({error})") from error
