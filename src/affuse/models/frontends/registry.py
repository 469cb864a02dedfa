"""The front-ends by name, and which one suits a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import SIZE
from affuse.models.backbones.ir50 import SIZE as IR50_SIZE
from affuse.models.backbones.vggish import FRAMES, MELS
from affuse.models.frontends.front_end import FrontEnd
from affuse.models.layers.alignment import Clock
from affuse.models.options import check_options
from affuse.registry import Entry, Registry

FRONTENDS: Registry[Entry] = Registry(
    "front-end",
    {
        "mfcc-conv": Entry("affuse.models.frontends.sound:MFCCConv"),
        "efficientface": Entry("affuse.models.frontends.images:EfficientFaceConv"),
        "ir50": Entry("affuse.models.frontends.images:IR50Vectors"),
        "vggish": Entry("affuse.models.frontends.sound:VGGishVectors"),
        "face-cnn": Entry("affuse.models.frontends.images:FaceConv"),
        "face-resnet": Entry("affuse.models.frontends.images:FaceResNetVectors"),
        "logmel-cnn": Entry("affuse.models.frontends.sound:LogMelCNN"),
        "sequence": Entry("affuse.models.frontends.vectors:SequenceConv"),
        "vectors": Entry("affuse.models.frontends.vectors:Vectors"),
        "dense": Entry("affuse.models.frontends.vectors:Dense"),
        "layers": Entry("affuse.models.frontends.sound:Layers"),
    },
    group="affuse.frontends",
    listed_by="affuse list frontends",
)


def default_frontend(spec: StreamSpec) -> str:
    """The name of the front-end that suits a stream."""
    if spec.is_picture:
        sides = {IR50_SIZE: "ir50", SIZE: "efficientface"}
        return (
            sides.get(spec.shape[0], "face-cnn") if spec.shape[0] == spec.shape[1] else "face-cnn"
        )
    if spec.modality == "audio" and spec.shape == (FRAMES, MELS):
        return "vggish"
    if spec.kind == "scores":
        return "vectors"
    if spec.kind == "spectrum":
        return "logmel-cnn"
    if spec.kind == "maps" and len(spec.shape) == 2:
        return "layers"
    # what the published network for ten MFCCs would do to other vectors, nobody knows
    return "mfcc-conv" if spec.name.startswith("audio/mfcc10") else "sequence"


FrontEndChoice = str | Mapping[str, Any] | None


def build_frontend(
    spec: StreamSpec, choice: FrontEndChoice = None, plain: bool = False
) -> FrontEnd:
    """A front-end for a stream.

    Args:
        spec: The stream that it reads.
        choice: Its name, or a mapping with `name` and its options; what is left out is the
            default.
        plain: Hand vectors on as they are, unless another front-end is chosen: for models that
            learn over time themselves.

    Raises:
        AffuseError: No such front-end or option, or it cannot read this stream.
    """
    options = {"name": choice} if isinstance(choice, str) else dict(choice or {})
    default = "vectors" if plain and spec.is_flat else default_frontend(spec)
    name = options.pop("name", None) or default
    build: type[FrontEnd] = FRONTENDS[name].load()
    check_options(f"front-end {name}", build, options)
    frontend = build(spec, **options)
    frontend.clock = Clock(spec.name, spec.rate, frontend.stride, frontend.lead)
    return frontend
