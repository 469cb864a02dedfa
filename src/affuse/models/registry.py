"""Every model by name. Importing this imports no model and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from affuse.errors import AffuseError
from affuse.models.options import check_options, unknown

if TYPE_CHECKING:
    from affuse.features.stream import StreamSpec
    from affuse.models.base import Model

CLASSIFICATION = "classification"
VALENCE_AROUSAL = "valence-arousal"
CHUMACHENKO = "Chumachenko, Iosifidis and Gabbouj, ICPR 2022"
AUXFORMER = "Goncalves and Busso, ICASSP 2022"

LEADER_FOLLOWER = "Zhang, Ding, Wei and Guan, ICCVW 2021"


@dataclass(frozen=True)
class ModelEntry:
    """What `list models` says about a model.

    Args:
        target: `module:Class`.
        summary: What it is, in a line.
        modalities: Modalities that it reads.
        task: What it predicts.
        paper: Where it comes from; empty for our own.
        licence: Licence of the reference code; empty where there is none.
    """

    target: str
    summary: str
    modalities: tuple[str, ...] = ("audio", "video")
    task: str = CLASSIFICATION
    paper: str = ""
    licence: str = ""

    def load(self) -> type[Model]:
        """Import the class."""
        module, name = self.target.split(":")
        return getattr(import_module(module), name)


MODELS: dict[str, ModelEntry] = {
    "audio-only": ModelEntry(
        "affuse.models.unimodal:AudioOnly", "one audio stream alone", ("audio",)
    ),
    "video-only": ModelEntry(
        "affuse.models.unimodal:VideoOnly", "one video stream alone", ("video",)
    ),
    "late": ModelEntry(
        "affuse.models.late:LateFusion", "the decisions of both, multiplied (product of experts)"
    ),
    "concat": ModelEntry(
        "affuse.models.concatenation:Concatenation", "pooled features of both, side by side"
    ),
    "early": ModelEntry(
        "affuse.models.early:EarlyFusion", "features of both, side by side in every frame"
    ),
    "gated": ModelEntry(
        "affuse.models.gated:GatedFusion", "pooled features of both, weighed by a gate"
    ),
    "crossmodal": ModelEntry(
        "affuse.models.crossmodal:CrossModal", "transformers across modalities (MulT style)"
    ),
    "chumachenko-lt": ModelEntry(
        "affuse.models.chumachenko:LateTransformer",
        "cross-modal transformer after the branches",
        paper=CHUMACHENKO,
        licence="MIT",
    ),
    "chumachenko-it": ModelEntry(
        "affuse.models.chumachenko:IntermediateTransformer",
        "cross-modal transformer inside the branches",
        paper=CHUMACHENKO,
        licence="MIT",
    ),
    "chumachenko-ia": ModelEntry(
        "affuse.models.chumachenko:IntermediateAttention",
        "frames weighted by the attention of the other modality",
        paper=CHUMACHENKO,
        licence="MIT",
    ),
    "avtca": ModelEntry(
        "affuse.models.avtca:AVTCA",
        "chumachenko-it, and self-attention after both branches, as released",
        paper="AVT-CA, 2024",
        licence="MIT",
    ),
    "avtca-paper": ModelEntry(
        "affuse.models.avtca:AVTCAPaper",
        "an interpretation of the diagram of AVT-CA",
        paper="AVT-CA, 2024",
        licence="MIT",
    ),
    "efficientface": ModelEntry(
        "affuse.models.frames:EfficientFaceFrames",
        "a picture classifier on every frame, mean over time",
        ("video",),
        paper="Zhao, Liu and Zhou, AAAI 2021",
        licence="MIT",
    ),
    "ir50": ModelEntry(
        "affuse.models.frames:IR50Frames",
        "IR-50 on every small picture, mean over time",
        ("video",),
        paper=LEADER_FOLLOWER,
        licence="none",
    ),
    "vggish": ModelEntry(
        "affuse.models.embedding:VGGishFeatures",
        "128 features for every second of sound or so",
        ("audio",),
        "embedding",
        "Hershey et al., ICASSP 2017",
        "Apache-2.0",
    ),
    "leader-follower": ModelEntry(
        "affuse.models.leader_follower:LeaderFollower",
        "faces lead, streams of sound follow: attention across streams in every frame",
        task="valence-arousal",
        paper=LEADER_FOLLOWER,
        licence="none",
    ),
    "leader-follower-visual": ModelEntry(
        "affuse.models.leader_follower:LeaderVisual",
        "the leader of leader-follower alone",
        ("video",),
        "valence-arousal",
        LEADER_FOLLOWER,
        "none",
    ),
    "rjca": ModelEntry(
        "affuse.models.rjca:RecursiveJointAttention",
        "co-attention with joint features between BLSTMs, as released",
        task=VALENCE_AROUSAL,
        paper="Praveen, Granger and Cardinal, ICASSP 2023",
    ),
    "rjca-paper": ModelEntry(
        "affuse.models.rjca_paper:PaperJointAttention",
        "recursive joint attention by the paper's formula",
        task=VALENCE_AROUSAL,
        paper="Praveen, Granger and Cardinal, ICASSP 2023",
    ),
    "jca": ModelEntry(
        "affuse.models.rjca:JointCrossAttention",
        "co-attention with joint features before a BLSTM, as released",
        task=VALENCE_AROUSAL,
        paper="Praveen, Cardinal and Granger, IEEE TBIOM 2023",
    ),
    "tsav": ModelEntry(
        "affuse.models.tsav:TwoStreamAuralVisual",
        "a residual network over the spectrogram, one over the pictures of a clip",
        paper="Kuhnke, Rumberg and Ostermann, FG 2020",
        licence="MIT",
    ),
    "auxformer": ModelEntry(
        "affuse.models.auxformer:AuxFormer",
        "cross-modal transformer, and one per modality; mean of three decisions",
        paper=AUXFORMER,
        licence="MIT",
    ),
    "auxformer-icassp": ModelEntry(
        "affuse.models.auxformer:AuxFormerICASSP",
        "the same in the size of its first release",
        paper=AUXFORMER,
        licence="MIT",
    ),
}


def list_models() -> dict[str, ModelEntry]:
    """Every model: name -> entry."""
    return dict(MODELS)


def create_model(
    name: str, streams: Mapping[str, StreamSpec], outputs: int, **options: Any
) -> Model:
    """Build a model with fresh weights.

    Args:
        name: One of `list_models()`.
        streams: The streams that it reads, by name.
        classes: Number of classes.
        options: Keyword-only parameters of its class.

    Raises:
        AffuseError: No such model or option, or a modality without a stream.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    entry = MODELS[name]
    given = {spec.modality for spec in streams.values()}
    for modality in entry.modalities:
        if modality not in given:
            listed = ", ".join(streams) or "none"
            raise AffuseError(f"model {name} needs a stream of {modality}; given: {listed}")
    build = entry.load()
    check_options(f"model {name}", build, options)
    return build(streams, outputs, **options)
