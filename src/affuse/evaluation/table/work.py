"""The work that a table takes, fold by fold: here, in several processes, or a share of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affuse.errors import AffuseError, line_of
from affuse.evaluation.table.runs import Planned
from affuse.execution.executors import Executor
from affuse.execution.sharing import ALL, Share


@dataclass(frozen=True)
class Orders:
    """How all pieces are worked on.

    Args:
        device: As `train` takes it.
        allow: Kinds of leaks that are let pass.
        folds: Folds that are trained; all by default.
        executor: Where folds are trained, each by itself; by default they are trained here.
        share: Which of the folds of all runs are trained here. What is trained by others is scored
            by nobody, until somebody does it without a share.
    """

    device: str = "auto"
    allow: Collection[str] = ()
    folds: Sequence[int] | None = None
    executor: Executor | None = None
    share: Share = ALL


#: All of it, here.
EVERYTHING = Orders()


@dataclass(frozen=True)
class _Piece:
    """Some folds of a run, or its evaluation."""

    row: str
    planned: Planned
    folds: list[int]
    device: str
    allow: Collection[str]

    def do(self, say: Callable[[str], None]) -> None:
        if self.folds:
            self.planned.train(self.folds, self.device, self.allow, say)
        else:
            self.planned.score(self.device, say)


@dataclass(frozen=True)
class _Done:
    row: str
    lines: list[str]
    error: str = ""


def work(
    planned: Mapping[str, Sequence[Planned]],
    rows: Collection[str],
    orders: Orders,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Train and score what is left to do of some rows.

    Args:
        planned: Name of each row -> its trainings.
        rows: Names of those that are worked on.
        orders: How.
        say: Called with a line about what is done.

    Returns:
        Row -> the first thing that failed in it; the others do not suffer from it.
    """
    failures: dict[str, str] = {}
    own = {name: planned[name] for name in planned if name in rows}
    for pieces_of in (_trainings, _evaluations):  # what is scored must have been trained
        for row, error in _worked(pieces_of(own, orders), orders.executor, failures, say):
            failures.setdefault(row, error)
            say(f"{row} failed: {error}")
    return failures


def left_to_train(planned: Mapping[str, Sequence[Planned]], orders: Orders) -> int:
    """How many folds there are to train."""
    return sum(len(piece.folds) for piece in _trainings(planned, orders))


def _trainings(planned: Mapping[str, Sequence[Planned]], orders: Orders) -> list[_Piece]:
    """The folds that are not finished, those of a run together where one process does it all."""
    pieces, place = [], 0
    for row, several in planned.items():
        for one in several:
            left = []
            if wrong := [fold for fold in orders.folds or () if fold >= one.folds]:
                raise AffuseError(f"there is no fold {wrong[0]}: {one.name} has {one.folds} folds")
            for fold in range(one.folds) if orders.folds is None else orders.folds:
                if orders.share.has(place) and fold in one.left:
                    left.append(fold)
                place += 1
            groups = [[fold] for fold in left] if orders.executor else [left]
            pieces += [
                _Piece(row, one, folds, orders.device, orders.allow) for folds in groups if folds
            ]
    return pieces


def _evaluations(planned: Mapping[str, Sequence[Planned]], orders: Orders) -> list[_Piece]:
    """The runs that are trained and not scored."""
    if not orders.share.is_all:
        return []
    return [
        _Piece(row, one, [], orders.device, orders.allow)
        for row, several in planned.items()
        for one in several
        if not one.left and one.unscored
    ]


def _worked(
    pieces: Sequence[_Piece],
    executor: Executor | None,
    failures: Collection[str],
    say: Callable[[str], None],
) -> Iterator[tuple[str, str]]:
    """Do some pieces; yields the row of each that failed, and why."""
    if executor is not None:
        for done in executor.map(_do, pieces, lost=_lost):
            for line in done.lines:
                say(line)
            if done.error:
                yield done.row, done.error
        return
    for piece in pieces:
        if piece.row not in failures:
            try:
                piece.do(say)
            except Exception as error:  # whatever it is, the other rows do not suffer from it
                yield piece.row, line_of(error)


def _do(piece: _Piece) -> _Done:
    """In another process: do a piece."""
    lines: list[str] = []
    try:
        piece.do(lines.append)
    except Exception as error:  # as above
        return _Done(piece.row, lines, line_of(error))
    return _Done(piece.row, lines)


def _lost(piece: _Piece, what: str, told: Sequence[Any]) -> _Done:
    """What is known of a piece whose process died twice."""
    of = f"fold {piece.folds[0]}" if piece.folds else "its evaluation"
    return _Done(piece.row, [], f"{piece.planned.name}, {of}: the process {what}")
