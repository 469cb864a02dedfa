"""The checks by name. Importing this imports no check and no torch."""

from __future__ import annotations

from dataclasses import dataclass

from affuse.registry import Entry, Registry

_HERE = "affuse.evaluation.checks"


@dataclass(frozen=True)
class CheckEntry(Entry):
    """A check: a function of what is examined, and of `arguments`; `summary` is its question.

    Args:
        group: Under which it is listed.
    """

    group: str = ""


def _stays(question: str, change: str) -> CheckEntry:
    """Whether outputs stay what they are where recordings are changed."""
    target = f"{_HERE}.consistency:under_change"
    return CheckEntry(target, question, {"change": change}, group="consistency")


def _loss(question: str, change: str) -> CheckEntry:
    """Whether accuracy stays about what it is where recordings are changed."""
    target = f"{_HERE}.consistency:loss_under_change"
    return CheckEntry(target, question, {"change": change}, group="robustness")


def _check(group: str, target: str, question: str, **arguments: object) -> CheckEntry:
    return CheckEntry(f"{_HERE}.{target}", question, arguments, group=group)


#: What clips are grouped by -> the same in words, for questions.
_GROUPINGS = {
    "sex": "the sex of the speaker",
    "age": "the age of the speaker",
    "race": "the race of the speaker, as the corpus calls it",
    "ethnicity": "the ethnicity of the speaker, as the corpus calls it",
    "kind": "the language or kind of recording",
    "intensity": "how strongly the emotion was acted",
    "corpus": "the corpus",
    "sentence": "the sentence that is said",
    "face size": "how large the face is",
}


def _of_groups() -> dict[str, CheckEntry]:
    found = {}
    for name, words in _GROUPINGS.items():
        found[f"fair-{name.replace(' ', '-')}"] = _check(
            "fairness",
            "groups:quality_by",
            f"Is the model as often right whatever {words}?",
            grouping=name,
        )
        found[f"fair-{name.replace(' ', '-')}-recall"] = _check(
            "fairness",
            "groups:recall_by",
            f"Is every emotion found as often whatever {words}?",
            grouping=name,
        )
    return found


CHECKS: Registry[CheckEntry] = Registry(
    "check",
    {
        "uar": _check(
            "correctness",
            "correctness:recall_above_chance",
            "Is the model more often right than one that guesses?",
        ),
        "recall": _check(
            "correctness",
            "correctness:recall_of_each",
            "Is every emotion found more often than by guessing?",
        ),
        "precision": _check(
            "correctness",
            "correctness:precision_of_each",
            "When an emotion is named, is that right in half of the cases at least?",
        ),
        "ccc": _check(
            "correctness",
            "correctness:agreement_above_chance",
            "Do values follow the annotation more than those of a model that guesses?",
        ),
        "balance": _check(
            "correctness",
            "correctness:balance",
            "Is every emotion named as often as it occurs, and are values right on average?",
        ),
        "speaker-ranking": _check(
            "speakers",
            "speakers:ranking",
            "Are speakers who show more of an emotion given more of it?",
        ),
        "speaker-average": _check(
            "speakers",
            "speakers:average",
            "Is the mean output of every speaker near what is true of them?",
        ),
        **_of_groups(),
        "louder": _stays("Does the output stay where the sound is 6 dB louder?", "gain=6"),
        "quieter": _stays("Does the output stay where the sound is 12 dB quieter?", "gain=-12"),
        "white-noise": _stays(
            "Does the output stay with white noise 30 dB below the sound?", "white-noise=30"
        ),
        "codec": _stays("Does the output stay where the sound is coded by Opus?", "codec=32"),
        "darker": _stays("Does the output stay with half of the light?", "darkness=1"),
        "shift": _check(
            "consistency",
            "consistency:later",
            "Does the output stay where the clip begins 0.2 s later?",
        ),
        "mirrored": _check(
            "consistency",
            "consistency:of_images",
            "Does the output stay where face images are mirrored?",
            how="mirrored",
        ),
        "cropped": _check(
            "consistency",
            "consistency:of_images",
            "Does the output stay where 5 % of each border of face images is cut off?",
            how="cropped",
        ),
        "moved": _check(
            "consistency",
            "consistency:of_images",
            "Does the output stay where face images are moved by 5 %?",
            how="moved",
        ),
        "audio-features": _check(
            "consistency",
            "consistency:of_features",
            "Does the output stay with noise 30 dB below the features of the sound?",
            modality="audio",
            snr=30.0,
        ),
        "video-features": _check(
            "consistency",
            "consistency:of_features",
            "Does the output stay with noise 30 dB below the features of the images?",
            modality="video",
            snr=30.0,
        ),
        "lost-frames": _check(
            "consistency",
            "consistency:of_lost_frames",
            "Does the output stay where one of ten images is lost?",
            share=0.1,
        ),
        "telephone": _loss("Is the model about as often right by telephone?", "telephone=8"),
        "room": _loss("Is the model about as often right in a room that echoes?", "room=0.5"),
        "silence": _check(
            "nothing", "nothing:silence", "Is nothing said of silence, or that nobody is heard?"
        ),
        "no-speech": _check(
            "nothing", "nothing:no_speech", "Is nothing said of sounds in which nobody speaks?"
        ),
        "black-image": _check(
            "nothing", "nothing:black_image", "Is nothing said of an image without a face?"
        ),
        "batch": _check(
            "independence",
            "independence:of_batch",
            "Is the output of a clip the same whatever clips are predicted with it?",
        ),
        "order": _check(
            "independence",
            "independence:of_order",
            "Is the output of a clip the same whatever was predicted before?",
        ),
        "threads": _check(
            "independence",
            "independence:of_threads",
            "Is the output the same with one thread and with two?",
        ),
        "device": _check(
            "independence",
            "independence:of_device",
            "Is the output the same on the CPU and on another device?",
        ),
        "absent": _check(
            "independence",
            "independence:of_absent",
            "Is a modality whose frames are marked as absent the same as none?",
        ),
        "empty": _check(
            "independence",
            "independence:of_nothing",
            "Is the output a number where nothing is heard or seen?",
        ),
    },
    listed_by="affuse check-model --list",
)
