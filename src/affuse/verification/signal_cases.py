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


def check_logmel(case: Case) -> Iterator[Measure]:
    """VGGish log-mel frames and the examples cut from them at several frame rates."""
    from affuse.features.vggish_logmel import EXAMPLE, vggish_logmel, vggish_starts

    content = case.content
    audio = case.fill.signal(content["length"], content["rate"], content["seed"])
    found = vggish_logmel(audio)
    yield "number of frames", abs(len(found) - content["frames"]), 0.0
    # The frames of the repeated last sample are all alike; the case names the first of them.
    alike = content["length"] // content["hop"]
    for item in content["examples"]:
        starts = vggish_starts(len(found), item["fps"])
        yield f"examples at {item['fps']:g} Hz", abs(len(starts) - item["count"]), 0.0
        differs = np.minimum(starts, alike)[: item["count"]] != item["starts"][: len(starts)]
        yield f"starts at {item['fps']:g} Hz", float(differs.sum()), 0.0
    starts = vggish_starts(len(found), content["examples"][0]["fps"])
    examples = np.stack([found[start : start + EXAMPLE] for start in starts])
    with np.load(case.path.with_suffix(".npz")) as arrays:
        for name, ours in (
            ("logmel_every_4th_frame", found[::4]),
            ("example_1", examples[1]),
            ("example_means", examples.mean((1, 2), dtype=np.float64)),
        ):
            yield name, float(np.abs(ours - arrays[name]).max()), 1e-4


def check_mel64(case: Case) -> Iterator[Measure]:
    """64 mels of TSAV in decibels and normalised."""
    from affuse.features.tsav_mel import tsav_mel, tsav_normalised

    content = case.content
    with np.load(case.path.with_suffix(".npz")) as arrays:
        for number, item in enumerate(content["items"]):
            audio = case.fill.signal(item["length"], content["rate"], item["seed"])
            found = tsav_mel(audio)
            normalised = tsav_normalised(found)
            yield f"columns of {number}", abs(len(found) - item["columns"]), 0.0
            for name, value in (
                ("db_mean", found.mean(dtype=np.float64)),
                ("db_min", found.min()),
                ("db_max", found.max()),
                ("normalised_mean", normalised.mean(dtype=np.float64)),
            ):
                yield f"{name} of {number}", abs(float(value) - item[name]), 1e-3
            for name, ours in (
                (f"db_{number}", found),
                (f"db_{number}_every_8th_column", found[::8]),
                (f"normalised_{number}_every_8th_column", normalised[::8]),
            ):
                if name in arrays:
                    yield name, float(np.abs(ours.T - arrays[name]).max()), 1e-3
    silence = tsav_mel(np.zeros(content["left_pad_to"], np.float32))
    yield "silence", float(np.abs(silence - content["silence_db"]).max()), 1e-3
    error = np.abs(tsav_normalised(silence) - content["silence_normalised"]).max()
    yield "silence, normalised", float(error), 1e-3


def check_mfcc39(case: Case) -> Iterator[Measure]:
    """13 MFCCs with deltas and accelerations, in the units of the coefficients."""
    from affuse.features.mfcc39 import mfcc39

    with np.load(case.path.with_suffix(".npz")) as arrays:
        for number, item in enumerate(case.content["items"]):
            audio = case.fill.signal(item["length"], case.content["rate"], item["seed"])
            found = mfcc39(audio)
            yield f"frames of {number}", abs(len(found) - item["frames"]), 0.0
            yield f"mfcc39_{number}", float(np.abs(found - arrays[f"mfcc39_{number}"]).max()), 2e-3
