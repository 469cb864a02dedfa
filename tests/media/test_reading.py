"""A recording is decoded once, for all that want something of it."""

from __future__ import annotations

import gc
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.corpora.clip import Clip
from affuse.errors import BadInput, Unusable
from affuse.features.catalogue import create_extractor
from affuse.features.fingerprint import AudioFingerprint, VideoFingerprint
from affuse.features.recorded import begin_all
from affuse.features.stream import Stream
from affuse.media.audio import read_sound, survey
from affuse.media.face import FaceOptions, Readings
from affuse.media.reading import Reading
from affuse.media.video import Frame, read_frames
from tests.media.recordings import beep, counting, write_recording

NAMES = ("audio/logmel64-16k", "audio/mfcc10-reference", "video/aligned48", "video/faces64")


class Seen:
    """Notes the frames that it is shown."""

    def __init__(self, start: float | None = None, end: float | None = None) -> None:
        self.start, self.end = start, end
        self.times: list[float] = []
        self.finished = False

    def see(self, frame: Frame) -> None:
        self.times.append(frame.time)

    def finish(self) -> None:
        self.finished = True


def person(path: Path) -> Path:
    """Two seconds of a photograph with sound."""
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic.portrait import photograph

    image = photograph()[:, 64:384]
    return write_recording(path, [(k / 25, image) for k in range(50)], beep(2.0, 0.5, 48000))


def test_all_streams_and_fingerprints_take_a_share_of_one_pass(
    tmp_path: Path, decoded: list[str]
) -> None:
    path = person(tmp_path / "a.mp4")
    clip = Clip("a", video=path, audio=path)
    extractors = {name: create_extractor(name) for name in NAMES}
    extractors |= {e.spec.name: e for e in (AudioFingerprint(), VideoFingerprint())}
    alone = {name: e.extract(clip) for name, e in extractors.items()}
    decoded.clear()
    together = {name: list(blocks()) for name, blocks in begin_all(extractors, clip).items()}
    assert decoded.count("video") == 50
    sounds = decoded.count("audio")
    decoded.clear()
    survey(path)
    assert sounds == len(decoded)
    for name, expected in alone.items():
        assert isinstance(expected, Stream) and expected.mask.any()
        values = np.concatenate([block.values for block in together[name]])
        np.testing.assert_array_equal(values, expected.values)


def test_windows_of_sound_and_frames_are_those_of_a_pass_each(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.mp4", counting(200), beep(8.0, 4.0, 48000))
    for start, end in ((None, None), (1.2, 3.0), (6.0, 7.5)):
        reading, seen = Reading(path), Seen(start, end)
        heard = reading.listen(16000, start, end)
        heard.keep()
        reading.watch(seen)
        reading.run()
        sound, expected = reading.sound(heard), read_sound(path, 16000, start, end)
        assert sound is not None and expected is not None and seen.finished
        np.testing.assert_array_equal(sound.samples, expected.samples)
        assert sound.spans == expected.spans
        assert seen.times == [frame.time for frame in read_frames(path, start, end)]


def test_what_is_not_there_or_broken_does_not_take_the_other_with_it(tmp_path: Path) -> None:
    silent = write_recording(tmp_path / "v.mp4", counting(25))
    reading, seen = Reading(silent), Seen()
    heard = reading.listen(16000, None, None)
    reading.watch(seen)
    reading.run()
    assert reading.sound(heard) is None and len(seen.times) == 25
    only_sound = write_recording(tmp_path / "a.m4a", sound=beep(1.0, 0.5, 16000), rate=16000)
    reading, seen = Reading(only_sound), Seen()
    heard = reading.listen(16000, None, None)
    heard.keep()
    reading.watch(seen)
    reading.run()
    sound = reading.sound(heard)
    assert sound is not None and len(sound.samples) >= 16000 and not seen.times
    with pytest.raises(BadInput, match="has no images"):
        reading.check_frames()


def test_undecodable_frames_are_told_to_who_wants_them(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.mkv", counting(25), beep(1.0, 0.5, 48000))
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size and p.pos]
        spans = [(p.pos, p.size) for p in packets]
    for place, size in spans:
        data[place + 12 : place + size] = bytes(max(0, size - 12))
    broken = tmp_path / "b.mkv"
    broken.write_bytes(data)
    reading, seen = Reading(broken), Seen()
    heard = reading.listen(16000, None, None)
    reading.watch(seen)
    reading.run()
    assert reading.sound(heard) is not None
    if not seen.times:
        with pytest.raises(Unusable, match="its video cannot be decoded"):
            reading.check_frames()


def test_a_file_that_cannot_be_opened_is_told_to_everybody(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "gone.mp4")
    heard = reading.listen(16000, None, None)
    reading.watch(Seen())
    reading.run()
    for ask in (reading.check_frames, lambda: reading.sound(heard)):
        with pytest.raises(BadInput, match="no such file"):
            ask()


def test_streams_of_faces_share_one_search(tmp_path: Path) -> None:
    readings = Readings()
    path = person(tmp_path / "a.mp4")
    one = readings.face(path, FaceOptions())
    assert readings.face(path, FaceOptions(margin=0.4, align=True)) is one
    assert readings.face(path, FaceOptions(every=1.0)) is not one
    assert readings.face(path, FaceOptions(), 0.0, None) is one


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_frames_are_let_go_of(tmp_path: Path, codec: str) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_recording(tmp_path / "a.mkv", counting(120), video_codec=codec, pixels=pixels)
    gc.collect()
    gc.disable()
    try:
        before = most = alive()  # other tests may hold some
        for number, _ in enumerate(read_frames(path)):
            if number % 20 == 19:
                most = max(most, alive())
    finally:
        gc.enable()
    assert 0 < most - before < 20


def alive() -> int:
    """Frames that have not been let go of."""
    return sum(type(x) is av.VideoFrame for x in gc.get_objects())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    rotation=st.sampled_from([0, 90]),
    pixels=st.sampled_from(["yuv420p", "yuv444p"]),
)
def test_a_part_of_a_frame_is_that_of_the_whole(
    tmp_path: Path, data: st.DataObject, rotation: int, pixels: str
) -> None:
    random = np.random.default_rng(3)
    image = np.kron(random.integers(0, 256, (24, 40, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    path = write_recording(
        tmp_path / f"{rotation}{pixels}.mp4", [(0.0, image)], rotation=rotation, pixels=pixels
    )
    frame = next(read_frames(path))
    x1 = data.draw(st.integers(0, frame.width - 1))
    y1 = data.draw(st.integers(0, frame.height - 1))
    x2 = data.draw(st.integers(x1 + 1, frame.width))
    y2 = data.draw(st.integers(y1 + 1, frame.height))
    np.testing.assert_array_equal(frame.part(x1, y1, x2, y2), frame.rgb()[y1:y2, x1:x2])
