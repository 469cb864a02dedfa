"""The weights of one model into another."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.registry import create_model
from affuse.models.transfer import Taken, take_weights
from affuse.verification.contracts.model import MFCC, OPENFACE

STREAMS = {spec.name: spec for spec in (MFCC, OPENFACE)}


def model(name: str, outputs: int, **options: Any) -> Model:
    torch.manual_seed(outputs)
    return create_model(name, STREAMS, outputs, **options)


def take(own: Model, name: str, classes: str, other: Model, others: str, **options: Any) -> Taken:
    return take_weights(own, name, options, classes, other.state_dict(), others)


@pytest.mark.parametrize("name", ["late", "concat", "gated", "chumachenko-ia", "avtca"])
def test_every_head_takes_classes_by_name(name: str) -> None:
    own, other = model(name, 3), model(name, 4)
    fresh = {entry: x.clone() for entry, x in own.state_dict().items()}
    taken = take(own, name, "zab", other, "abcd")
    given, now = other.state_dict(), own.state_dict()
    heads = [entry for entry in fresh if given[entry].shape != fresh[entry].shape]
    assert heads
    for entry in fresh:
        if entry in heads:
            assert now[entry][1:].equal(given[entry][:2])
            assert now[entry][0].equal(fresh[entry][0])
        else:
            assert now[entry].equal(given[entry])
    assert taken.tensors == taken.of == len(fresh)
    assert taken.classes == ["a", "b"] and taken.fresh_classes == ["z"]
    assert not taken.fresh and not taken.unused


def test_as_many_classes_in_another_order_are_not_mixed_up() -> None:
    own, other = model("late", 3), model("late", 3)
    take(own, "late", "cab", other, "abc")
    now, given = own.state_dict(), other.state_dict()
    assert now["audio.classifier.bias"].equal(given["audio.classifier.bias"][[2, 0, 1]])


def test_layers_of_a_single_output_go_by_name_too() -> None:
    own, other = (model("rjca", 2) for _ in range(2))
    with torch.no_grad():
        for x in other.parameters():
            x.uniform_(-1, 1)
    given = other.state_dict()
    taken = take(own, "rjca", "av", other, "va")
    now = own.state_dict()
    last = [entry for entry in now if ".nets." in entry]
    assert len(last) == 8
    for entry in last:
        there = entry.replace(".nets.0.", ".nets.x.").replace(".nets.1.", ".nets.0.")
        assert now[entry].equal(given[there.replace(".nets.x.", ".nets.1.")]), entry
    assert taken.classes == ["a", "v"]


def test_a_layer_is_taken_whole_or_not_at_all() -> None:
    own, other = model("audio-only", 2), model("audio-only", 2)
    given = other.state_dict()
    entry = next(name for name in given if name.endswith("conv.weight"))
    given[entry] = torch.zeros(1, 2, 3)
    bias = entry.replace("weight", "bias")
    fresh = own.state_dict()[bias].clone()
    given[bias] = fresh + 1
    taken = take_weights(own, "audio-only", {}, "ab", given, "ab")
    assert own.state_dict()[bias].equal(fresh)
    assert taken.fresh == [entry.removesuffix(".weight")] == taken.unused
    assert str(taken).startswith(f"{taken.of - 2} of {taken.of} tensors; fresh: {taken.fresh[0]}")


def test_streams_of_other_sizes_keep_fresh_what_depends_on_them() -> None:
    own = model("late", 2)
    wider = dict(STREAMS) | {MFCC.name: StreamSpec(MFCC.name, MFCC.rate, (13,))}
    other = create_model("late", wider, 2)
    taken = take(own, "late", "ab", other, "ab")
    assert len(taken.fresh) == 1 and taken.fresh[0].startswith("audio.")
    with pytest.raises(AffuseError, match="no part named 'vide'; did you mean 'video'"):
        take_weights(own, "late", {}, "ab", other.state_dict(), "ab", ["vide"])
