"""Work that several processes or machines share without talking to each other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from affuse.errors import AffuseError


@dataclass(frozen=True)
class Share:
    """One of so many equal parts of the work, such as that of a machine.

    Args:
        number: From 1.
        of: How many there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Share:
        """A share as typed: `2/12`; all of it where nothing was.

        Raises:
            AffuseError: It is none.
        """
        if text is None:
            return ALL
        match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
        if match is None or int(match[1]) > int(match[2]):
            raise AffuseError(f"shard {text!r}: expected I/N, such as 2/12, with I from 1 to N")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def is_all(self) -> bool:
        """Whether it is all of the work."""
        return self.of == 1

    def has(self, place: int) -> bool:
        """Whether the piece of work at a place, from 0, belongs to it."""
        return place % self.of == self.number - 1


ALL = Share()
