"""Every registered model can be explained, for every head, without code of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tests.inference.explained import explain, noise, spec_of
from tests.models.base import uncovered

from affuse.features.batch import Normalisation
from affuse.models.registry import MODELS
from affuse.verification.contracts.model import ModelContract

SECONDS = 0.5


def contracts(base: type[ModelContract] = ModelContract) -> Iterator[type[ModelContract]]:
    for child in base.__subclasses__():
        if "name" in vars(child):
            yield child
        yield from contracts(child)


def by_name() -> dict[str, type[ModelContract]]:
    """Name of a model -> how its contract builds it."""
    assert uncovered() == set()  # also imports them
    found: dict[str, type[ModelContract]] = {}
    for contract in contracts():
        found.setdefault(contract.name, contract)
    return {name: found[name] for name, entry in MODELS.items() if name in found and entry.streams}


CONTRACTS = by_name()


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_model_is_explained(name: str) -> None:
    contract = CONTRACTS[name]()
    statistics = {
        n: Normalisation((128.0,), (64.0,)) for n, x in contract.streams.items() if x.is_picture
    }
    for head in contract.heads:
        torch.manual_seed(0)
        model = contract.build(head=head)
        streams = {n: noise(spec, SECONDS, 1) for n, spec in contract.streams.items()}
        for n, spec in contract.streams.items():
            if spec.is_picture:  # two images are enough, and soon seen
                streams[n].mask[2:] = False
        told = list(contract.streams.values())
        outputs = [f"output {k}" for k in range(model.outputs)]
        spec = spec_of(told, outputs, head, statistics, window=SECONDS)
        found = explain(model, spec, streams, SECONDS, stretch=0.25)
        whole = found.baseline + sum(found.contributions.values())
        known = found.known
        assert known.any()
        np.testing.assert_allclose(whole[known], found.output[known], atol=1e-9)
        assert {*found.contributions} == {x.modality for x in contract.streams.values()}
        assert all(np.isfinite(x[known]).all() for x in found.contributions.values())
        assert {part.stream for part in found.parts} | {*found.missing} == {*contract.streams}
        assert all(np.isfinite(part.falls).all() for part in found.parts)
        assert len(found.sentences) == len(found.main)
