"""IR-50: a face recognition network for small images (Deng et al., ArcFace, CVPR 2019).

In the form of Zhang et al. (Audio-visual attentive fusion, ABAW2, ICCVW 2021): images of 40 x 40
pixels, trained on face identities and then on facial expressions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.batch_norm import BatchNorm2d
from affuse.models.layers.dropout import Dropout
from affuse.models.layers.temporal import masked_norm

SIZE = 40
FEATURES = 512

#: Channels and number of the units of every stage; all stages but the first halve the image.
STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))


class SqueezeExcitation(nn.Module):
    """Scales the channels of a map by a gate that sees their means.

    Args:
        channels: Channels of the map.
        reduction: Channels per hidden unit of the gate.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class ResidualUnit(nn.Module):
    """Two convolutions and a shortcut, without an activation after their sum.

    Args:
        inputs: Channels in.
        outputs: Channels out; more than `inputs` halves the map.
        squeeze_excitation: Whether a gate scales the channels before the sum.
    """

    def __init__(self, inputs: int, outputs: int, squeeze_excitation: bool) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.residual = nn.Sequential(
            BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            BatchNorm2d(outputs),
        )
        if squeeze_excitation:
            self.residual.append(SqueezeExcitation(outputs))
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        return self.residual(x) + self.shortcut(x)


class IR50(nn.Module):
    """Images of faces to unit vectors.

    Args:
        squeeze_excitation: Whether the units have gates (the variant IR-SE-50).
    """

    outputs = FEATURES

    def __init__(self, squeeze_excitation: bool = False) -> None:
        super().__init__()
        channels = STAGES[0][0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 1, 1, bias=False),
            BatchNorm2d(channels),
            nn.PReLU(channels),
        )
        self.body = nn.Sequential()
        for width, units in STAGES:
            for _ in range(units):
                self.body.append(ResidualUnit(channels, width, squeeze_excitation))
                channels = width
        self.head = nn.Sequential(
            BatchNorm2d(channels),
            Dropout(0.4),
            nn.Flatten(),
            nn.Linear(channels * (SIZE // 8) ** 2, FEATURES),
        )
        self.norm = nn.BatchNorm1d(FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        """Feature vectors.

        Args:
            images: (N, 3, 40, 40) float, RGB in [-1, 1].

        Returns:
            (N, 512), of length one.

        Raises:
            ValueError: The images have another size; the last layer is made for this one.
        """
        if images.shape[1:] != (3, SIZE, SIZE):
            raise ValueError(f"IR-50 takes images (N, 3, 40, 40), not {tuple(images.shape)}")
        x = self.head(self.body(self.stem(images))).unsqueeze(-1)
        present = torch.ones(x.shape[0], 1, dtype=torch.bool, device=x.device)
        return F.normalize(masked_norm(self.norm, x, present).squeeze(-1), eps=1e-12)


def middle(images: Tensor) -> Tensor:
    """The middle 40 x 40 pixels of images (..., H, W) of 40 pixels or more."""
    top, left = ((side - SIZE) // 2 for side in images.shape[-2:])
    return images[..., top : top + SIZE, left : left + SIZE]


def release_groups(model: nn.Module) -> list[list[str]]:
    """The weights of IR-50 that training releases one group after the other; no others.

    Args:
        model: IR-50, or a model that reads images with one, such as the leader-follower models;
            of several the first.

    Returns:
        Names of the parameters of each group, as the model has them, in the order of release:
        the head, the last stage, and the last units before it. Empty where there is no IR-50.

    Source: leader-follower attentive fusion (ICCVW 2021), released code.
    """
    net = next((module for module in model.modules() if isinstance(module, IR50)), None)
    if net is None:
        return []
    stage = STAGES[-1][1]
    # Published as ranges of parameters, which hold one unit less where units have gates.
    before = 2 if any(isinstance(module, SqueezeExcitation) for module in net.modules()) else 3
    units = list(net.body)
    groups = ([net.head, net.norm], units[-stage:], units[-stage - before : -stage])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [[names[id(x)] for part in group for x in part.parameters()] for group in groups]
