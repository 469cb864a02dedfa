"""Recordings by URL, from hosts that the operator of a server allowed."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from affuse.errors import AffuseError, BadInput

#: Characters of a URL at most.
LONGEST = 8000
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_NAME = re.compile(r"(?!-)[a-z0-9_-]+(\.[a-z0-9_-]+)*")
#: IPv6 addresses that a gateway leads to the IPv4 address in their last 32 bits.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(AffuseError):
    """A URL that this server does not open, or an answer that it does not take."""


@dataclass(frozen=True)
class Host:
    """A host that recordings may come from.

    Args:
        name: As in URLs, in small letters; or an address.
        port: None for those of http and https.
        address: Where it is; None asks DNS, and believes public addresses alone.
    """

    name: str
    port: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class _Target:
    """What is asked of a host."""

    secure: bool
    host: Host
    port: int
    path: str


def read_hosts(words: Sequence[str]) -> tuple[Host, ...]:
    """The hosts of `NAME[:PORT][=ADDRESS]`.

    Raises:
        AffuseError: One is no such word.
    """
    return tuple(map(_host, words))


def _host(word: str) -> Host:
    place, equals, address = word.partition("=")
    try:
        parts = urlsplit(f"//{place}")
        name, port = (parts.hostname or ""), parts.port
        if parts.netloc != place or "@" in place or place.endswith(":"):
            raise ValueError
        if equals:
            address = str(ipaddress.ip_address(address.strip("[]")))
        elif _is_address(name):
            address = name
        if not (_NAME.fullmatch(name) or _is_address(name)):
            raise ValueError
    except ValueError:
        raise AffuseError(f"--allow-host {word}: is not NAME[:PORT][=ADDRESS]") from None
    return Host(name, port, address or None)


def check(url: str, hosts: Sequence[Host]) -> None:
    """Ask nobody, but see that a URL may be opened.

    Raises:
        Refused: It may not.
    """
    _target(url, hosts)


def fetch(url: str, path: Path, hosts: Sequence[Host], size: int, pause: float) -> None:
    """Download a recording, whose content is not believed to be one.

    Redirects are followed to hosts that are allowed, and from https to https only. A host is found
    by its own address, or by DNS where that gives public addresses alone; the connection goes to
    the address that was looked at, past proxies.

    Args:
        url: http or https.
        path: Where to; complete or absent.
        hosts: Those that are allowed.
        size: Bytes at most.
        pause: Seconds in which some bytes have to come.

    Raises:
        BadInput: It cannot be had. Nothing of the URL is in the reason.
    """
    part = path.with_name("part.download")
    try:
        for _ in range(_REDIRECTS + 1):
            target = _target(url, hosts)
            with closing(_connection(target, pause)) as connection:
                response = _asked(connection, target)
                if response.status not in _MOVED:
                    _keep(response, part, size)
                    part.replace(path)
                    return
                url = _next(url, response)
        raise Refused("the host redirects again and again")
    except Refused as error:
        raise BadInput(path, str(error)) from None
    except TimeoutError:
        raise BadInput(path, f"the host sent nothing for {pause:g} s") from None
    except ssl.SSLError:
        raise BadInput(path, "the host is not who its certificate says") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or "broken off"
        raise BadInput(path, f"cannot be downloaded ({reason})") from None
    finally:
        part.unlink(missing_ok=True)


def _target(url: str, hosts: Sequence[Host]) -> _Target:
    if len(url) > LONGEST or not _PRINTABLE.fullmatch(url):
        raise Refused("no URL in printable ASCII characters")
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("no URL") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise Refused("neither http nor https")
    if parts.username is not None or parts.password is not None:
        raise Refused("names a user")
    port = _PORTS[scheme] if port is None else port
    for host in hosts:
        if host.name == name and port == (host.port or _PORTS[scheme]):
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return _Target(scheme == "https", host, port, path)
    raise Refused("its host is none that this server is allowed to ask")


def _connection(target: _Target, pause: float) -> HTTPConnection:
    """Connected to an address that was looked at."""
    name, port = target.host.name, target.port
    stream = _connected(target, pause)
    try:
        if target.secure:
            context = ssl.create_default_context()
            stream = context.wrap_socket(stream, server_hostname=name)
            connection: HTTPConnection = HTTPSConnection(name, port, context=context)
        else:
            connection = HTTPConnection(name, port)
    except BaseException:
        stream.close()
        raise
    connection.sock = stream
    return connection


def _connected(target: _Target, pause: float) -> socket.socket:
    last: OSError = OSError("has no address")
    for address in _addresses(target):
        try:
            return socket.create_connection((address, target.port), pause)
        except OSError as error:
            last = error
    raise last


def _addresses(target: _Target) -> list[str]:
    """Where a host is."""
    if target.host.address is not None:
        return [target.host.address]
    try:
        found = socket.getaddrinfo(target.host.name, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("its host is not found") from None
    addresses = [str(one[4][0]) for one in found]
    if not all(map(_is_public, addresses)):
        raise Refused("its host has an address that is not public")
    return addresses


def _is_public(word: str) -> bool:
    address = ipaddress.ip_address(word.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(str(inner))
    return address.is_global and not address.is_multicast


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _asked(connection: HTTPConnection, target: _Target) -> HTTPResponse:
    headers = {"User-Agent": "affuse", "Accept-Encoding": "identity", "Connection": "close"}
    connection.request("GET", target.path, headers=headers)
    return connection.getresponse()


def _next(url: str, response: HTTPResponse) -> str:
    try:
        following = urljoin(url, response.headers["Location"] or "")
        secure = urlsplit(following).scheme.lower() == "https"
    except ValueError:
        raise Refused("the host redirects to no URL") from None
    if urlsplit(url).scheme.lower() == "https" and not secure:
        raise Refused("the host redirects from https to something else")
    return following


def _keep(response: HTTPResponse, part: Path, size: int) -> None:
    if response.status != 200:
        raise Refused(f"the host answers {response.status}")
    if (response.headers["Content-Encoding"] or "identity").lower() != "identity":
        raise Refused("the host sends it compressed")
    length, done = response.length, 0
    if length is not None and length > size:
        raise Refused(f"has {length:,} bytes; this server takes {size:,}")
    with part.open("wb") as file:
        while chunk := response.read1(1 << 16):
            done += len(chunk)
            if done > size:
                raise Refused(f"has more than {size:,} bytes, which this server takes")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if length is not None and done < length:  # http.client ends such a body without a word
        raise Refused("the host broke off")
    if not done:
        raise Refused("is empty")
