"""Whose voice it is, and who is who, on clips of two people: the numbers of people.md.

    python docs/results/people.py ../shared/data

Puts recordings of one speaker each beside each other, with the sound of the one, or of both in
turn, and asks for every half second whose voice is heard. Then it compares the first third of every
recording with its last third, and with those of other people.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from affuse.media.appearance import DIFFERENT, SAME
from affuse.media.audio import read_sound
from affuse.media.face import FaceOptions, Readings
from affuse.media.speaking import SOUND_RATE, Envelope, Speaking, speaking
from affuse.media.video import read_frames
from affuse.media.watching import Cut

RATE, HEIGHT, FPS = 16000, 360, 25


def frames_of(path: Path, seconds: float) -> Iterator[np.ndarray]:
    """Frames 360 pixels high at 25 per second; the last one is held."""
    frames = read_frames(path)
    frame = next(frames)
    following = next(frames, None)
    for k in range(int(seconds * FPS)):
        while following is not None and following.time <= k / FPS + 1e-3:
            frame, following = following, next(frames, None)
        image = frame.rgb()
        width = 2 * round(image.shape[1] * HEIGHT / image.shape[0] / 2)
        yield np.asarray(cv2.resize(image, (width, HEIGHT)), np.uint8)


def sound_of(path: Path, seconds: float) -> np.ndarray:
    """(N,) at 16 kHz."""
    found = read_sound(path, RATE)
    samples = np.zeros(0, np.float32) if found is None else found.samples
    return np.pad(samples, (0, round(60 * RATE)))[: round(seconds * RATE)]


def write(path: Path, left: list[np.ndarray], right: list[np.ndarray], sound: np.ndarray) -> Path:
    """Two people side by side."""
    container: Any
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", FPS, options={"crf": "18"})
        images = [np.hstack(pair) for pair in zip(left, right, strict=True)]
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = "yuv420p"
        heard = container.add_stream("pcm_s16le", RATE, layout="mono")
        for image in images:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        steps = np.clip(sound * 32767, -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(steps[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(heard.encode(frame))
        container.mux(heard.encode())
    return path


def who_speaks(path: Path) -> tuple[Speaking, list[int]]:
    """What is found, and which of the people, from left to right."""
    readings, loudness = Readings(mouths=True), Envelope()
    search = readings.face(path, FaceOptions())
    search.cut(Cut(np.zeros(1), 48, align=True))
    readings.of(path).listen(SOUND_RATE, None, None).to(loudness.push)
    readings.run()
    found = speaking(search.people, [search.mouth(p) for p in search.people], loudness.values)
    places = [float(person.boxes[:, 0].mean()) for person in search.people]
    return found, np.argsort(np.argsort(places)).tolist()


def judged(path: Path, truth: np.ndarray, rate: float) -> tuple[int, int, int]:
    """Right, wrong and unsure half seconds, of those in which somebody speaks."""
    found, order = who_speaks(path)
    right = wrong = unsure = 0
    for time, speaker in zip(found.times, found.speaker, strict=True):
        place = min(int(time * rate), len(truth) - 1)
        if truth[place] < 0:
            continue
        if speaker < 0:
            unsure += 1
        elif order[speaker] == truth[place]:
            right += 1
        else:
            wrong += 1
    return right, wrong, unsure


def pairs(paths: list[Path], folder: Path) -> None:
    """Every two of some recordings, three ways."""
    for way in ("side by side", "in turn"):
        total = np.zeros(3, int)
        for a, b in itertools.permutations(paths, 2):
            seconds = 3.0
            left, right = list(frames_of(a, seconds)), list(frames_of(b, seconds))
            if way == "side by side":
                sound, truth = sound_of(a, seconds), np.zeros(30, int)
            else:
                left, right = left + left[-1:] * len(left), right[:1] * len(right) + right
                sound = np.concatenate([sound_of(a, seconds), sound_of(b, seconds)])
                truth = np.repeat([0, 1], 30)
            voiced = np.array([x.std() > 0.01 for x in np.array_split(sound, len(truth))])
            truth = np.where(voiced, truth, -1)
            path = write(folder / "pair.mkv", left, right, sound)
            total += judged(path, truth, 10.0)
        right_, wrong_, unsure = (int(x) for x in total)
        share = right_ / max(right_ + wrong_, 1)
        print(f"| {way} | {right_} | {wrong_} | {unsure} | {share:.1%} |")


def looks(paths: list[Path], same: dict[str, str]) -> None:
    """How often one person is taken for two, and two for one."""
    found = {}
    for path, part in itertools.product(paths, (0, 1)):
        last = [frame.time for frame in read_frames(path)][-1]
        window = (0.0, last / 3) if part == 0 else (last * 2 / 3, last + 1)
        readings = Readings()
        search = readings.face(path, FaceOptions(), *window)
        readings.run()
        if search.track is not None and search.track.looks is not None:
            found[path, part] = search.track.looks / np.linalg.norm(search.track.looks)
    alike: list[float] = []
    unlike: list[float] = []
    for (a, one), (b, other) in itertools.combinations(found.items(), 2):
        mine = same.get(a[0].name, a[0].name) == same.get(b[0].name, b[0].name)
        (alike if mine else unlike).append(float(one @ other))
    one, two = np.array(alike), np.array(unlike)
    for name, pairs_ in (("the same person", one), ("two people", two)):
        same_, other_ = (pairs_ >= SAME).mean(), (pairs_ < DIFFERENT).mean()
        print(f"| {name} | {len(pairs_)} | {same_:.1%} | {other_:.1%} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    grid = sorted((options.data / "videos").glob("*.mpg"))
    crema = sorted((options.data / "cremad_videos").glob("*.flv"))
    with tempfile.TemporaryDirectory() as folder:
        for name, paths in (("GRID", grid), ("CREMA-D, one actress", crema)):
            print(f"\n{name}\n\n| who speaks | right | wrong | unsure | right of the sure |")
            print("|---|---|---|---|---|")
            pairs(paths, Path(folder))
    others = ("crowd_1080p", "no_face", "face_noface")
    every = [p for p in sorted((options.data / "videos").iterdir()) if p.stem not in others]
    print("\n| pairs | number | taken for one | taken for two |")
    looks([*every, *crema], {path.name: "actress" for path in crema})


if __name__ == "__main__":
    main()
