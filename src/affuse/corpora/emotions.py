"""The same emotions under the names that corpora give them."""

from __future__ import annotations

from collections.abc import Sequence

#: Emotion -> its names in corpora; calm, which only RAVDESS acts, counts as neutral.
EMOTIONS: dict[str, tuple[str, ...]] = {
    "neutral": ("neutral", "calm"),
    "happy": ("happy", "happiness"),
    "sad": ("sad", "sadness"),
    "angry": ("angry", "anger"),
    "fearful": ("fearful", "fear"),
    "disgust": ("disgust",),
    "surprised": ("surprised", "surprise"),
}


def shared_words(classes: Sequence[str]) -> dict[str, str]:
    """Class -> emotion, of the classes that are an emotion by another name."""
    names = {name: emotion for emotion, names in EMOTIONS.items() for name in names}
    return {name: names[name] for name in classes if names.get(name, name) != name}


def shared_emotions(*classes: Sequence[str]) -> dict[str, list[list[int]]]:
    """Emotions that several lists of classes all have.

    Args:
        classes: Lists of class names.

    Returns:
        Emotion -> for each list, the indices of the classes that are it.
    """
    found = {
        emotion: [[k for k, name in enumerate(own) if name in names] for own in classes]
        for emotion, names in EMOTIONS.items()
    }
    return {emotion: rows for emotion, rows in found.items() if all(rows)}
