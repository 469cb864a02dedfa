"""Parity of what happens before and after the models: windows, sequences, folds, CCC."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.blocks import list_blocks
from affuse.corpora.protocols.keys import list_order
from affuse.evaluation.submission import submission_text
from affuse.features.sequences import (
    ClipSequence,
    PictureClip,
    training_sequences,
    validation_sequences,
)
from affuse.features.windows import frame_windows, overlap_mean
from affuse.metrics.concordance import (
    ccc,
    ccc_loss,
    ccc_window_loss,
    pearson,
    published_ccc,
    rmse,
)
from affuse.models.backbones.ir50 import IR50, release_groups
from affuse.models.systems.ir50.published import BACKBONE
from affuse.models.systems.renaming import inverse, translate
from affuse.tasks.fold_fusion import centred_fusion, fold_agreement
from affuse.tasks.published_rules import Track, rjca_ccc
from affuse.tasks.series import rjca_smoothed
from affuse.verification.parity import Case, Measure

SINGLE = 1e-6
DOUBLE = 1e-9
PRINTED = 1.001e-5  # a last digit that is rounded the other way
LOSS = 1e-5
GRADIENT = 1e-3  # relative

Json = Mapping[str, Any]


def check_leader_follower(case: Case) -> Iterator[Measure]:
    """Windows and their overlap, fusion of folds, the folds, and the order of release."""
    content = case.content
    for item in content["windows"]:
        for frames, expected in item["clips"].items():
            spans = frame_windows(int(frames), item["length"], item["hop"])
            yield _same(f"windows of {frames} frames", spans, [tuple(x) for x in expected])
    yield from _overlap(case)
    yield from _centred_fusion(case)
    yield from _folds(content["folds"])
    for variant, expected in content["release"].items():
        yield from _release(case, variant, expected["groups"])


def _overlap(case: Case) -> Iterator[Measure]:
    content = case.content["overlap"]
    joined = []
    for name, clip in content["clips"].items():
        spans = [tuple(span) for span in clip["windows"]]
        yield _same(f"windows of clip {name}", frame_windows(clip["length"]), spans)
        shape = (len(spans), 300, 1)
        outputs = case.fill.tensor(f"windows:{name}", shape, content["seed"], "normal")
        found = overlap_mean(outputs, spans, clip["length"])
        joined.append(found)
        yield _same(f"frames of clip {name}", len(found), clip["n"])
        yield _close(f"overlap of clip {name}", found[::5, 0], clip["every_5th"], SINGLE)
    series = np.concatenate(joined).astype(np.float64)
    expected = content["concatenated"]
    yield _same("frames of all clips", len(series), expected["n"])
    yield _close("mean of all clips", series.mean(), expected["mean"], SINGLE)
    yield _close("norm of all clips", np.linalg.norm(series), expected["l2"], SINGLE)


def _centred_fusion(case: Case) -> Iterator[Measure]:
    content = case.content["centred_fusion"]
    k, n, seed = (content[name] for name in ("k", "n", "seed"))
    raters = case.fill.tensor("raters", (k, n), seed, "normal").astype(np.float64)
    offsets = case.fill.tensor("offsets", (k, 1), seed, "normal").astype(np.float64)
    folds = 0.4 * np.sin(np.arange(n) / 10) + 0.2 * raters + 0.1 * offsets
    fused = centred_fusion(folds, clip=False)
    yield _close("agreement of folds", fold_agreement(folds), content["agreement"], DOUBLE)
    yield _close("level of the fusion", fused.mean(), content["weight"], DOUBLE)
    yield _close("mean of the fusion", fused.mean(), content["fused_mean"], DOUBLE)
    yield _close("centred fusion", fused[::3], content["fused_every_3rd"], DOUBLE)


def _folds(content: Json) -> Iterator[Measure]:
    sizes = {"train": content["trials"]["train"], "val": content["trials"]["validation"]}
    names = {part: [f"{part} {k}" for k in range(size)] for part, size in sizes.items()}
    blocks = list_blocks(names["train"], names["val"])
    for fold in content["folds"]:
        validated = 5 - fold["fold"]
        for role, expected in (("train", fold["train"]), ("validation", fold["validation"])):
            listed = {f"{part} {k}" for part, *span in expected for k in range(*span)}
            ours = {x for x, k in blocks.items() if (k == validated) == (role == "validation")}
            yield _same(f"{role} trials of fold {fold['fold']}", ours, listed)
    ends = {fold["fold"]: fold for fold in content["ends"]}
    for number, fold in ends.items():
        size = list(blocks.values()).count(5 - number)
        yield _same(f"size of fold {number}", size, fold["n"])
    for numbers in ([5, 4, 3, 2, 1], [0]):
        order = [ends[number][end] for number in numbers for end in ("first", "last")]
        found = [clip.id for clip in list_order([Clip(name) for name in sorted(order)])]
        yield _same(f"order of the list, folds {numbers}", found, order)


def _release(case: Case, variant: str, expected: Sequence[Json]) -> Iterator[Measure]:
    """The groups by the published names and positions, which are those of the listing."""
    gates = variant == "ir_se"
    listing = f"leader_follower_visual_full{'_se' if gates else ''}_1.txt"
    shapes = case.fill.read_listing(case.path.absolute().parents[1] / "state_dicts" / listing)
    order = [
        name.removeprefix("spatial.")
        for name in shapes
        if name.startswith("spatial.") and name.endswith((".weight", ".bias"))
    ]
    with torch.device("meta"):
        network = IR50(squeeze_excitation=gates)
    sizes = {name: x.numel() for name, x in network.named_parameters()}
    groups = release_groups(network)
    yield _same(f"{variant}: number of groups", len(groups), len(expected))
    for number, (names, group) in enumerate(zip(groups, expected, strict=False), 1):
        places = sorted(order.index(str(translate(n, inverse(BACKBONE)))) for n in names)
        label = f"{variant}: release {number}, "
        yield _same(f"{label}indices", places, list(range(*group["indices"])))
        yield _same(f"{label}first", order[places[0]], group["first"])
        yield _same(f"{label}last", order[places[-1]], group["last"])
        yield _same(f"{label}tensors", len(names), group["tensors"])
        yield _same(f"{label}scalars", sum(sizes[n] for n in names), group["scalars"])


def check_rjca_sequences(case: Case) -> Iterator[Measure]:
    """Which frames make up a clip, and which clips a sequence."""
    content = case.content
    for name, video in content["videos"].items():
        length = video["length"]
        gaps = {k for first, last in video["missing"] for k in range(first, last + 1)}
        rows = set(range(1, length + 1)) - gaps
        expected = content["train"][name]
        found = training_sequences(length, rows)
        yield _same(f"{name}: training sequences", len(found), expected["n"])
        ends = _ranges([sequence.end for sequence in found])
        yield _same(f"{name}: ends of training sequences", ends, expected["last_ends"])
        for which, some in (("first", found[:1]), ("last", found[-1:])):
            clips = [_json(clip) | _label(clip) for sequence in some for clip in sequence.clips]
            yield _same(f"{name}: {which} training sequence", clips, expected[which])
        yield from _validation(name, length, validation_sequences(length, rows), content["val"])


def _validation(
    name: str, length: int, found: Sequence[ClipSequence], recorded: Json
) -> Iterator[Measure]:
    expected = recorded[name]
    clips = {clip.end: clip for sequence in found for clip in sequence.clips}
    ends = sorted(clip.end for sequence in found for clip in sequence.clips)
    refused = [end for end in ends if end <= length] != list(range(1, length + 1))
    yield _same(f"{name}: refused", refused, expected["refused"])
    yield _same(f"{name}: validation sequences", len(found), expected["n"])
    some = [[_json(clip) for clip in sequence.clips] for sequence in (found[0], found[-1])]
    yield _same(f"{name}: first and last validation sequence", some, expected["sequences"])
    labels = [clips[end].label_frame or 0 for end in range(1, length + 1, 7)]
    yield _same(f"{name}: label frames", labels, expected["label_frame_of_end_every_7th"])


def _json(clip: PictureClip) -> dict[str, Any]:
    return {"frames": list(clip.frames), "end": clip.end}


def _label(clip: PictureClip) -> dict[str, float]:
    assert clip.label_frame is not None
    return {"label_V": round(math.sin(clip.label_frame / 50), 4)}


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as inclusive ranges."""
    runs = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return [[run[0], run[-1]] for run in ends]


def check_rjca_evaluation(case: Case) -> Iterator[Measure]:
    """The published validation, what single differences cost, and the files of the test."""
    content = case.content
    smoothing = content["smoothing"]
    names = ("valence", "arousal")
    tracks = {name: _rjca_tracks(case, d) for d, name in enumerate(names)}
    for d, name in enumerate(names):
        size, videos = smoothing[name], tracks[name].values()
        expected = content["validation_ccc"][name]
        yield _close(f"validation CCC of {name}", rjca_ccc([*videos], size), expected, DOUBLE)
        truth = np.concatenate([v.truth[v.labelled] for v in videos])
        masked = content["masked_ccc"]
        for kind, values, expected in (
            ("zeros outside", [rjca_smoothed(v.raw, size) for v in videos], masked["constant"]),
            ("edges", [rjca_smoothed(v.raw, size, "nearest") for v in videos], masked["nearest"]),
            ("not smoothed", [v.raw.clip(-1, 1) for v in videos], content["raw_masked_ccc"]),
        ):
            kept = [x[v.labelled] for x, v in zip(values, videos, strict=True)]
            found = ccc(np.concatenate(kept), truth)
            yield _close(f"CCC of {name}, {kind}", found, expected[d], DOUBLE)
    for file, expected in content["test_files"].items():
        video = file.removesuffix(".txt")
        columns = [rjca_smoothed(tracks[name][video].raw, smoothing[name]) for name in names]
        header, *rows = submission_text(names, np.stack(columns, 1)).splitlines()
        yield _same(f"{file}: header", header, expected["header"])
        yield _same(f"{file}: rows", len(rows), expected["rows"])
        printed = [[float(cell) for cell in row.split(",")] for row in rows[::9]]
        yield _close(f"{file}: values", printed, expected["every_9th"], PRINTED)
        again = [",".join(f"{value:.5f}" for value in row) for row in printed]
        yield _same(f"{file}: digits", rows[::9], again)


def _rjca_tracks(case: Case, d: int) -> dict[str, Track]:
    """One dimension of the videos that the rule of the case makes."""
    content, draw = case.content, case.fill.tensor
    tracks = {}
    for name, length in content["lengths"].items():
        steps, noise = (
            draw(f"{kind}:{name}", (length, 2), content["seed"], "normal").astype(np.float64)
            for kind in ("pred", "label")
        )
        walk = 0.07 * steps.cumsum(0)
        label = np.clip(walk + 0.2 * noise, -1, 1)
        labelled = np.ones(length, bool)
        for first, last in content["unlabelled"].get(name, []):
            labelled[first - 1 : last] = False
        raw, truth = (part[:, d].astype(np.float32) for part in (walk, label))
        tracks[name] = Track(raw, raw, truth, labelled)
    return tracks


def check_ccc(case: Case) -> Iterator[Measure]:
    """Losses, their gradients and scores; where published is NaN, only that scores are finite."""
    content = case.content
    for name, (x, y) in _vectors(case).items():
        expected = content["cases"][name]
        for kind, loss in (("flat", ccc_loss), ("window", _one_window)):
            values = torch.from_numpy(x).requires_grad_()
            result = loss(values, torch.from_numpy(y))
            result.backward()
            if expected[f"{kind}_loss"] != "nan":
                yield _close(f"{name}: {kind}", result.item(), expected[f"{kind}_loss"], LOSS)
                size = expected[f"{kind}_grad_l2"]
                assert values.grad is not None
                found = values.grad.norm().item()
                yield _close(f"{name}: {kind} gradient", found, size, LOSS + GRADIENT * size)
        scores = {"flat_metric": ccc, "window_metric": published_ccc, "rmse": rmse, "pcc": pearson}
        for quantity, score in scores.items():
            value = score(x, y)
            if expected[quantity] == "nan":
                yield _same(f"{name}: {quantity} is finite", math.isfinite(value), True)
            else:
                yield _close(f"{name}: {quantity}", value, expected[quantity], DOUBLE)
    windowed = content["windowed"]
    draw = case.fill.tensor
    values = torch.from_numpy(draw("prediction", windowed["shape"], content["seed"], "normal"))
    noise = torch.from_numpy(draw("target", windowed["shape"], content["seed"], "normal"))
    targets = 0.5 * values + 0.2 * noise
    yield _close("windowed", ccc_window_loss(values, targets).item(), windowed["loss"], LOSS)
    weighted = ccc_window_loss(values, targets, torch.tensor([10.0, 1.0])).item()
    yield _close("windowed, weighted", weighted, windowed["weighted_loss"], LOSS)


def _one_window(values: Tensor, targets: Tensor) -> Tensor:
    return ccc_window_loss(values[None, :, None], targets[None, :, None])


def _vectors(case: Case) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Predictions and targets (n,) float32 of every pair that the case names."""
    content = case.content
    n, seed = content["n"], content["seed"]
    x = 0.4 * case.fill.tensor("x", (n,), seed, "normal")
    y = np.clip(0.6 * x + 0.3 * case.fill.tensor("y", (n,), seed, "normal"), -1, 1)
    level, other = (np.full(n, content[f"constant_{part}"]) for part in ("prediction", "target"))
    pairs = {
        "random": (x, y),
        "perfect": (y, y),
        "opposite": (-y, y),
        "constant_prediction": (level, y),
        "constant_target": (x, other),
        "both_constant_equal": (level, level),
        "both_constant_different": (level, other),
        "scaled": (content["scale"] * y, y),
        "shifted": (y + content["shift"], y),
        "two_values": (x[:2], y[:2]),
        "short": (x[:7], y[:7]),
    }
    return {name: (a.astype(np.float32), b.astype(np.float32)) for name, (a, b) in pairs.items()}


def _same(quantity: str, found: object, expected: object) -> Measure:
    return quantity, float(found != expected), 0.0


def _close(quantity: str, found: Any, expected: Any, tolerance: float) -> Measure:
    difference = np.asarray(found, np.float64) - np.asarray(expected, np.float64)
    return quantity, float(np.abs(difference).max()), tolerance
