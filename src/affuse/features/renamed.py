"""Names of streams that earlier versions of affuse gave, in stores, model files and recipes."""

from __future__ import annotations

import re
from typing import Any

#: `audio/mfcc10-reference` is `audio/mfcc10-published` now, `video/own-x` is `video/imported-x`.
_OWN = re.compile(r"(audio|video)/own-(.+)", re.ASCII)
_REFERENCE = re.compile(
    r"(audio/(?:mfcc10|mfcc39|vggish|tsav)|video/(?:aligned\d+|faces224|tsav))-reference(-.+)?",
    re.ASCII,
)
_IMPORTED = re.compile(r"(audio|video)/imported-(.+)", re.ASCII)
_PUBLISHED = re.compile(_REFERENCE.pattern.replace("-reference", "-published"), re.ASCII)


def current_name(name: str) -> str:
    """The name that a stream has now."""
    if found := _OWN.fullmatch(name):
        return f"{found[1]}/imported-{found[2]}"
    if found := _REFERENCE.fullmatch(name):
        return f"{found[1]}-published{found[2] or ''}"
    return name


def earlier_name(name: str) -> str:
    """The name that a stream had before; the same where it has always had its name."""
    if found := _IMPORTED.fullmatch(name):
        return f"{found[1]}/own-{found[2]}"
    if found := _PUBLISHED.fullmatch(name):
        return f"{found[1]}-reference{found[2] or ''}"
    return name


def current_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a stream as they are called now; those of a stream that it reads too."""
    now = dict(recipe)
    if "placing" in now:
        placing = now.pop("placing")
        now["alignment"] = "published" if placing == "reference" else placing
    if isinstance(reads := now.get("reads"), dict) and isinstance(reads.get("recipe"), dict):
        now["reads"] = reads | {"recipe": current_recipe(reads["recipe"])}
        if isinstance(reads.get("name"), str):
            now["reads"]["name"] = current_name(reads["name"])
    return now
