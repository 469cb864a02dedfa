"""The parts of a recipe: dropout, augmentation, optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Dropout:
    """Modality dropout while training.

    Args:
        kind: `softhard` (four copies of the batch: as it is, the modalities scaled by alpha and
            1 - alpha, sound gone, image gone), `noise` (three copies: as it is, sound replaced
            by N(0, 1), image replaced), `drop` (each clip loses sound or image with a
            probability, the batch does not grow), `batch` (the same for all clips of a batch
            together, as published for AuxFormer), `none`.
        masks: Whether a modality that is gone is absent by its mask, or zero-filled
            input (the published semantics), for `softhard` and `batch`.
        probability: Of losing one modality, for `drop` and `batch`.
    """

    kind: Literal["softhard", "noise", "drop", "batch", "none"] = "none"
    masks: bool = True
    probability: float = 0.5


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training clips, all off by default, named as in kornia and audiomentations.

    Args:
        horizontal_flip: Probability of mirroring all images of a clip.
        rotation: Largest angle in degrees by which all images of a clip are turned.
        shift: Largest shift of the window in seconds, either way, beyond the free room of long
            clips.
        adjust_duration: Probability that only a stretch of a window is left, the same of all
            streams: its length uniform between half a second and what the clip has in the window,
            its place uniform. Streams of one row per clip or of a fixed span stay whole. Needs a
            task of classes.
        gain: Standard deviation of a value added to whole log spectra (normalised units).
        gaussian_noise: Standard deviation of noise added to vectors (normalised units).
        time_stretch: Largest relative change of the tempo of spectra.
        pitch_shift: Largest relative stretch, and shift in half widths, of the mel axis of spectra.
        frequency_masks: Widths, in bands, up to which a stretch of a spectrum is blanked.
        time_masks: Widths, in frames, up to which a stretch of a spectrum is blanked.
        parametric_eq: Standard deviation of a slope and a bend over the bands of a spectrum, as
            another microphone has them (normalised units at the ends).
        background_noise: Probability that a spectrum gets a background: noise of any colour, 0 to
            30 dB below its loud frames.
        room_simulator: Probability that a spectrum is heard in a room, its energy dying away over
            0.2 to 1 s, the highs up to twice as fast.
        band_pass_filter: Probability that the bands above a frequency of 3 to 7 kHz are lost, as by
            telephones and codecs; in half of these also those below one of 100 to 350 Hz.
        outlier_exposure: Probability that a clip is replaced by what shows no emotion (noise or
            silence, an image of no face) and is to be learned as all classes alike; needs a task
            of classes.
        mixup: Parameter of the Beta distribution of mixup; 0 for none.
        scale: Largest relative change of the size of images.
        translate: Largest shift of images, as a part of their width, either way.
        color_jitter: Largest relative change of the contrast of images, and of their brightness in
            normalised units.
        gaussian_blur: Largest standard deviation, in pixels, of a blur; half of the clips stay
            sharp.
        jpeg: Probability of the artefacts of a low bit rate (8 x 8 blocks as in JPEG).
        erasing: Side of a square that is blanked in half of the clips, as a part of the width.
        crop: Pixels by which all images of a clip are moved at most, either way; what leaves the
            image is lost. A model that reads the middle of images then sees random crops.
    """

    horizontal_flip: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    adjust_duration: float = 0.0
    gain: float = 0.0
    gaussian_noise: float = 0.0
    time_stretch: float = 0.0
    pitch_shift: float = 0.0
    frequency_masks: tuple[int, ...] = ()
    time_masks: tuple[int, ...] = ()
    parametric_eq: float = 0.0
    background_noise: float = 0.0
    room_simulator: float = 0.0
    band_pass_filter: float = 0.0
    outlier_exposure: float = 0.0
    mixup: float = 0.0
    scale: float = 0.0
    translate: float = 0.0
    color_jitter: float = 0.0
    gaussian_blur: float = 0.0
    jpeg: float = 0.0
    erasing: float = 0.0
    crop: int = 0


#: Keys of recipes that earlier versions of affuse wrote -> what they are called now.
RENAMED_KEYS = {
    f"augmentation.{old}": f"augmentation.{new}"
    for old, new in {
        "flip": "horizontal_flip",
        "noise": "gaussian_noise",
        "speed": "time_stretch",
        "pitch": "pitch_shift",
        "tilt": "parametric_eq",
        "background": "background_noise",
        "room": "room_simulator",
        "band": "band_pass_filter",
        "nothing": "outlier_exposure",
        "zoom": "scale",
        "place": "translate",
        "light": "color_jitter",
        "blur": "gaussian_blur",
        "blocks": "jpeg",
        "erase": "erasing",
        "jitter": "crop",
    }.items()
}


@dataclass(frozen=True)
class Optimiser:
    """How weights move.

    Args:
        name: `adamw`, `sgd` or `adam`.
        lr: Learning rate (its peak).
        backbone_lr: That of what the recipe's `backbone` gives; by default the same.
        weight_decay: On all weights as published for `sgd` and `adam` (as part of the gradient);
            for `adamw` not on biases and norms.
        momentum: For `sgd`.
        dampening: For `sgd`.
        schedule: `cosine` (linear warm-up, then half a cosine to zero, per step), `steps` (times
            0.1 at each of the `steps`, per epoch), `plateau` (see `Plateau`) or `constant`.
        warmup: Share of all steps that warm up, for `cosine`.
        steps: Epochs, counted from 1, from which on the rate is ten times lower.
        clip: Largest norm of the gradient; 0 for no limit.
    """

    name: Literal["adamw", "sgd", "adam"] = "adamw"
    lr: float = 1e-3
    backbone_lr: float | None = None
    weight_decay: float = 1e-2
    momentum: float = 0.9
    dampening: float = 0.0
    schedule: Literal["cosine", "steps", "plateau", "constant"] = "cosine"
    warmup: float = 0.1
    steps: tuple[int, ...] = ()
    clip: float = 0.0


@dataclass(frozen=True)
class Plateau:
    """What `optimiser.schedule: plateau` does when the development score stops rising.

    Args:
        factor: On the rate, after more than `patience` epochs without a better score.
        patience: Epochs.
        lowest: Where the rate falls below this, the next group of the backbone is released, the
            optimiser starts again, and the rate with it; without a group left training ends.
        releases: How many groups of an IR-50 backbone are released, the first at the start; all
            else of the backbone is never trained. 0 trains everything from the start.
        reload: Begin every epoch with the weights of the best one so far, as published.
        stop: Epochs without a better score, released groups or not, after which training ends.
        reset: Whether a release forgets the epochs counted for `stop`.

    Source: leader-follower attentive fusion (ICCVW 2021), released code.
    """

    factor: float = 0.1
    patience: int = 5
    lowest: float = 1e-6
    releases: int = 0
    reload: bool = False
    stop: int = 20
    reset: bool = True
