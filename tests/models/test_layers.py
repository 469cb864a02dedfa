"""Layers and their masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.models.layers.attention import AttentionMap, CrossAttention, CrossAttentionBlock
from affuse.models.layers.pooling import (
    AttentiveMaxPool,
    AttentiveStatisticsPool,
    MeanPool,
    StatisticsPool,
    build_pool,
    masked_mean,
)
from affuse.models.layers.temporal import (
    ConvBlock,
    SpectrogramBlock,
    ValidConvBlock,
    complete_windows,
    masked_norm,
)


def random_series(seed: int, frames: int, channels: int = 3) -> tuple[Tensor, Tensor]:
    """(2, C, T) with about a third of the frames absent and zero."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(2, frames, generator=generator) > 1 / 3
    return torch.randn(2, channels, frames, generator=generator) * mask.unsqueeze(1), mask


class TestAttention:
    def test_absent_keys_are_the_same_as_no_keys(self) -> None:
        attention = CrossAttention(6, 4, 8, heads=2)
        keys, queries = torch.randn(1, 5, 4), torch.randn(1, 3, 6)
        mask = torch.tensor([[True, False, True, True, False]])
        masked, weights = attention(keys, queries, mask)
        few, few_weights = attention(keys[:, mask[0]], queries, torch.ones(1, 3).bool())
        torch.testing.assert_close(masked, few)
        torch.testing.assert_close(weights[..., mask[0]], few_weights)
        assert weights[..., ~mask[0]].eq(0).all()

    def test_without_any_key_the_result_is_the_bias_and_gradients_are_finite(self) -> None:
        attention = CrossAttention(6, 4, 8, heads=2)
        keys = torch.randn(2, 5, 4, requires_grad=True)
        mask = torch.tensor([[False] * 5, [True] * 5])
        result, weights = attention(keys, torch.randn(2, 3, 6), mask)
        assert weights[0].eq(0).all()
        torch.testing.assert_close(result[0], attention.proj.bias.expand(3, 8))
        result.sum().backward()
        assert keys.grad is not None and keys.grad.isfinite().all()
        assert keys.grad[0].eq(0).all() and keys.grad[1].abs().sum() > 0

    def test_agrees_with_torch(self) -> None:
        attention = CrossAttention(8, 8, 8, heads=4)
        keys, queries = torch.randn(2, 7, 8), torch.randn(2, 5, 8)
        q, (k, v) = attention.q(queries), attention.kv(keys).chunk(2, -1)
        split = [x.unflatten(-1, (4, 2)).transpose(1, 2) for x in (q, k, v)]
        gathered = F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
        result, _ = attention(keys, queries, torch.ones(2, 7).bool())
        torch.testing.assert_close(result, attention.proj(gathered))

    def test_block_without_keys_keeps_the_queries(self) -> None:
        block = CrossAttentionBlock(8, 4, query_residual=True)
        queries = torch.randn(1, 3, 8)
        result = block(torch.randn(1, 5, 4), queries, torch.zeros(1, 5).bool())
        torch.testing.assert_close(result, queries + block.mlp(block.norm2(queries)))

    def test_number_of_heads_must_divide_the_width(self) -> None:
        with pytest.raises(AffuseError, match="heads=3"):
            CrossAttention(8, 8, 8, heads=3)
        with pytest.raises(AffuseError, match="heads=0"):
            AttentionMap(8, 8, 8, heads=0)


class TestPooling:
    def test_mean_over_what_is_present(self) -> None:
        x = torch.arange(12.0).reshape(2, 3, 2)
        mask = torch.tensor([[True, False, True], [False, False, False]])
        assert masked_mean(x, mask).tolist() == [[2.0, 3.0], [0.0, 0.0]]

    def test_sums_in_full_precision(self) -> None:
        x = torch.full((1, 3000, 1), 1.01, dtype=torch.bfloat16)
        result = masked_mean(x, torch.ones(1, 3000).bool())
        assert result.dtype == torch.float32
        torch.testing.assert_close(result, x[:, 0].float())


class TestAttentiveMaxPool:
    @staticmethod
    def pool(channels: int = 3) -> AttentiveMaxPool:
        torch.manual_seed(0)
        return AttentiveMaxPool(channels)

    def test_a_weighted_mean_beside_the_maximum(self) -> None:
        pool, x = self.pool(), torch.randn(2, 4, 3)
        mean, highest = pool(x, torch.ones(2, 4).bool()).chunk(2, -1)
        torch.testing.assert_close(highest, x.amax(1))
        torch.testing.assert_close(mean, (x * pool.score(x).softmax(1)).sum(1))

    @given(st.integers(0, 999), st.integers(1, 12), st.sampled_from([0.0, 7.0, -1e4, 1e30]))
    @settings(max_examples=25, deadline=None)
    def test_absent_frames_are_the_same_as_no_frames(
        self, seed: int, frames: int, elsewhere: float
    ) -> None:
        x, mask = random_series(seed, frames)
        x = torch.where(mask.unsqueeze(-1), x.transpose(1, 2), elsewhere)
        pool = self.pool()
        result = pool(x, mask)
        for row in range(2):
            present = x[row][mask[row]][None]
            few = (
                pool(present, torch.ones(present.shape[:2]).bool())
                if present.numel()
                else torch.zeros(1, 6)
            )
            torch.testing.assert_close(result[row], few[0], rtol=1e-5, atol=1e-6)

    def test_nothing_present_gives_zeros_and_finite_gradients(self) -> None:
        pool, x = self.pool(), torch.randn(2, 4, 3, requires_grad=True)
        mask = torch.tensor([[False] * 4, [True, False, True, True]])
        result = pool(x, mask)
        assert result[0].eq(0).all() and result[1].ne(0).all()
        result.sum().backward()
        assert x.grad is not None and x.grad.isfinite().all()
        assert x.grad[~mask].eq(0).all() and x.grad[1, 0].ne(0).all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in pool.parameters())

    def test_negative_features_are_not_hidden_by_absent_zeros(self) -> None:
        x, mask = -torch.ones(1, 2, 3), torch.tensor([[True, False]])
        torch.testing.assert_close(self.pool()(x * mask.unsqueeze(-1), mask), -torch.ones(1, 6))

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_half_precision_is_close_and_the_weights_are_in_full(self, dtype: torch.dtype) -> None:
        pool, x = self.pool(), torch.randn(2, 3000, 3)
        mask = torch.arange(3000) < torch.tensor([[3000], [0]])
        exact = pool(x, mask)
        with torch.autocast("cpu", dtype):
            rough = pool(x.to(dtype), mask)
        assert rough.dtype == torch.float32 and rough[1].eq(0).all()
        torch.testing.assert_close(rough, exact, rtol=0.02, atol=0.02)

    def test_statistics_are_standardised_over_the_clips_that_have_a_frame(self) -> None:
        torch.manual_seed(0)
        pool = StatisticsPool(3)
        x = 5 + torch.randn(40, 30, 3) * torch.rand(40, 1, 3)
        mask = torch.rand(40, 30) < torch.linspace(0, 1, 40)[:, None]
        there = mask.any(1)
        result = pool(x, mask) * 6**0.5
        assert (~there).any() and result[~there].eq(0).all()
        torch.testing.assert_close(result[there].mean(0), torch.zeros(6), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            result[there].std(0, unbiased=False), torch.ones(6), atol=0.01, rtol=0
        )
        alone = pool(x[-1:], mask[-1:])  # a last batch of one clip
        for _ in range(200):
            pool(x, mask)
        pool.eval()
        settled = pool(x, mask)[-1:] * 6**0.5
        torch.testing.assert_close(settled, result[-1:], atol=0.1, rtol=0.1)
        torch.testing.assert_close(pool(x[-1:], mask[-1:]), pool(x, mask)[-1:])
        assert alone.isfinite().all()

    def test_by_name(self) -> None:
        for name, kind, features in (
            ("mean", MeanPool, 5),
            ("statistics", StatisticsPool, 10),
            ("attention-max", AttentiveMaxPool, 10),
            ("attention-statistics", AttentiveStatisticsPool, 10),
        ):
            pool, width = build_pool(name, 5)
            assert isinstance(pool, kind) and width == features
            assert pool(torch.randn(2, 3, 5), torch.ones(2, 3).bool()).shape == (2, features)
        with pytest.raises(AffuseError, match="no pooling named 'maen'; did you mean 'mean'"):
            build_pool("maen", 5)


class TestAttentiveStatisticsPool:
    @given(st.integers(0, 999), st.integers(1, 12), st.sampled_from([0.0, 7.0, -1e4, 1e30]))
    @settings(max_examples=25, deadline=None)
    def test_a_weighted_mean_and_deviation_of_what_is_present(
        self, seed: int, frames: int, elsewhere: float
    ) -> None:
        x, mask = random_series(seed, frames)
        x = torch.where(mask.unsqueeze(-1), x.transpose(1, 2), elsewhere)
        torch.manual_seed(0)
        pool = AttentiveStatisticsPool(3)
        result = pool(x, mask)
        for row in range(2):
            present = x[row][mask[row]]
            if not len(present):
                assert result[row].eq(0).all()
                continue
            weight = pool.score(present).softmax(0)
            mean = (present * weight).sum(0)
            deviation = ((present - mean).square() * weight).sum(0).sqrt()
            torch.testing.assert_close(result[row, :3], mean, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(result[row, 3:], deviation, rtol=1e-3, atol=2e-3)

    def test_one_frame_has_a_finite_gradient(self) -> None:
        pool, x = AttentiveStatisticsPool(3), torch.randn(2, 4, 3, requires_grad=True)
        mask = torch.tensor([[False] * 4, [True, False, False, False]])
        pool(x, mask).sum().backward()
        assert x.grad is not None and x.grad.isfinite().all() and x.grad[~mask].eq(0).all()


class TestTemporalBlocks:
    @given(st.lists(st.booleans(), min_size=4, max_size=20))
    def test_valid_windows_are_present_where_all_frames_are(self, present: list[bool]) -> None:
        width = 4
        result = complete_windows(torch.tensor([present]), width)[0].tolist()
        assert result == [all(present[i : i + width]) for i in range(len(present) - width + 1)]

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 5))
    @pytest.mark.parametrize("training", [False, True])
    @pytest.mark.parametrize("kind", [ConvBlock, ValidConvBlock])
    def test_padding_changes_neither_results_nor_statistics(
        self, kind: type[nn.Module], training: bool, seed: int, frames: int, padding: int
    ) -> None:
        torch.manual_seed(0)
        one, two = kind(3, 4).train(training), kind(3, 4).train(training)
        two.load_state_dict(one.state_dict())
        x, mask = random_series(seed, frames)
        result, result_mask = one(x, mask)
        padded, padded_mask = two(F.pad(x, (0, padding)), F.pad(mask, (0, padding)))
        common = result.shape[2]
        torch.testing.assert_close(padded[..., :common], result, rtol=1e-4, atol=1e-5)
        assert padded_mask[:, :common].equal(result_mask)
        assert not padded_mask[:, common:].any() and padded[..., common:].eq(0).all()
        torch.testing.assert_close(two.norm.running_var, one.norm.running_var)

    def test_absent_frames_do_not_count_in_training_statistics(self) -> None:
        norm = nn.BatchNorm1d(3, momentum=1.0)
        x, mask = random_series(seed=1, frames=30)
        result = masked_norm(norm, x, mask)
        present = x.movedim(1, 2)[mask]
        torch.testing.assert_close(norm.running_mean, present.mean(0))
        normed = result.movedim(1, 2)[mask]
        torch.testing.assert_close(normed.mean(0), torch.zeros(3), atol=1e-6, rtol=0)

    def test_nothing_present_leaves_the_statistics(self) -> None:
        norm = nn.BatchNorm1d(3)
        before = norm.running_mean.clone()
        masked_norm(norm, torch.zeros(2, 3, 5), torch.zeros(2, 5).bool())
        assert norm.running_mean.equal(before)
        assert norm.num_batches_tracked == 0

    @pytest.mark.parametrize("frames", range(1, 9))
    def test_valid_block_loses_three_frames_but_never_all(self, frames: int) -> None:
        block = ValidConvBlock(3, 4).eval()
        x, mask = block(torch.randn(1, 3, frames), torch.ones(1, frames).bool())
        assert x.shape[2] == mask.shape[1] == max(1, frames - 3)
        assert mask.any() == (frames >= 4)


class TestSpectrogramBlock:
    SHAPES = (((4, 2), 5), ((2, 2), 3), ((1, 2), 3))

    @pytest.mark.parametrize("training", [False, True])
    @pytest.mark.parametrize(("stride", "kernel"), SHAPES)
    @given(frames=st.integers(1, 22), padding=st.integers(0, 9), seed=st.integers(0, 999))
    @settings(max_examples=25, deadline=None)
    def test_padding_changes_neither_results_nor_statistics(
        self,
        stride: tuple[int, int],
        kernel: int,
        training: bool,
        frames: int,
        padding: int,
        seed: int,
    ) -> None:
        torch.manual_seed(0)
        one = SpectrogramBlock(3, 2, stride, kernel).train(training)
        two = SpectrogramBlock(3, 2, stride, kernel).train(training)
        two.load_state_dict(one.state_dict())
        x, mask = random_series(seed, frames)
        x = x.unsqueeze(-1) * torch.linspace(-1, 1, 8)
        result, result_mask = one(x, mask)
        common = -(-frames // stride[0])
        assert result.shape == (2, 2, common, 4) and result_mask.equal(mask[:, :: stride[0]])
        padded, padded_mask = two(F.pad(x, (0, 0, 0, padding)), F.pad(mask, (0, padding)))
        torch.testing.assert_close(padded[:, :, :common], result, rtol=1e-4, atol=1e-5)
        assert padded_mask[:, :common].equal(result_mask)
        assert not padded_mask[:, common:].any() and padded[:, :, common:].eq(0).all()
        torch.testing.assert_close(two.norm.running_var, one.norm.running_var)

    @pytest.mark.parametrize(("stride", "kernel"), SHAPES)
    def test_an_output_sees_the_frames_around_its_own(
        self, stride: tuple[int, int], kernel: int
    ) -> None:
        torch.manual_seed(0)
        block = SpectrogramBlock(1, 16, stride, kernel).eval()
        x = torch.randn(1, 1, 20, 8, requires_grad=True)
        result, _ = block(x, torch.ones(1, 20).bool())
        for t in range(result.shape[2]):
            (gradient,) = torch.autograd.grad(result[:, :, t].sum(), x, retain_graph=True)
            seen = gradient[0, 0].abs().sum(-1).nonzero().flatten()
            centre, reach = t * stride[0], kernel // 2
            assert seen.tolist() == list(range(max(0, centre - reach), min(20, centre + reach + 1)))
