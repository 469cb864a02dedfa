"""Batch statistics and their gradients are those of 64 bits, whatever the layout and precision."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from affuse.models.layers.batch_norm import BatchNorm2d, BatchNorm3d
from affuse.models.layers.temporal import masked_norm

LAYOUTS = (torch.contiguous_format, "last", "strided")


def laid_out(x: Tensor, layout: object) -> Tensor:
    """The same values, otherwise in memory."""
    if layout == "last":
        last = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
        return x.contiguous(memory_format=last)
    return x.transpose(0, 2).contiguous().transpose(0, 2) if layout == "strided" else x.contiguous()


def trained(norm: nn.Module, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """Output, gradients and running statistics of one step in training."""
    x = x.detach().requires_grad_()
    y = norm.train()(x)
    y.backward(gradient.to(y.dtype))
    found = [y, x.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var]
    return [part.detach().double() for part in found if part is not None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_variance_of_many_frames(dtype: torch.dtype) -> None:
    """As many values per channel as eight published clips have after the first layer."""
    torch.manual_seed(0)
    x = (1 + 0.29 * torch.randn(120, 29, 112, 112)).to(dtype)
    exact = torch.stack([part.double().var((0, 2, 3), correction=0) for part in x.split(1, 1)])
    norm = BatchNorm2d(29, momentum=1.0)
    norm(x.contiguous(memory_format=torch.channels_last))
    unbiased = exact.flatten() * (n := x[:, 0].numel()) / (n - 1)
    assert norm.running_var is not None
    assert (norm.running_var / unbiased - 1).abs().max() < 1e-6


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("shape", [(400_000, 4, 1), (400, 4, 1000)])
def test_variance_of_many_frames_of_series(shape: tuple[int, ...], absent: bool) -> None:
    torch.manual_seed(0)
    x = 1 + 0.29 * torch.randn(shape)
    mask = torch.rand(shape[0], shape[2]) > (0.3 if absent else -1)
    norm = nn.BatchNorm1d(4, momentum=1.0)
    masked_norm(norm, x, mask)
    exact = x.double().movedim(1, -1)[mask].var(0)
    assert norm.running_var is not None
    assert (norm.running_var / exact - 1).abs().max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_step_of_training(data: st.DataObject) -> None:
    flat = data.draw(st.booleans(), "two dimensions")
    size = [data.draw(st.integers(1, k)) for k in (5, 20, 9, 40, 3)][: 4 if flat else 5]
    # Of very few values the gradient is the small difference of large numbers in any arithmetic.
    size[0] = max(size[0], 64 * size[1] // torch.Size(size[1:]).numel())
    torch.manual_seed(data.draw(st.integers(0, 99)))
    dtype = data.draw(st.sampled_from((torch.float32, torch.bfloat16, torch.float64)))
    x = (torch.randn(size) * 0.5 + data.draw(st.floats(-3, 3))).to(dtype)
    gradient = torch.randn(size).to(dtype)  # the same for both
    ours: nn.Module = (BatchNorm2d if flat else BatchNorm3d)(size[1])
    plain = (nn.BatchNorm2d if flat else nn.BatchNorm3d)(size[1])
    with torch.no_grad():
        for part in ours.parameters():
            part.uniform_(0.5, 2)
    if dtype == torch.float64:
        ours.double()
    plain = copy.deepcopy(ours)
    plain.__class__ = nn.BatchNorm2d if flat else nn.BatchNorm3d
    expected = trained(plain.double(), x.double(), gradient)
    found = trained(ours, laid_out(x, data.draw(st.sampled_from(LAYOUTS))), gradient)
    limit = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float64: 1e-10}[dtype]
    for ours_part, plain_part in zip(found, expected, strict=True):
        assert (ours_part - plain_part).norm() <= limit * (plain_part.norm() + 1)


def test_evaluation_is_torch_s_own() -> None:
    norm, x = BatchNorm2d(6), laid_out(torch.randn(4, 6, 5, 5), "last")
    norm(x)
    plain = copy.deepcopy(norm)
    plain.__class__ = nn.BatchNorm2d
    assert torch.equal(norm.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("momentum", [0.3, None])
def test_running_statistics_over_several_steps(momentum: float | None) -> None:
    ours, plain = BatchNorm2d(4, momentum=momentum), nn.BatchNorm2d(4, momentum=momentum)
    for k in range(3):
        x = laid_out(torch.randn(5, 4, 6, 7) + k, "last")
        ours(x)
        plain(x)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_frozen_weights_get_no_gradient() -> None:
    norm = BatchNorm2d(4).requires_grad_(False)
    x = laid_out(torch.randn(5, 4, 6, 7), "last").requires_grad_()
    norm(x).square().sum().backward()
    assert x.grad is not None and norm.weight.grad is None and norm.bias.grad is None


def test_the_same_layer_twice_in_two_layouts() -> None:
    norm = BatchNorm2d(4)
    x = torch.randn(5, 4, 6, 7).requires_grad_()
    (norm(x) * norm(laid_out(x, "last"))).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
