"""A small S3 server on loopback: buckets of files, listed and read as S3's REST API says.

moto's server, which does the same, cannot be installed beside the versions of constraints.txt.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY = "a-key"


class S3(ThreadingHTTPServer):
    """Buckets are the folders in a folder; `asked` has the keys of the files that were read."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root, self.asked = root, list[str]()

    @property
    def environment(self) -> dict[str, str]:
        """What a client has to know."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_REGION": "us-east-1",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).strip("/").partition("/")
        if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
            return self.refuse(403, "InvalidAccessKeyId")
        if not (self.server.root / bucket).is_dir():
            return self.refuse(404, "NoSuchBucket")
        if not key:
            prefix = parse_qs(url.query).get("prefix", [""])[0]
            return self.answer(200, self.listing(bucket, prefix).encode(), "application/xml")
        path = self.server.root / bucket / key
        if not path.is_file():
            return self.refuse(404, "NoSuchKey")
        self.server.asked.append(key)
        modified = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        self.answer(200, path.read_bytes(), "binary/octet-stream", modified)

    def listing(self, bucket: str, prefix: str) -> str:
        root, rows = self.server.root / bucket, ""
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            if (key := path.relative_to(root).as_posix()).startswith(prefix):
                modified = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
                rows += (
                    f"<Contents><Key>{escape(key)}</Key><Size>{path.stat().st_size}</Size>"
                    f"<LastModified>{modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
                    f'<ETag>"{md5(path.read_bytes()).hexdigest()}"</ETag></Contents>'
                )
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        facts = f"<Name>{bucket}</Name><IsTruncated>false</IsTruncated>"
        return f'<ListBucketResult xmlns="{space}">{facts}{rows}</ListBucketResult>'

    def refuse(self, code: int, word: str) -> None:
        body = (
            f"<Error><Code>{word}</Code><Message>{re.sub('(?=[A-Z])', ' ', word)}</Message></Error>"
        )
        self.answer(code, body.encode(), "application/xml")

    def answer(self, code: int, body: bytes, kind: str, modified: datetime | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{md5(body).hexdigest()}"')
        if modified is not None:
            self.send_header("Last-Modified", format_datetime(modified, usegmt=True))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def s3(root: Path) -> Iterator[S3]:
    """A server of the buckets in a folder, while the block runs."""
    with S3(root) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
