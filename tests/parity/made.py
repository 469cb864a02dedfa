"""Parity folders made here: cases of any number of classes and of calls.

They come from our models, or from plain ones. Weights and inputs follow a rule of the folder's own,
so that no file from elsewhere is needed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from affuse.models.base import Model, Output
from affuse.models.checkpoints import published_state_dict, system_module
from affuse.models.systems.renaming import translate
from affuse.verification.model_cases import everything_present

RULE = """
import re, zlib
import numpy as np

def draw(name, shape, seed):
    state = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
    return state.standard_normal(shape)

def read_listing(path):
    lines = (line.rstrip("\\n").split("\\t") for line in open(path, encoding="utf-8"))
    return {name: tuple(map(int, re.findall(r"\\d+", shape))) for name, shape in lines}

def fill_listing(path, seed):
    filled = {}
    for name, shape in read_listing(path).items():
        x = draw(name, shape, seed)
        if name.endswith("num_batches_tracked"):
            filled[name] = np.zeros(shape, np.int64)
            continue
        if name.endswith("running_var"):
            x = 0.5 + abs(x)
        elif len(shape) <= 1:
            x = 0.1 * x + (name.endswith("weight") and len(shape) == 1)
        else:
            x = x * (2 / np.prod(shape[1:])) ** 0.5
        filled[name] = x.astype(np.float32)
    return filled

def inputs(spec):
    return {n: draw(n, x["shape"], x["seed"]).astype(np.float32) for n, x in spec.items()}
"""


class Folder:
    """A parity folder.

    Args:
        path: Where to make it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("cases", "state_dicts"):
            (path / name).mkdir(parents=True, exist_ok=True)
        (path / "fill.py").write_text(RULE)
        spec = importlib.util.spec_from_file_location("made_fill", path / "fill.py")
        assert spec is not None and spec.loader is not None
        self.fill: ModuleType = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.fill)

    def weights(self, name: str, state: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
        """Write the listing of a state dict, and fill it."""
        lines = "".join(f"{entry}\t{tuple(x.shape)}\n" for entry, x in state.items())
        listing = self.path / "state_dicts" / f"{name}.txt"
        listing.write_text(lines, encoding="utf-8")
        filled = self.fill.fill_listing(listing, seed)
        return {entry: torch.from_numpy(x) for entry, x in filled.items()}

    def inputs(self, spec: Mapping[str, Any]) -> dict[str, Tensor]:
        """The inputs that a case describes."""
        return {name: torch.from_numpy(x) for name, x in self.fill.inputs(spec).items()}

    def write(self, name: str, content: Mapping[str, Any]) -> Path:
        """Write a case."""
        path = self.path / "cases" / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path


def content(
    system: str,
    name: str,
    seed: int,
    config: Mapping[str, Any],
    inputs: Mapping[str, Any],
    state: Mapping[str, Tensor],
    parameters: int,
    outputs: Mapping[str, Tensor],
    intermediates: Mapping[str, Tensor],
) -> dict[str, Any]:
    """What a case file says."""
    lines = "\n".join(sorted(f"{entry} {tuple(x.shape)}" for entry, x in state.items()))
    return {
        "format": 1,
        "id": name,
        "model": system,
        "config": dict(config),
        "seed": seed,
        "listing": f"../state_dicts/{name}.txt",
        "inputs": dict(inputs),
        "parameters": parameters,
        "state_dict_sha": hashlib.sha256(lines.encode()).hexdigest(),
        "outputs": {key: summary(x) for key, x in outputs.items()},
        "intermediates": {key: summary(x) for key, x in intermediates.items()},
    }


def summary(x: Tensor) -> dict[str, Any]:
    """A tensor as a case has it; every seventh value of a large one."""
    flat = x.detach().double().flatten()
    told: dict[str, Any] = {"shape": list(x.shape), "mean": flat.mean().item()}
    told |= {"std": flat.std(correction=0).item(), "l2": flat.norm().item()}
    if len(flat) <= 256:
        return told | {"values": flat.tolist()}
    return told | {"probe": [[k, flat[k].item()] for k in range(0, len(flat), 7)]}


def model_case(
    folder: Folder,
    name: str,
    system: str,
    model: Model,
    config: Mapping[str, Any],
    inputs: Mapping[str, Any],
    streams: Callable[[Mapping[str, Tensor]], list[Tensor]],
    read: Callable[[Output], dict[str, Tensor]],
    modules: Mapping[str, Callable[[Tensor], Tensor]],
    seed: int = 7,
    importer: str | None = None,
) -> dict[str, Any]:
    """A case of one of our models: every call of some modules, the first without a number.

    Args:
        folder: Gets the listing, not yet the case.
        name: Of the case.
        system: What the case calls the model.
        model: In its published form, with any weights.
        config: As the case has it.
        inputs: As the case has them.
        streams: Inputs -> one (B, T, ...) per stream of the model.
        read: Output -> published name -> value.
        modules: Published module -> our axes to the published ones.
        seed: Of the weights.
        importer: The system that imports the weights; `system` by default.
    """
    module = system_module(importer or system)
    rules = module.rules(model)
    weights = folder.weights(name, state := published_state_dict(model), seed)
    kept = module.clean(Path(name), weights) if hasattr(module, "clean") else weights
    model.load_state_dict({str(translate(entry, rules)): x for entry, x in kept.items()})
    model.eval()
    calls: dict[str, list[Tensor]] = {published: [] for published in modules}

    def hook(published: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(part: nn.Module, given: Any, result: Any) -> None:
            calls[published].append(result[0] if isinstance(result, tuple) else result)

        return keep

    for published in modules:
        ours = str(translate(published, rules))
        model.get_submodule(ours).register_forward_hook(hook(published))
    values = dict(zip(model.streams, streams(folder.inputs(inputs)), strict=True))
    with torch.no_grad():
        outputs = read(model(everything_present(values)))
    intermediates = {
        published if number == 0 else f"{published}.call{number}": modules[published](x)
        for published, found in calls.items()
        for number, x in enumerate(found)
    }
    count = sum(x.numel() for x in model.parameters())
    return content(system, name, seed, config, inputs, state, count, outputs, intermediates)
