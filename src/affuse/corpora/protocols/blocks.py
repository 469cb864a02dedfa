"""The blocks of a list of clips that the folds of leader-follower fusion rotate."""

from __future__ import annotations

from collections.abc import Sequence

#: Blocks of the training clips; the validation clips are one more.
TRAIN_BLOCKS = 5


def list_blocks(train_names: Sequence[str], validation_names: Sequence[str]) -> dict[str, int]:
    """Cut the training clips into five blocks; fold f (0 to 5) validates on block 5 - f.

    Args:
        train_names: Training clips in the order of the list; the first four blocks take a fifth
            of them each, rounded down, the last one the rest. Of the published 351 these are
            [0:70], [70:140], [140:210], [210:280] and [280:351].
        validation_names: Validation clips, all of them block 5.

    Returns:
        Name -> block, in the order of the lists.

    Raises:
        ValueError: A name occurs twice.

    Source: leader-follower attentive fusion (ICCVW 2021), released code.
    """
    names = [*train_names, *validation_names]
    if len(set(names)) < len(names):
        raise ValueError("a clip is listed twice")
    size, rest = divmod(len(train_names), TRAIN_BLOCKS)
    sizes = [*[size] * (TRAIN_BLOCKS - 1), size + rest, len(validation_names)]
    blocks = [block for block, clips in enumerate(sizes) for _ in range(clips)]
    return dict(zip(names, blocks, strict=True))
