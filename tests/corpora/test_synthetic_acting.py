"""What synthetic voices and faces give away: each one half of the emotion, neither the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

pytest.importorskip("skimage", reason="synthetic faces need the demo extra")

from affuse.corpora.synthetic.acting import CYCLE, Actor, act, generator
from affuse.corpora.synthetic.face import Expression, Face, Pose, head_motion
from affuse.corpora.synthetic.portrait import Appearance
from affuse.corpora.synthetic.voice import SAMPLE_RATE, Manner, Speaker, Utterance, speak

SYLLABLES = [("d", "o"), ("z", "a"), ("s", "i"), ("t", "i"), ("b", "a"), ("d", "@"), ("d", "o")]
ACTORS, TAKES = 12, 2

Table = NDArray[np.float64]


def takes(measure: Callable[[Actor, str, int], Table]) -> tuple[Table, Table, Table, Table]:
    """Measurements, voice, face and actor of every take of every emotion by every actor."""
    rows, voices, faces, actors = [], [], [], []
    for number in range(ACTORS):
        actor = Actor.random(generator(0, "test", str(number)), female=number % 2 == 0)
        for emotion, (voice, face) in CYCLE.items():
            for take in range(TAKES):
                rows.append(measure(actor, emotion, take))
                voices.append(voice)
                faces.append(face)
                actors.append(number)
    return np.array(rows), np.array(voices), np.array(faces), np.array(actors)


def accuracy(rows: Table, labels: Table, actors: Table) -> float:
    """Of a linear classifier on actors that it was not fitted to."""
    model = make_pipeline(
        PCA(min(30, rows.shape[1]), whiten=True, random_state=0),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2),
    )
    return float(cross_val_score(model, rows, labels, groups=actors, cv=GroupKFold(6)).mean())


@cache
def say(actor: Actor, emotion: str, take: int) -> Utterance:
    rng = generator(1, emotion, str(take), str(actor.speaker.pitch))
    manner, _ = act(actor, emotion, 1, rng)
    return speak(actor.speaker, manner, SYLLABLES, 1.6, rng)


def hear(actor: Actor, emotion: str, take: int) -> Table:
    """Mean and deviation of a coarse log spectrum, pitch harmonics included."""
    audio = say(actor, emotion, take).audio[::4]
    frames = np.lib.stride_tricks.sliding_window_view(audio, 600)[::240] * np.hanning(600)
    power = np.log10(np.abs(np.fft.rfft(frames))[:, 2:130] ** 2 + 1e-5)
    return np.concatenate([power.mean(0), power.std(0)])


def watch_mouth(actor: Actor, emotion: str, take: int) -> Table:
    """Distribution and rhythm of the mouth's opening."""
    mouth = say(actor, emotion, take).mouth
    rhythm = np.abs(np.fft.rfft(mouth - mouth.mean(), 512))[1:26]
    return np.concatenate([np.percentile(mouth, [10, 30, 50, 70, 90]), rhythm])


def look(actor: Actor, emotion: str, take: int) -> Table:
    """The face at 48x48 in the middle of a take."""
    rng = generator(2, emotion, str(take), str(actor.speaker.pitch))
    _, expression = act(actor, emotion, 1, rng)
    face = Face(actor.appearance, rng, x=rng.uniform(-4, 4))
    grey = cv2.cvtColor(face.draw(expression, rng.uniform(0, 0.6), Pose()), cv2.COLOR_RGB2GRAY)
    width = round(58 * actor.appearance.scale * actor.appearance.aspect)
    height = round(62 * actor.appearance.scale)
    crop = grey[max(113 - height, 0) : 113 + height, 160 - width : 160 + width]
    small = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA)
    small = small.astype(np.float64)
    return ((small - small.mean()) / small.std()).ravel()


def test_neighbours_on_the_cycle_share_either_the_voice_or_the_face() -> None:
    emotions = list(CYCLE.values())
    for (voice, face), (next_voice, next_face) in zip(
        emotions, emotions[1:] + emotions[:1], strict=True
    ):
        assert (voice == next_voice) != (face == next_face)
    assert len(set(emotions)) == 8
    assert (
        sorted(v for v, _ in emotions) == sorted(f for _, f in emotions) == [0, 0, 1, 1, 2, 2, 3, 3]
    )


def test_the_voice_tells_its_groups_and_no_more() -> None:
    rows, voices, faces, actors = takes(hear)
    assert accuracy(rows, voices, actors) > 0.7  # chance is 0.25
    assert accuracy(rows, voices * 4 + faces, actors) < 0.6


def test_the_face_tells_its_groups_and_no_more() -> None:
    rows, voices, faces, actors = takes(look)
    assert accuracy(rows, faces, actors) > 0.7
    assert accuracy(rows, voices * 4 + faces, actors) < 0.6


def test_the_mouth_does_not_betray_the_voice() -> None:
    rows, voices, _, actors = takes(watch_mouth)
    assert accuracy(rows, voices, actors) < 0.4  # chance is 0.25


def test_a_voice_speaks_at_its_pitch() -> None:
    for pitch in (110.0, 210.0):
        said = speak(Speaker(pitch=pitch), Manner(range=-1.2), SYLLABLES, 2.0, generator(0, "p"))
        assert said.audio.dtype == np.float32 and said.audio.shape == (2 * SAMPLE_RATE,)
        assert 0.01 < np.abs(said.audio).max() < 1
        spectrum = np.abs(np.fft.rfft(said.audio * np.hanning(len(said.audio)), 2**18)) ** 2
        lags = np.fft.irfft(spectrum)[SAMPLE_RATE // 400 : SAMPLE_RATE // 70]
        heard = SAMPLE_RATE / (np.argmax(lags) + SAMPLE_RATE // 400)
        assert abs(12 * np.log2(heard / pitch)) < 1.5


def test_the_mouth_opens_when_there_is_sound() -> None:
    said = speak(Speaker(), Manner(), SYLLABLES, 3.0, generator(0, "mouth"))
    loud = np.array([np.std(part) for part in np.array_split(said.audio, len(said.mouth))])
    assert said.mouth[0] == 0 and said.mouth.max() == 1
    assert loud[said.mouth > 0.5].mean() > 10 * loud[said.mouth == 0].mean()


def test_expressions_change_the_face_and_nothing_else() -> None:
    def draw(expression: Expression, speech: float = 0.0) -> NDArray[np.int16]:
        face = Face(Appearance(noise=0.0), generator(0, "face"))
        return face.draw(expression, speech, Pose()).astype(np.int16)

    rest = draw(Expression())
    assert rest.shape == (240, 320, 3)
    mouth, eyes = (slice(120, 170), slice(125, 195)), (slice(60, 100), slice(110, 210))
    for expression, speech, here, not_there in (
        (Expression(smile=1.0), 0.0, mouth, eyes),
        (Expression(), 1.0, mouth, eyes),
        (Expression(brow_raise=1.0), 0.0, eyes, mouth),
        (Expression(lids=-1.0), 0.0, eyes, mouth),
    ):
        change = np.abs(draw(expression, speech) - rest).max(axis=2)
        assert change[here].max() > 60
        assert change[not_there].max() < 10
        assert change[:, :60].max() == 0


def test_heads_move_little_and_smoothly() -> None:
    times = np.arange(90) / 30
    poses = np.array([(p.x, p.y) for p in head_motion(times, generator(0, "head"))])
    assert np.ptp(poses, axis=0).min() > 0.5
    assert np.abs(poses).max() < 20
    assert np.abs(np.diff(poses, axis=0)).max() < 1.5
