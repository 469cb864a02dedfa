"""`affuse combine`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    for modality, what in (("audio", "hears"), ("video", "sees")):
        parser.add_argument(
            f"--{modality}",
            type=Path,
            required=True,
            metavar="RUN",
            help=f"run of a model {modality}-only: the part that {what}",
        )
        parser.add_argument(
            f"--{modality}-held-back",
            type=Path,
            nargs="+",
            default=(),
            metavar="CSV",
            help="predictions.csv of clips not seen in training, to calibrate on; several count "
            "alike (default: that of affuse evaluate RUN --role development)",
        )
    parser.add_argument(
        "--ratings",
        type=Path,
        metavar="STORE",
        help="store of a corpus with ratings of clips, such as valence: learned from the face too",
    )
    parser.add_argument(
        "--sounds",
        type=Path,
        metavar="STORE",
        help="store of sounds in which nobody is heard: the model learns to say when there is no "
        "voice (affuse synth sounds, affuse prepare folder)",
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="round matrices and kernels to float16, for a smaller file",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="model file to write (.safetensors)"
    )


def run(options: argparse.Namespace) -> int:
    """Combine, and say how sure the parts and both together are."""
    from affuse.evaluation.combine import Part, combine

    audio = Part(options.audio, options.audio_held_back)
    video = Part(options.video, options.video_held_back)
    found = combine(audio, video, options.out, options.ratings, options.sounds, options.half)
    print(f"{options.out}: {', '.join(found.classes)}")
    print(f"{'calibrated':12}{'temperature':>12}{'NLL':>8}{'ECE':>8}{'confidence':>12}")
    for name, scores in found.calibration.items():
        print(
            f"{name:12}{found.temperatures[name]:12.3f}{scores.nll:8.3f}{scores.ece:8.3f}"
            f"{scores.confidence:12.3f}"
        )
    for name, score in found.ratings.items():
        print(f"{name}: CCC {score:.3f} in cross-validation")
    if (voices := found.voices) is not None:
        print(
            f"voice: heard in {voices.found:.1%} of clips of speech, and in {voices.mistaken:.1%} "
            f"of {voices.facts['clips']} other sounds, in cross-validation"
        )
    return 0
