"""Addresses that open one recording for some hours: players of browsers send no token."""

from __future__ import annotations

import hashlib
import hmac

#: Seconds for which a ticket is good.
GOOD_FOR = 12 * 3600.0


def ticket_for(token: str, path: str, now: float) -> str:
    """A ticket for one path, which tells nothing about the token.

    Args:
        token: Of the server.
        path: Of the address.
        now: Seconds since 1970.
    """
    until = str(int(now + GOOD_FOR))
    return f"{until}-{_seal(token, path, until)}"


def opens(ticket: str, token: str, path: str, now: float) -> bool:
    """Whether a ticket is for a path, and still good.

    Args:
        ticket: From a request.
        token: Of the server.
        path: That was asked for.
        now: Seconds since 1970.
    """
    until, _, seal = ticket.partition("-")
    if not (until.isascii() and until.isdecimal() and len(until) < 15):
        return False
    same = hmac.compare_digest(seal.encode(errors="replace"), _seal(token, path, until).encode())
    return same and now < int(until)


def _seal(token: str, path: str, until: str) -> str:
    return hmac.new(token.encode(), f"{until} {path}".encode(), hashlib.sha256).hexdigest()
