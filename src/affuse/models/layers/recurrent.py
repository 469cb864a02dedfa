"""A recurrent layer in both directions of time that knows which steps are present."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from affuse.errors import AffuseError
from affuse.models.layers.alignment import series_lengths
from affuse.models.layers.dropout import Dropout

LAYERS = 2
DIRECTIONS = 2


class RecurrentBlock(nn.Module):
    """BLSTM of two layers with a learned initial state, its input beside it, a linear layer.

    What comes after the last present step never enters; an absent step before it is a step of
    zeros. The result has unit length.

    Args:
        inputs: Channels in.
        outputs: Channels out, half of them per direction; even.
        dropout: Probability of dropping a value between the layers and before the linear layer in
            training.

    Raises:
        AffuseError: An odd number of channels out.

    Source: recursive joint attention (ICASSP 2023), released code.
    """

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        if outputs % DIRECTIONS:
            raise AffuseError(f"a BLSTM of width {outputs}: half of it per direction must be whole")
        hidden = outputs // DIRECTIONS
        # Rows: both directions of the first layer, then of the second; hidden, then cell states.
        self.initial = nn.Parameter(torch.empty(2 * LAYERS * DIRECTIONS, hidden))
        nn.init.xavier_uniform_(self.initial)
        self.lstm = nn.LSTM(
            inputs, hidden, LAYERS, batch_first=True, dropout=dropout, bidirectional=True
        )
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(inputs + outputs, outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(N, T, inputs), zero where absent, and (N, T) bool -> (N, T, outputs), the same."""
        h, c = self.initial.unsqueeze(1).expand(-1, x.shape[0], -1).contiguous().chunk(2)
        # A row without any step still takes one, of zeros; what it gives is masked below.
        lengths = series_lengths(mask).clamp(min=1)
        if torch.compiler.is_exporting():
            y = self._unpacked(x, lengths, h, c)
        elif bool((lengths == mask.shape[1]).all()):
            y, _ = self.lstm(x, (h, c))
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            packed, _ = self.lstm(packed, (h, c))
            y, _ = pad_packed_sequence(packed, batch_first=True, total_length=mask.shape[1])
        y = self.linear(self.dropout(torch.cat((x, y), -1)))
        return F.normalize(y, dim=-1) * mask.unsqueeze(-1)

    def _unpacked(self, x: Tensor, lengths: Tensor, h: Tensor, c: Tensor) -> Tensor:
        """What the LSTM gives of packed series, by operations that a graph has.

        Against time a series is turned around within its own length.
        """
        steps = torch.arange(x.shape[1], device=x.device)
        turned = (lengths.unsqueeze(1) - 1 - steps).clamp(min=0).unsqueeze(-1)
        weights = self.lstm.all_weights  # of a layer forwards, then of the same backwards
        for layer in range(LAYERS):
            sides = []
            for k in range(DIRECTIONS * layer, DIRECTIONS * (layer + 1)):
                backwards = k % DIRECTIONS == 1
                own = x.gather(1, turned.expand(-1, -1, x.shape[-1])) if backwards else x
                y, *_ = torch.lstm(
                    own,
                    (h[k : k + 1], c[k : k + 1]),
                    tuple(weights[k]),
                    True,  # biases
                    1,  # layers
                    0.0,  # dropout
                    False,  # training
                    False,  # both directions
                    True,  # batch first
                )
                sides.append(y.gather(1, turned.expand(-1, -1, y.shape[-1])) if backwards else y)
            x = torch.cat(sides, -1)
        return x
