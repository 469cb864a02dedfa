"""VGGish: a network for sounds (Hershey et al., CNN architectures for audio, ICASSP 2017)."""

from __future__ import annotations

from torch import Tensor, nn

FRAMES, MELS = 96, 64
FEATURES = 128


class VGGish(nn.Module):
    """Examples of 0.96 s of sound to vectors, before any activation or quantisation."""

    outputs = FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential()
        inputs = 1
        for width, convolutions in ((64, 1), (128, 1), (256, 2), (512, 2)):
            for _ in range(convolutions):
                self.features.append(nn.Conv2d(inputs, width, 3, padding=1))
                self.features.append(nn.ReLU(inplace=True))
                inputs = width
            self.features.append(nn.MaxPool2d(2))
        self.embeddings = nn.Sequential(
            nn.Linear(inputs * (FRAMES // 16) * (MELS // 16), 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, FEATURES),
        )

    def forward(self, examples: Tensor) -> Tensor:
        """Feature vectors.

        Args:
            examples: (N, 96, 64) float, log-mel spectrograms (time, mel) at 100 Hz.

        Returns:
            (N, 128).

        Raises:
            ValueError: The examples have another size; the last layers are made for this one.
        """
        if examples.shape[1:] != (FRAMES, MELS):
            raise ValueError(f"VGGish takes examples (N, 96, 64), not {tuple(examples.shape)}")
        # With the strides of channels-last, a fifth faster on a CPU than with those of one channel.
        x = self.features(examples.unsqueeze(3).movedim(3, 1))
        # The published weights are for channels after time and mel.
        return self.embeddings(x.permute(0, 2, 3, 1).flatten(1))
