"""Split files of others on the terminal, for `affuse check --protocol`."""

from __future__ import annotations

from typing import Any

from affuse.cli.tables import print_table


def print_split(facts: dict[str, Any]) -> None:
    """Print what `examine_split` found."""
    print(f"{facts['split']}: {', '.join(facts['formats'])}")
    left_out = f", {len(facts['left_out'])} others left out" if facts["left_out"] else ""
    names = f" of {facts['corpus']}" if facts["corpus"] else ", of no corpus that names tell"
    print(f"{facts['files']} files{left_out}; {facts['clips']:,} clips{names}")
    print(f"SHA-256: {facts['sha256']}\n")
    print_table([_row(fold, role) for fold in facts["folds"] for role in fold["roles"]])
    print()
    for leak in facts["leaks"]:
        more = f" ({leak['count']} such cases)" if leak["count"] > 1 else ""
        print(f"{leak['kind']}: fold {leak['fold']}: {leak['example']}{more}")
    for line in dict.fromkeys([*_shared(facts), *facts["notes"], *_told(facts)]):
        print(f"note: {line}")
    print(f"{len(facts['leaks'])} leaks" if facts["leaks"] else "no leak found")
    if facts["not_looked_for"]:
        print(f"not looked for: {', '.join(facts['not_looked_for'])}; --store compares recordings")


def _row(fold: dict[str, Any], role: str) -> dict[str, Any]:
    held = fold["roles"][role]
    return {
        "fold": f"{fold['fold']} {fold['name']}",
        "role": role,
        "clips": held["clips"],
        "speakers": len(held["speakers"]),
        "minutes": None if held["seconds"] is None else f"{held['seconds'] / 60:.1f}",
        "classes": ", ".join(f"{name} {count}" for name, count in held["classes"].items()),
    }


def _shared(facts: dict[str, Any]) -> list[str]:
    """How much of a role is in another."""
    return [
        f"fold {fold['fold']}: {' and '.join(pair.split('+'))} share {n['clips']} of {n['of']} "
        f"clips{' (all of them)' if n['clips'] == n['of'] else ''}"
        for fold in facts["folds"]
        for pair, n in fold["clips_in_two_roles"].items()
    ]


def _told(facts: dict[str, Any]) -> list[str]:
    """What is to be known of each fold and is no leak."""
    lines = []
    for fold in facts["folds"]:
        start = f"fold {fold['fold']}: "
        if fold["repeated_lines"]:
            lines.append(f"{start}{fold['repeated_lines']} lines are repeated in their role")
        if fold["further_files"]:
            lines.append(f"{start}{fold['further_files']} lines list another file of a clip again")
        if fold["unlisted"]:
            some = f"{len(fold['unlisted'])} clips of the corpus, such as {fold['unlisted'][0]}"
            lines.append(f"{start}does not list {some}")
        if fold["sentences_in_two_roles"]:
            count = f"{fold['sentences_in_two_roles']} of {fold['sentences']}"
            lines.append(f"{start}{count} sentences are said in two roles")
    return lines
