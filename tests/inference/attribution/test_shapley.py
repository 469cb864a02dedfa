"""The axioms of Shapley values, on games of one to four players."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from affuse.inference.attribution.shapley import Coalition, coalitions, shapley_values

Game = tuple[list[str], Mapping[Coalition, np.ndarray]]
numbers = st.floats(-10, 10)


@st.composite
def games(draw: st.DrawFn, least: int = 1) -> Game:
    players = list("abcd")[: draw(st.integers(least, 4))]
    values = {some: np.array([draw(numbers), draw(numbers)]) for some in coalitions(players)}
    return players, values


@given(games())
def test_nothing_and_all_contributions_add_up_to_all(game: Game) -> None:
    players, values = game
    found = sum(shapley_values(players, values).values(), values[frozenset()])
    np.testing.assert_allclose(found, values[frozenset(players)], atol=1e-12)


@given(games(least=2))
def test_who_adds_the_same_contributes_the_same(game: Game) -> None:
    players, values = game
    first, second = players[:2]
    swap = {first: second, second: first}
    even = {
        some: values[some] + values[frozenset(swap.get(one, one) for one in some)]
        for some in values
    }
    found = shapley_values(players, even)
    np.testing.assert_allclose(found[first], found[second], atol=1e-12)


@given(games(least=2))
def test_who_adds_nothing_contributes_exactly_nothing(game: Game) -> None:
    players, values = game
    idle = players[0]
    found = shapley_values(players, {some: values[some - {idle}] for some in values})
    assert (found[idle] == 0).all()


@given(games(), st.lists(numbers, min_size=5, max_size=5))
def test_of_a_sum_everybody_contributes_their_term(game: Game, terms: list[float]) -> None:
    players, values = game
    of = dict(zip(players, terms[1:], strict=False))
    sums = {some: np.array([terms[0] + sum(of[one] for one in some)]) for some in values}
    found = shapley_values(players, sums)
    for one in players:
        np.testing.assert_allclose(found[one], of[one], atol=1e-12)


def test_two_players_share_what_only_both_have() -> None:
    values = {
        frozenset(some): np.array(x) for some, x in (("", 1.0), ("a", 1), ("b", 3), ("ab", 7))
    }
    found = shapley_values(["a", "b"], values)
    assert found == {"a": 2.0, "b": 4.0}
