"""Frozen protocols: which clip is trained on, selected with and judged on, fold by fold."""
