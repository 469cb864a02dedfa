"""A server on loopback that behaves as well or as badly as the real ones."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Resource:
    """What a path answers.

    Args:
        body: The whole file.
        etag: Validator; empty for none.
        ranges: Whether Range is understood (with status 206: the whole file is said to be one).
        cuts: Per request, the number of body bytes after which the connection is closed.
        status: Of the answer.
        location: Where it redirects to.
        says_length: Whether there is a Content-Length.
        answer: Makes the body from the body of a POST.
        encoding: Content-Encoding that it claims; empty for none.
        wait: Set by a test to hold the second half back until then.
    """

    body: bytes = b""
    etag: str = '"1"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    status: int = 200
    location: str = ""
    says_length: bool = True
    answer: Callable[[bytes], bytes] | None = None
    encoding: str = ""
    wait: threading.Event | None = None


@dataclass
class Server:
    """Address, what it serves, and the requests that came: (path, headers)."""

    url: str
    files: dict[str, Resource]
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def ranges(self) -> list[str | None]:
        """The Range header of each request."""
        return [headers.get("Range") for _, headers in self.requests]


@contextmanager
def serve() -> Iterator[Server]:
    """A server on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def do_POST(self) -> None:
            self.do_GET(self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self, sent: bytes = b"") -> None:
            server.requests.append((self.path, dict(self.headers)))
            file = server.files.get(self.path, Resource(b"{}", status=404))
            body, status = file.answer(sent) if file.answer else file.body, file.status
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            start = start if file.ranges else 0
            same = self.headers.get("If-Range", file.etag) == file.etag
            if start and same:
                status = 206 if start < len(body) else 416
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                body = body[start:]
            if file.location:
                self.send_header("Location", file.location)
            if file.etag:
                self.send_header("ETag", file.etag)
            if file.encoding:
                self.send_header("Content-Encoding", file.encoding)
            if file.says_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            body = body[: file.cuts.pop(0)] if file.cuts else body
            with suppress(ConnectionError):  # who asked may go away
                self.wfile.write(body[: len(body) // 2])
                if file.wait is not None:
                    file.wait.wait(60)
                self.wfile.write(body[len(body) // 2 :])

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(f"http://127.0.0.1:{http.server_address[1]}", {})
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pointer(content: bytes) -> bytes:
    """The Git LFS pointer of a file."""
    oid = hashlib.sha256(content).hexdigest()
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
    ).encode()


def serve_lfs(server: Server, path: str, contents: list[bytes]) -> None:
    """Answer the batch API below `path` for these files; others are unknown to it."""
    known = {hashlib.sha256(content).hexdigest(): content for content in contents}
    for oid, content in known.items():
        server.files[f"/storage/{oid}"] = Resource(content)

    def answer(sent: bytes) -> bytes:
        request = json.loads(sent)
        assert request["operation"] == "download" and request["transfers"] == ["basic"]
        assert len(request["objects"]) <= 100
        objects = []
        for item in request["objects"]:
            if item["oid"] in known:
                href = f"{server.url}/storage/{item['oid']}"
                action = {"href": href, "header": {"Authorization": "token"}}
                objects.append({**item, "actions": {"download": action}})
            else:
                objects.append({**item, "error": {"code": 404, "message": "Object not found"}})
        return json.dumps({"transfer": "basic", "objects": objects}).encode()

    server.files[f"{path}/objects/batch"] = Resource(answer=answer)
