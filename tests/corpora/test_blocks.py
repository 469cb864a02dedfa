"""The blocks of a list of clips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.corpora.protocols.blocks import list_blocks


def test_the_published_list() -> None:
    train = [f"t{k}" for k in range(351)]
    blocks = list_blocks(train, [f"v{k}" for k in range(71)])
    assert [[k for k, name in enumerate(train) if blocks[name] == b] for b in range(5)] == [
        list(range(*span)) for span in ((0, 70), (70, 140), (140, 210), (210, 280), (280, 351))
    ]
    assert {blocks[f"v{k}"] for k in range(71)} == {5}


@given(st.integers(0, 60), st.integers(0, 20))
def test_every_clip_is_in_one_block_and_the_list_is_in_order(train: int, validation: int) -> None:
    first = [f"t{k}" for k in range(train)]
    second = [f"v{k}" for k in range(validation)]
    blocks = list_blocks(first, second)
    assert list(blocks) == [*first, *second]
    numbers = list(blocks.values())
    assert numbers == sorted(numbers)
    sizes = [numbers.count(block) for block in range(6)]
    assert sizes[:4] == [train // 5] * 4 and sizes[4] == train - 4 * (train // 5)
    assert sizes[5] == validation


@pytest.mark.parametrize(("train", "validation"), [("aba", "c"), ("ab", "cc"), ("ab", "a")])
def test_a_clip_that_is_listed_twice_is_refused(train: str, validation: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        list_blocks(list(train), list(validation))
