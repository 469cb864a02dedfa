"""Every model by name. Importing this imports no model and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affuse.errors import AffuseError
from affuse.models.options import check_options, current_options
from affuse.registry import Entry, Registry

if TYPE_CHECKING:
    from affuse.features.stream import StreamSpec
    from affuse.models.base import Model

CLASSIFICATION, VALENCE_AROUSAL, EMBEDDING = "classification", "valence-arousal", "embedding"
CHUMACHENKO = "Chumachenko, Iosifidis and Gabbouj, ICPR 2022"
AUXFORMER = "Goncalves and Busso, ICASSP 2022"
LEADER_FOLLOWER = "Zhang, Ding, Wei and Guan, ICCVW 2021"
RJCA = "Praveen, Granger and Cardinal, ICASSP 2023"
NO_LICENCE = "none stated"

#: Small streams that anybody can compute; published systems name their own.
SMALL = ("audio/mfcc10", "video/faces48")
RAVDESS = ("audio/mfcc10-published", "video/faces224-published")
TSAV = ("audio/tsav", "video/tsav")


@dataclass(frozen=True)
class ModelEntry(Entry):
    """What `list models` says about a model.

    Args:
        modalities: Modalities that it reads; empty where only the class itself tells.
        task: What it is for; every model but an embedding can end in any head.
        streams: The streams that it was published on, or small ones; most models read any.
        parameters: Number of trainable values on these streams, with default options and 8 classes
            or 2 dimensions.
        paper: Where it comes from; empty for our own.
        licence: Licence of the reference code; empty where there is no such code.
    """

    modalities: tuple[str, ...] = ("audio", "video")
    task: str = CLASSIFICATION
    streams: tuple[str, ...] = SMALL
    parameters: int | None = None
    paper: str = ""
    licence: str = ""


def _published(
    target: str,
    summary: str,
    streams: tuple[str, ...],
    parameters: int,
    paper: str,
    licence: str,
    task: str = CLASSIFICATION,
) -> ModelEntry:
    """The entry of a model from a paper; it reads the modalities of its streams."""
    modalities = tuple(dict.fromkeys(name.split("/", 1)[0] for name in streams))
    return ModelEntry(
        target,
        summary,
        modalities=modalities,
        task=task,
        streams=streams,
        parameters=parameters,
        paper=paper,
        licence=licence,
    )


_OWN: dict[str, ModelEntry] = {
    "audio-only": ModelEntry(
        "affuse.models.baselines.unimodal:AudioOnly",
        "one audio stream alone",
        modalities=("audio",),
        streams=SMALL[:1],
        parameters=225_864,
    ),
    "video-only": ModelEntry(
        "affuse.models.baselines.unimodal:VideoOnly",
        "one video stream alone",
        modalities=("video",),
        streams=SMALL[1:],
        parameters=143_032,
    ),
    "early": ModelEntry(
        "affuse.models.baselines.early:EarlyFusion",
        "features of both, side by side in every frame",
        parameters=250_914,
    ),
    "concat": ModelEntry(
        "affuse.models.baselines.concatenation:Concatenation",
        "pooled features of both, side by side",
        parameters=398_952,
    ),
    "late": ModelEntry(
        "affuse.models.baselines.late:LateFusion",
        "the decisions of both, multiplied (product of experts)",
        parameters=368_896,
    ),
    "product": ModelEntry(
        "affuse.models.baselines.product:Product",
        "the decisions of any number of streams, multiplied; scores of other models, calibrated",
        parameters=368_896,
    ),
    "combined": ModelEntry(
        "affuse.models.baselines.combined:Combined",
        "a voice and a face model trained apart, calibrated (affuse combine)",
        parameters=368_896,
    ),
    "gated": ModelEntry(
        "affuse.models.baselines.gated:GatedFusion",
        "pooled features of both, weighed by a gate",
        parameters=427_656,
    ),
    "crossmodal": ModelEntry(
        "affuse.models.baselines.crossmodal:CrossModal",
        "transformers across modalities (MulT style)",
        parameters=650_104,
    ),
    "chumachenko-lt": _published(
        "affuse.models.systems.chumachenko.model:LateTransformer",
        "cross-modal transformer after the branches",
        RAVDESS,
        2_043_486,
        CHUMACHENKO,
        "MIT",
    ),
    "chumachenko-it": _published(
        "affuse.models.systems.chumachenko.model:IntermediateTransformer",
        "cross-modal transformer inside the branches",
        RAVDESS,
        1_936_350,
        CHUMACHENKO,
        "MIT",
    ),
    "chumachenko-ia": _published(
        "affuse.models.systems.chumachenko.model:IntermediateAttention",
        "frames weighted by the attention of the other modality",
        RAVDESS,
        1_815_646,
        CHUMACHENKO,
        "MIT",
    ),
    "avtca": _published(
        "affuse.models.systems.avtca.model:AVTCA",
        "chumachenko-it, and self-attention after both branches, as released",
        RAVDESS,
        2_002_398,
        "AVT-CA, 2024",
        "MIT",
    ),
    "avtca-paper": _published(
        "affuse.models.systems.avtca.model:AVTCAPaper",
        "an interpretation of the diagram of AVT-CA",
        RAVDESS,
        2_199_518,
        "AVT-CA, 2024",
        "MIT",
    ),
    "auxformer": _published(
        "affuse.models.systems.auxformer.model:AuxFormer",
        "cross-modal transformer, and one per modality; mean of three decisions",
        ("audio/wav2vec2", "video/emoca50"),
        1_163_016,
        AUXFORMER,
        "MIT",
    ),
    "auxformer-icassp": _published(
        "affuse.models.systems.auxformer.model:AuxFormerICASSP",
        "the same in the size of its first release",
        ("audio/opensmile130", "video/vggface"),
        7_039_416,
        AUXFORMER,
        "MIT",
    ),
    "rjca": _published(
        "affuse.models.systems.rjca.model:RecursiveJointAttention",
        "co-attention with joint features between BLSTMs, as released",
        TSAV,
        15_947_859,
        RJCA,
        NO_LICENCE,
        VALENCE_AROUSAL,
    ),
    "rjca-paper": _published(
        "affuse.models.systems.rjca.paper:PaperJointAttention",
        "recursive joint attention by the paper's formula",
        ("audio/tsav", "video/tsav-pooled"),
        12_552_706,
        RJCA,
        NO_LICENCE,
        VALENCE_AROUSAL,
    ),
    "jca": _published(
        "affuse.models.systems.rjca.model:JointCrossAttention",
        "co-attention with joint features before a BLSTM, as released",
        TSAV,
        8_586_323,
        "Praveen, Cardinal and Granger, IEEE TBIOM 2023",
        NO_LICENCE,
        VALENCE_AROUSAL,
    ),
    "leader-follower": _published(
        "affuse.models.systems.leader_follower.model:LeaderFollower",
        "faces lead, streams of sound follow: attention across streams in every frame",
        ("video/faces40", "audio/vggish", "audio/mfcc39"),
        38_376_546,
        LEADER_FOLLOWER,
        NO_LICENCE,
        VALENCE_AROUSAL,
    ),
    "leader-follower-visual": _published(
        "affuse.models.systems.leader_follower.model:LeaderVisual",
        "the leader of leader-follower alone",
        ("video/faces40",),
        38_252_610,
        LEADER_FOLLOWER,
        NO_LICENCE,
        VALENCE_AROUSAL,
    ),
    "tsav": _published(
        "affuse.models.systems.tsav.model:TwoStreamAuralVisual",
        "a residual network over the spectrogram, one over the images of a clip",
        ("audio/logmel64-tsav", "video/faces112"),
        42_478_565,
        "Kuhnke, Rumberg and Ostermann, FG 2020",
        "MIT",
    ),
    "efficientface": _published(
        "affuse.models.systems.efficientface.model:EfficientFaceFrames",
        "EfficientFace on every image, mean over time",
        ("video/faces224",),
        1_276_318,
        "Zhao, Liu and Zhou, AAAI 2021",
        "MIT",
    ),
    "ir50": _published(
        "affuse.models.systems.ir50.model:IR50Frames",
        "IR-50 on every small image, mean over time",
        ("video/faces40",),
        37_287_624,
        LEADER_FOLLOWER,
        NO_LICENCE,
    ),
    "vggish": _published(
        "affuse.models.systems.vggish.model:VGGishFeatures",
        "128 features for every second of sound or so",
        ("audio/logmel64-vggish",),
        72_141_184,
        "Hershey et al., ICASSP 2017",
        "Apache-2.0",
        EMBEDDING,
    ),
}


def _foreign(entry: Entry) -> ModelEntry:
    """The entry of another package's model, of which only the class is known."""
    return ModelEntry(entry.target, package=entry.package, modalities=(), streams=())


MODELS = Registry(
    "model", _OWN, group="affuse.models", listed_by="affuse list models", foreign=_foreign
)


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
        outputs: Number of classes or dimensions.
        options: Keyword-only parameters of its class.

    Raises:
        AffuseError: No such model or option, a value that an option cannot have, or a modality
            without a stream.
    """
    entry = MODELS[name]
    build: type[Model] = entry.load()
    given = {spec.modality for spec in streams.values()}
    for modality in entry.modalities or getattr(build, "modalities", ()):
        if modality not in given:
            listed = ", ".join(streams) or "none"
            raise AffuseError(f"model {name} needs a stream of {modality}; given: {listed}")
    options = current_options(options)
    check_options(f"model {name}", build, options)
    try:
        return build(streams, outputs, **options)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        raise AffuseError(f"model {name} cannot be built with these options: {error}") from error
