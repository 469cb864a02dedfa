"""Words as people write them: cleaned, and compared as they are meant."""

from __future__ import annotations

import re
import unicodedata

#: Blanks of other widths become plain ones; what has no width is dropped.
_PLAIN: dict[int, str | None] = dict.fromkeys(
    (0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "
)
_PLAIN |= dict.fromkeys((0x00AD, 0x200B, 0x2060, 0xFEFF))
#: What is cut off both ends besides blanks: joiners, and marks and overrides of direction.
_ENDS = "".join(map(chr, (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_BLANKS = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"
_GUARDED = re.compile(r"'(?=[=+\-@\t\r])")
_WHOLE = re.compile(r"0*(\d+)(?:\.0+)?")


def clean(text: str) -> str:
    """A cell without what nobody sees.

    Blanks of any width around it, zero-width characters and byte order marks go, blanks inside
    become plain ones, letters with accents are composed (NFC), and an apostrophe that keeps a
    spreadsheet from computing the cell (`'=x`, `'-x`) goes.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_PLAIN)).strip(_BLANKS + _ENDS)
    text = text.strip()
    return text[1:] if _GUARDED.match(text) else text


def identity(name: str) -> str:
    """What two names of one person, session or recording have in common.

    Case, widths of letters and blanks do not tell people apart, and `1`, `01` and `1.0` are one
    number: spreadsheets write any of them.
    """
    text = unicodedata.normalize("NFKC", clean(name)).casefold()
    text = " ".join(unicodedata.normalize("NFC", text).split())
    number = _WHOLE.fullmatch(text)
    return number[1] if number else text
