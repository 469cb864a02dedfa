"""`affuse parity` takes cases of any number of classes and of any number of calls of a module."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.parity.made import Folder, content, model_case
from torch import Tensor
from torch.nn import functional as F

from affuse.cli.main import main
from affuse.features.stream import StreamSpec
from affuse.models.registry import MODELS, create_model
from affuse.verification.parity import CaseResult, run_parity

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def drawn_input(shape: list[int], seed: int = 3) -> dict[str, Any]:
    return {"shape": shape, "dist": "normal", "seed": seed}


def auxformer(folder: Folder, name: str, classes: int, batch: int, layers: int) -> dict[str, Any]:
    streams = {
        spec.name: spec
        for spec in (
            StreamSpec("audio/wav2vec2", 50.0, (16,)),
            StreamSpec("video/emoca50", 30.0, (10,)),
        )
    }
    options = MODELS["auxformer"].load().published_options()
    model = create_model("auxformer", streams, classes, **options, width=10, heads=2, layers=layers)

    def series(x: Tensor) -> Tensor:
        return x.transpose(0, 1)

    return model_case(
        folder,
        name,
        "auxformer",
        model,
        {"num_heads": 2, "layers": layers, "attn_mask": True, "output_dim": classes},
        {"audio": drawn_input([batch, 9, 16]), "video": drawn_input([batch, 7, 10])},
        lambda given: [given["audio"], given["video"]],
        lambda out: {ours: out.auxiliary[n] for ours, n in HEADS.items()},
        {
            "a_mem": series,
            "v_mem": series,
            "a_mem.layers.0": series,
            "trans_a_mem": series,
            "proj_aux1": lambda x: x,
            "out_layer_aux": lambda x: x,
        },
    )


HEADS = {"main": "main", "audio": "audio", "visual": "video"}


def images(folder: Folder, name: str, classes: int, batch: int) -> dict[str, Any]:
    spec = StreamSpec("video/faces224", 15 / 3.6, (224, 224, 3), "uint8")
    return model_case(
        folder,
        name,
        "efficientface",
        create_model("efficientface", {spec.name: spec}, classes),
        {"num_classes": classes},
        {"images": drawn_input([batch, 3, 64, 64])},
        lambda given: [given["images"].unsqueeze(1)],
        lambda out: {"logits": out.logits},
        {"conv1": lambda x: x, "stage3.0": lambda x: x},
    )


def fusion(folder: Folder, name: str, classes: int, kind: str) -> dict[str, Any]:
    system = "avtca" if kind == "avtca" else "chumachenko"
    model = kind if kind == "avtca" else f"chumachenko-{kind}"
    streams = {
        spec.name: spec
        for spec in (
            StreamSpec("audio/mfcc10-published", 43.066, (10,)),
            StreamSpec("video/faces224-published", 15 / 3.6, (224, 224, 3), "uint8"),
        )
    }
    options = MODELS[model].load().published_options()
    twice = {"finalAttention": lambda x: x.transpose(0, 1)} if kind == "avtca" else {}
    return model_case(
        folder,
        name,
        system,
        create_model(model, streams, classes, **options),
        {"num_heads": 8 if kind == "avtca" else 1, "num_classes": classes, "seq_length": 3},
        {"audio": drawn_input([2, 10, 40]), "video": drawn_input([6, 3, 64, 64])},
        lambda given: [
            given["audio"].transpose(1, 2),
            given["video"].unflatten(0, (2, 3)),
        ],
        lambda out: {"logits": out.logits},
        {"visual_model.conv5": lambda x: x, "audio_model.conv1d_3": lambda x: x, **twice},
    )


def formula(folder: Folder, name: str, batch: int) -> dict[str, Any]:
    """The paper's formula, one sequence after another, written plainly."""
    steps, width, units, seen = 16, 8, 32, 512
    shapes = {
        **{f"encoder{k}.weight": (width, 512) for k in (1, 2)},
        **{f"encoder{k}.bias": (width,) for k in (1, 2)},
        **{f"affine_{m}.weight": (steps, steps) for m in "av"},
        **{f"W_{m}.weight": (units, steps) for m in "av"},
        **{f"W_c{m}.weight": (units, 2 * width) for m in "av"},
        **{f"W_h{m}.weight": (steps, units) for m in "av"},
        **{
            f"{part}.{k}.{kind}": shape
            for part in ("vregressor", "aregressor")
            for k, kind, shape in (
                (0, "weight", (128, seen + width)),
                (0, "bias", (128,)),
                (2, "weight", (1, 128)),
                (2, "bias", (1,)),
            )
        },
    }
    state = {entry: torch.zeros(shape) for entry, shape in shapes.items()}
    w = folder.weights(name, state, 7)
    inputs = {n: drawn_input([batch, steps, 512]) for n in ("audio", "visual")}
    given = folder.inputs(inputs)
    encoded = {
        "a": F.linear(given["audio"], w["encoder1.weight"], w["encoder1.bias"]),
        "v": F.linear(given["visual"], w["encoder2.weight"], w["encoder2.bias"]),
    }
    calls: dict[str, list[Tensor]] = {}

    def linear(module: str, x: Tensor) -> Tensor:
        y = F.linear(x, w[f"{module}.weight"], w.get(f"{module}.bias"))
        calls.setdefault(module, []).append(y)
        return y

    outputs: dict[str, list[Tensor]] = {"valence": [], "arousal": []}
    for k in range(batch):
        joint = torch.cat((encoded["a"][k], encoded["v"][k]), 1)
        attended = {}
        for m in "av":
            x = encoded[m][k].T
            mixed = torch.tanh(x @ linear(f"affine_{m}", joint.T).T / (2 * width) ** 0.5)
            hidden = F.relu(linear(f"W_c{m}", mixed) + linear(f"W_{m}", x))
            attended[m] = linear(f"W_h{m}", hidden).T + x.T
        read = torch.cat((given["visual"][k], attended["v"]), 1)
        for dimension, part in (("valence", "vregressor"), ("arousal", "aregressor")):
            outputs[dimension].append(linear(f"{part}.2", linear(f"{part}.0", read)))
    intermediates = {
        module if number == 0 else f"{module}.call{number}": y
        for module, found in calls.items()
        for number, y in enumerate(found)
    }
    intermediates["encoder1"] = encoded["a"]
    count = sum(x.numel() for x in state.values())
    return content(
        "rjca_paper_formula",
        name,
        7,
        {"sequence": steps},
        inputs,
        state,
        count,
        {dimension: torch.stack(values) for dimension, values in outputs.items()},
        intermediates,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, dict[str, dict[str, Any]]]:
    """A folder with the listings of two cases, and the cases."""
    folder = Folder(tmp_path_factory.mktemp("made"))
    return folder, {
        "auxformer": auxformer(folder, "auxformer", 4, 2, 1),
        "formula": formula(folder, "formula", 4),
    }


def result(folder: Folder, name: str, case: dict[str, Any]) -> CaseResult:
    for old in (folder.path / "cases").glob("*.json"):
        old.unlink()
    folder.write(name, case)
    (found,) = run_parity(folder.path)
    return found


@FEW
@given(st.integers(2, 12), st.integers(1, 4), st.integers(1, 3))
def test_auxformer_of_any_number_of_classes(
    tmp_path: Path, classes: int, batch: int, layers: int
) -> None:
    folder = Folder(tmp_path)
    found = result(folder, "x", auxformer(folder, "x", classes, batch, layers))
    assert found.passed, found


@pytest.mark.parametrize(("classes", "batch"), [(6, 1), (11, 2)])
def test_efficientface_of_any_number_of_classes(tmp_path: Path, classes: int, batch: int) -> None:
    folder = Folder(tmp_path)
    found = result(folder, "x", images(folder, "x", classes, batch))
    assert found.passed, found


@pytest.mark.parametrize(("kind", "classes"), [("lt", 4), ("it", 6), ("ia", 11), ("avtca", 3)])
def test_self_attention_fusion_of_any_number_of_classes(
    tmp_path: Path, kind: str, classes: int
) -> None:
    folder = Folder(tmp_path)
    found = result(folder, "x", fusion(folder, "x", classes, kind))
    assert found.passed, found


@FEW
@given(st.integers(1, 6))
def test_the_formula_of_any_number_of_sequences(tmp_path: Path, batch: int) -> None:
    folder = Folder(tmp_path)
    case = formula(folder, "x", batch)
    assert batch == 1 or f"W_ha.call{batch - 1}" in case["intermediates"]
    found = result(folder, "x", case)
    assert found.passed, found


@pytest.mark.parametrize("kind", ["auxformer", "formula"])
def test_a_wrong_value_of_any_call_is_noticed(
    made: tuple[Folder, dict[str, dict[str, Any]]], kind: str
) -> None:
    folder, cases = made
    case = cases[kind]
    several = [name for name in case["intermediates"] if re.search(r"\.call[2-9]", name)]
    assert several
    for name in (*several[:3], *case["outputs"]):
        wrong = copy.deepcopy(case)
        tensor = (wrong["intermediates"] | wrong["outputs"])[name]
        values = tensor.get("values") or [None]
        if "values" in tensor:
            values[-1] += 1e-3 * max(map(abs, values))
        else:
            tensor["probe"][-1][1] += 1e-3 * max(abs(x) for _, x in tensor["probe"])
        found = result(folder, "x", wrong)
        assert found.passed is False and found.quantity == name, name


@pytest.mark.parametrize("summary", ["mean", "std", "l2"])
def test_every_number_of_a_tensor_is_compared(
    made: tuple[Folder, dict[str, dict[str, Any]]], summary: str
) -> None:
    folder, cases = made
    case = copy.deepcopy(cases["formula"])
    case["intermediates"]["W_ha.call1"][summary] += 0.1
    found = result(folder, "x", case)
    assert found.passed is False and found.quantity == "W_ha.call1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda case: case.update(intermediate={}), "does not know: intermediate"),
        (lambda case: case.update(train_stp={"loss": 1}), "does not know: train_stp.loss"),
        (lambda case: case["config"].update(dropout=0.5), "does not know: config.dropout"),
        (lambda case: case["inputs"].update(text=drawn_input([2, 3])), "text"),
        (lambda case: case["inputs"]["audio"].update(lenghts=[1]), "inputs.audio.lenghts"),
        (lambda case: case["outputs"]["main"].update(median=1), "outputs.main.median"),
        (lambda case: case.pop("config"), "lacks 'config'"),
        (lambda case: case.pop("seed"), "lacks 'seed'"),
        (lambda case: case.update(format=2), "has format 2"),
        (lambda case: rename(case, "a_mem.call2", "a_mem.call7"), "a_mem.call7: called 3 times"),
        (lambda case: rename(case, "a_mem.call2", "a_memory"), "'a_memory' is no module"),
        (lambda case: rename(case, "a_mem.call2", "a_mem.call1.1"), "no such item"),
        (lambda case: case["config"].update(output_dim=6), "number of classes"),
        (lambda case: rename(case, "main", "mine", "outputs"), "mine"),
    ],
)
def test_what_a_case_says_is_never_skipped(
    made: tuple[Folder, dict[str, dict[str, Any]]],
    change: Callable[[dict[str, Any]], object],
    reason: str,
) -> None:
    folder, cases = made
    case = copy.deepcopy(cases["auxformer"])
    change(case)
    found = result(folder, "x", case)
    assert found.passed is False and reason in found.note + found.quantity
    assert "\n" not in found.note


def rename(case: dict[str, Any], old: str, new: str, part: str = "intermediates") -> None:
    case[part][new] = case[part].pop(old)


def test_a_damaged_case_is_one_line_and_the_others_are_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(tmp_path)
    folder.write("b", good := formula(folder, "b", 3))
    broken = {"a": "{", "c": "[1, 2]", "d": '{"model": "rjca_paper_formula"}', "e": '{"a": NaN'}
    for name, text in broken.items():
        (tmp_path / "cases" / f"{name}.json").write_text(text)
    (tmp_path / "cases" / "f.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "cases" / "g.json").mkdir()
    assert main(["parity", str(tmp_path), "--json"]) == 2
    rows = {row["case"]: row for row in json.loads(capsys.readouterr().out)}
    assert [name for name, row in rows.items() if row["passed"]] == ["b"]
    assert main(["parity", str(tmp_path)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines] == [*"abcdefg"]
    assert sum("FAILED: " in line for line in lines) == 6
    for path in (tmp_path / "cases").glob("[ac-f].json"):
        path.unlink()
    (tmp_path / "cases" / "g.json").rmdir()
    assert main(["parity", str(tmp_path)]) == 0
    good["outputs"]["valence"]["mean"] += 1
    folder.write("b", good)
    assert main(["parity", str(tmp_path)]) == 1
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())
