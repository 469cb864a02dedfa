"""Our models compute what the published ones compute; and parity would notice if they did not."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.commands import run

from affuse.errors import BadInput
from affuse.verification.model_cases import tensor_error
from affuse.verification.parity import (
    CHECKERS,
    Case,
    CaseResult,
    check_case,
    count_cases,
    load_fill,
    run_parity,
)

#: Cases about recordings, which the tests of face detection and face crops compute.
MEDIA = ("data_faces224", "data_mtcnn")
#: Cases about weights that are not part of the project.
WEIGHTS = ("whisper_base", "whisper_tiny_en")
CASES = (
    *(f"auxformer_{x}" for x in ("audio_shorter", "equal_batch", "icassp", "padded_batch")),
    *("auxformer_single", "auxformer_unmasked", "avtca_default"),
    *(f"chumachenko_{fusion}_h{heads}" for fusion in ("lt", "it", "ia") for heads in (1, 4)),
    *("efficientface_7", "jca_fusion"),
    *(f"leader_follower_{x}" for x in ("av_mh_fusion", "av_sh_full", "av_sh_fusion")),
    *(f"leader_follower_visual_{x}" for x in ("mh_fusion", "sh_full", "sh_full_se", "sh_fusion")),
    *(f"rjca_{x}" for x in ("batch1", "coattention_2", "default", "paper_formula", "two_layers")),
    *("data_ccc", "data_leader_follower", "data_rjca_evaluation", "data_rjca_sequences"),
    *("signal_logmel", "signal_mel64", "signal_mfcc10", "signal_mfcc39"),
    *("tsav_checkpoint_layout", "tsav_rjca_features", "vggish_embedding"),
)
#: Of many seconds each; other cases have the same parts.
LONG = ("chumachenko_ia_h1", "chumachenko_it_h1")


def read(parity_cases: Path, name: str) -> Case:
    path = parity_cases / f"{name}.json"
    fill = load_fill(parity_cases.parent / "fill.py")
    return Case(path, json.loads(path.read_text()), fill, parity_cases)


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.slow) if x in LONG else x for x in CASES]
)
def test_case(parity_cases: Path, name: str) -> None:
    result = check_case(read(parity_cases, name))
    assert result.passed, result


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        ("seed", "logits"),
        ("parameters", "number of parameters"),
        ("sha", "names and shapes of weights"),
        ("shape", "logits"),
        ("value", "stage3"),
    ],
)
def test_a_difference_is_noticed(parity_cases: Path, change: str, quantity: str) -> None:
    case = read(parity_cases, "efficientface_7")
    content = copy.deepcopy(case.content)
    if change == "seed":
        content["inputs"]["images"]["seed"] += 1
        content["intermediates"] = {}
    elif change == "parameters":
        content["parameters"] += 1
    elif change == "sha":
        content["state_dict_sha"] = "0" * 64
    elif change == "shape":
        content["outputs"]["logits"]["shape"] = [7, 3]
    else:
        probe = content["intermediates"]["stage3"]["probe"]
        probe[1][1] += 1e-3 * max(value for _, value in probe)
    result = check_case(replace(case, content=content))
    assert result.passed is False and result.quantity == quantity


def test_a_case_that_breaks_is_a_failure_with_a_reason(parity_cases: Path) -> None:
    case = read(parity_cases, "efficientface_7")
    result = check_case(replace(case, content=case.content | {"listing": "none.txt"}))
    assert result.passed is False and "none.txt" in result.note


def test_recordings_that_are_not_here_are_no_failure(parity_cases: Path, tmp_path: Path) -> None:
    case = replace(read(parity_cases, "data_mtcnn"), data=tmp_path / "none")
    result = check_case(case)
    assert result.passed is None and "none" in result.note


def test_a_command_says_where_the_recordings_are(
    parity_cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cases").mkdir()
    shutil.copy(parity_cases.parent / "fill.py", tmp_path)
    shutil.copy(parity_cases / "data_mtcnn.json", tmp_path / "cases")
    assert run("parity", tmp_path, "--recordings", tmp_path / "mine") == 0
    assert f"not computed: needs the recordings in {tmp_path / 'mine'}" in capsys.readouterr().out


def test_what_is_not_implemented_is_listed(parity_cases: Path, tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    shutil.copy(parity_cases.parent / "fill.py", tmp_path)
    shutil.copytree(parity_cases.parent / "state_dicts", tmp_path / "state_dicts")
    shutil.copy(parity_cases / "efficientface_7.json", tmp_path / "cases")
    (tmp_path / "cases" / "zzz.json").write_text('{"model": "unheard-of"}')
    for folder in (tmp_path, tmp_path / "cases"):
        known, unknown = run_parity(folder)
        assert count_cases(folder) == 2
        assert known.case == "efficientface_7" and known.passed
        assert unknown == CaseResult("zzz", note="not implemented")


def test_folders_that_hold_no_cases(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no parity cases"):
        list(run_parity(tmp_path))
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(BadInput, match=r"fill.py"):
        list(run_parity(tmp_path))


def test_every_case_is_checked(parity_cases: Path) -> None:
    cases = [read(parity_cases, path.stem) for path in parity_cases.glob("*.json")]
    assert {case.system for case in cases} == {*CHECKERS}
    assert {case.id for case in cases} == {*CASES, *MEDIA, *WEIGHTS}


def test_published_weights_that_are_not_here_are_named(parity_cases: Path) -> None:
    result = check_case(read(parity_cases, "whisper_tiny_en"))
    assert result.passed is None and "needs whisper-tiny.en-encoder.safetensors" in result.note


def test_published_weights(parity_cases: Path, shared_data: Path) -> None:
    case = replace(read(parity_cases, "whisper_base"), data=shared_data / "videos")
    result = check_case(case)
    if result.passed is None:
        pytest.skip(result.note)
    assert result.passed, result


def test_what_is_not_finite_is_never_close() -> None:
    expected = {"shape": [4], "probe": [[0, 1.0]], "l2": 2.0}
    assert tensor_error(torch.ones(4), expected) == 0
    assert tensor_error(torch.tensor([1.0, 1.0, 1.0, float("nan")]), expected) == float("inf")
