"""Late (decision) fusion: either modality decides, and the decisions are multiplied."""

from __future__ import annotations

from affuse.features.batch import Batch
from affuse.models.base import Output
from affuse.models.branch import TwoBranches


class LateFusion(TwoBranches):
    """`late`: the product of what the modalities say, an absent one saying nothing.

    `Output.auxiliary` holds what each modality says alone (`audio`, `video`).

    Options are those of `TwoBranches`.

    Source: Hinton, Products of experts, 1999, without a joint normalisation while training.
    """

    def forward(self, batch: Batch) -> Output:
        """Sum of log-probabilities; all zero where nothing is present."""
        audio, heard = self.audio.embed(batch)
        video, seen = self.video.embed(batch)
        says = {"audio": self.audio.classifier(audio), "video": self.video.classifier(video)}
        return Output(
            says["audio"].float().log_softmax(-1) * heard
            + says["video"].float().log_softmax(-1) * seen,
            says,
        )
