"""Attention from one modality to another (Chumachenko et al. 2022, section 3).

Keys and values come from one time series, queries from the other; a mask says which keys are
present. A clip without any present key attends to nothing: its weights and its result are zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.models.layers.dropout import dropout


def attention_weights(queries: Tensor, keys: Tensor, key_mask: Tensor) -> Tensor:
    """Softmax over the present keys of scaled dot products.

    Args:
        queries: (B, heads, Nq, d).
        keys: (B, heads, Nk, d).
        key_mask: (B, Nk) bool.

    Returns:
        (B, heads, Nq, Nk); rows sum to 1, or are zero where a clip has no present key.
    """
    mask = key_mask[:, None, None, :]
    scores = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
    # The smallest number instead of -inf: a row without any key stays finite, gradients included.
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1) * mask


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, heads * d) -> (B, heads, N, d)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def check_heads(heads: int, width: int) -> None:
    """Raise an `AffuseError` where attention of this width has no such number of heads."""
    if not isinstance(heads, int) or heads < 1 or width % heads:
        raise AffuseError(f"heads={heads} does not divide the attention width {width}")


class AttentionMap(nn.Module):
    """Attention that gives its weights alone: no values, no projection.

    Args:
        query_dim: Channels of the queries.
        key_dim: Channels of the keys.
        width: Channels that the dot products run over, all heads together.
        heads: Number of heads.
    """

    def __init__(self, query_dim: int, key_dim: int, width: int, heads: int = 1) -> None:
        super().__init__()
        check_heads(heads, width)
        self.heads = heads
        self.q = nn.Linear(query_dim, width, bias=False)
        self.k = nn.Linear(key_dim, width, bias=False)

    def forward(self, keys: Tensor, queries: Tensor, key_mask: Tensor) -> Tensor:
        """(B, Nk, Ck), (B, Nq, Cq), (B, Nk) -> weights (B, heads, Nq, Nk)."""
        q, k = split_heads(self.q(queries), self.heads), split_heads(self.k(keys), self.heads)
        return attention_weights(q, k, key_mask)


class CrossAttention(nn.Module):
    """Multi-head attention from one time series to another.

    Args:
        query_dim: Channels of the queries.
        key_dim: Channels of the keys and values.
        width: Channels out, all heads together.
        heads: Number of heads.
    """

    def __init__(self, query_dim: int, key_dim: int, width: int, heads: int = 1) -> None:
        super().__init__()
        check_heads(heads, width)
        self.heads = heads
        self.q = nn.Linear(query_dim, width, bias=False)
        self.kv = nn.Linear(key_dim, 2 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, keys: Tensor, queries: Tensor, key_mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the queries gather from the keys.

        Args:
            keys: (B, Nk, Ck).
            queries: (B, Nq, Cq).
            key_mask: (B, Nk) bool.

        Returns:
            (B, Nq, width), the bias of the projection where a clip has no present key; and the
            weights (B, heads, Nq, Nk).
        """
        q = split_heads(self.q(queries), self.heads)
        k, v = (split_heads(x, self.heads) for x in self.kv(keys).chunk(2, dim=-1))
        weights = attention_weights(q, k, key_mask)
        gathered = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        return self.proj(gathered), weights


class PackedAttention(nn.Module):
    """Multi-head attention of one width, its three projections in one matrix (queries first).

    Computes what `torch.nn.MultiheadAttention` does, on masks of this module.

    Args:
        width: Channels in and out, all heads together.
        heads: Number of heads.
        dropout: Probability of dropping an attention weight in training.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        check_heads(heads, width)
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Tensor:
        """What the queries gather.

        Args:
            queries: (B, Nq, C).
            keys: (B, Nk, C).
            values: (B, Nk, C).
            allowed: (B, Nq or 1, Nk) bool, which keys a query may attend to.

        Returns:
            (B, Nq, C), zero where a query has no key.
        """
        if queries is keys is values:
            projected = self.qkv(queries).chunk(3, -1)
        else:
            parts = self.qkv.weight.chunk(3), self.qkv.bias.chunk(3)
            projected = tuple(map(F.linear, (queries, keys, values), *parts))
        q, k, v = (split_heads(part, self.heads) for part in projected)
        some = allowed.any(-1, keepdim=True)
        # All keys instead of none: a row without any would be a softmax over nothing.
        mask = (allowed | ~some).unsqueeze(1)
        if self.training and self.dropout and q.device.type == "cpu":
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            hidden = torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, -torch.inf)
            gathered = dropout(scores.add_(hidden).softmax(-1), self.dropout) @ v
        else:
            rate = self.dropout if self.training else 0.0
            gathered = F.scaled_dot_product_attention(q, k, v, mask, dropout_p=rate)
        return self.proj(gathered.transpose(1, 2).flatten(2)) * some


class FeedForward(nn.Module):
    """Two linear layers with a GELU between.

    Args:
        width: Channels in and out.
        ratio: Hidden channels per channel.
    """

    def __init__(self, width: int, ratio: int = 2) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, ratio * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.fc2(self.act(self.fc1(x)))


class CrossAttentionBlock(nn.Module):
    """Transformer block whose queries are one modality and whose keys are the other.

    Args:
        query_dim: Channels of the queries, and of the result.
        key_dim: Channels of the keys and values.
        heads: Number of heads.
        query_residual: Add the queries to what they gathered. The published block does not: its
            result is a mixture of values of the other modality alone.
    """

    def __init__(
        self, query_dim: int, key_dim: int, heads: int = 1, query_residual: bool = True
    ) -> None:
        super().__init__()
        self.query_residual = query_residual
        self.norm1_q = nn.LayerNorm(query_dim)
        self.norm1_k = nn.LayerNorm(key_dim)
        self.attn = CrossAttention(query_dim, key_dim, query_dim, heads)
        self.norm2 = nn.LayerNorm(query_dim)
        self.mlp = FeedForward(query_dim)

    def forward(self, keys: Tensor, queries: Tensor, key_mask: Tensor) -> Tensor:
        """(B, Nk, Ck), (B, Nq, Cq), (B, Nk) -> (B, Nq, Cq)."""
        gathered, _ = self.attn(self.norm1_k(keys), self.norm1_q(queries), key_mask)
        x = gathered * key_mask.any(1)[:, None, None]
        if self.query_residual:
            x = x + queries
        return x + self.mlp(self.norm2(x))
