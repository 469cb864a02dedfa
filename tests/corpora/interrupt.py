"""Breaking a synthesis off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def interrupted(
    label: str, total: int, after: int = 2
) -> Callable[[Iterable[None], str, int], Iterator[None]]:
    """A progress bar that is interrupted, and that expects to be told a label and a total."""

    def progress(done: Iterable[None], said: str, count: int) -> Iterator[None]:
        assert (said, count) == (label, total)
        for number, item in enumerate(done):
            if number == after:
                raise KeyboardInterrupt
            yield item

    return progress
