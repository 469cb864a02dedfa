"""Parity of audio features."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from affuse.verification.parity import Case, Measure


def check_mfcc10(case: Case) -> Iterator[Measure]:
    """10 MFCCs with both ways to pad, in the units of the coefficients."""
    from affuse.features.spectral import mfcc

    with np.load(case.path.with_suffix(".npz")) as arrays:
        for item in case.content["items"]:
            audio = case.fill.signal(item["length"], case.content["rate"], item["seed"])
            for padding in ("constant", "reflect"):
                expected = arrays[item[padding]]
                found = mfcc(audio, padding=padding)
                if found.T.shape == expected.shape != found.shape:
                    expected = expected.T
                error = float(np.abs(found - expected).max())
                yield f"{item['length']} samples, {padding}", error, 1e-3
