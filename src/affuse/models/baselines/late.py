"""Late (decision) fusion: either modality decides, and the decisions are joined."""

from __future__ import annotations

from affuse.features.batch import Batch
from affuse.models.base import Output
from affuse.models.baselines.modality_encoder import BimodalModel


class LateFusion(BimodalModel):
    """`late`: the product of what the modalities say, an absent one saying nothing.

    Values such as valence and arousal are averaged instead. `Output.auxiliary` holds what each
    modality says alone (`audio`, `video`).

    Options are those of `BimodalModel`.

    Source: Hinton, Products of experts, 1999, without a joint normalisation while training.
    """

    def forward(self, batch: Batch) -> Output:
        """Sum of log-probabilities, or mean of values; all zero where nothing is present."""
        audio, heard = self.embed(self.audio, batch)
        video, seen = self.embed(self.video, batch)
        says = {"audio": self.audio.classifier(audio), "video": self.video.classifier(video)}
        if self.head == "classes":
            joined = (
                says["audio"].float().log_softmax(-1) * heard
                + says["video"].float().log_softmax(-1) * seen
            )
        else:
            voices = (heard.long() + seen.long()).clamp(min=1)
            joined = (says["audio"] * heard + says["video"] * seen) / voices
        return self.answer(joined, heard | seen, says)
