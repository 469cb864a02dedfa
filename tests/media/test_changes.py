"""What is done to the sound of recordings before streams are made of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.cli.main import main
from affuse.errors import AffuseError
from affuse.features.store import Store
from affuse.media.changes import registry
from affuse.media.changes.bursts import bursts
from affuse.media.changes.clip import ClipChanges
from affuse.media.changes.registry import Change
from tests.melodies import STREAM, melody_corpus, prepare_melodies

RATE = 16000


def tone(seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def changed(text: str, sound: np.ndarray, clip: str = "clip") -> np.ndarray:
    return ClipChanges([Change.parse(text)], clip).sound(sound, RATE)


def power(sound: np.ndarray) -> float:
    return float(np.mean(np.square(sound, dtype=np.float64)))


@given(st.sampled_from(["white-noise", "babble"]), st.floats(-10, 30))
@settings(max_examples=20, deadline=None)
def test_noise_is_as_strong_as_it_says(name: str, snr: float) -> None:
    sound = tone()
    ratio = power(sound) / power(changed(f"{name}={snr}", sound) - sound)
    assert 10 * np.log10(ratio) == pytest.approx(snr, abs=0.1)


@given(
    st.sampled_from(["white-noise=0:20", "babble=5", "room=0.2:1", "packet-loss=0.3", "delay=0:1"]),
    st.sampled_from(["a", "b"]),
)
@settings(max_examples=10, deadline=None)
def test_the_clip_alone_decides_what_is_drawn(text: str, clip: str) -> None:
    once, again = (changed(text, tone(), clip) for _ in range(2))
    assert once.dtype == np.float32 and len(once) == len(tone())
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, changed(text, tone(), clip + "'"))


def test_strengths_fill_their_range() -> None:
    sound = tone(0.5)
    ratios = [
        10 * np.log10(power(sound) / power(changed("white-noise=0:20", sound, str(k)) - sound))
        for k in range(60)
    ]
    assert -0.5 < min(ratios) < 3 and 17 < max(ratios) < 20.5


def test_a_room_goes_on_after_the_sound() -> None:
    sound = np.concatenate([tone(0.5), np.zeros(RATE, np.float32)])
    heard = changed("room=0.5", sound)
    parts = [power(heard[round(s * RATE) : round((s + 0.1) * RATE)]) for s in (0.5, 0.75, 1.2)]
    assert 10 * np.log10(parts[0] / parts[1]) == pytest.approx(30, abs=5)
    assert parts[2] < 1e-6 * power(tone())


def test_a_telephone_leaves_its_band() -> None:
    random = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(changed("telephone=16", random))) ** 2
    hertz = np.fft.rfftfreq(RATE, 1 / RATE)
    inside = spectrum[(hertz > 400) & (hertz < 3200)].mean()
    assert spectrum[hertz < 200].mean() < 1e-3 * inside
    assert spectrum[hertz > 5000].mean() < 1e-3 * inside
    coarse = power(changed("telephone=8", tone()) - changed("telephone=16", tone()))
    assert 10 * np.log10(power(tone()) / coarse) == pytest.approx(38, abs=4)  # of mu-law


@given(st.floats(0, 0.95) | st.just(1.0), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_about_the_share_is_lost_in_bursts(share: float, seed: int) -> None:
    lost = bursts(20_000, share, 5.0, np.random.default_rng(seed))
    assert lost.mean() == pytest.approx(share, abs=0.05)
    if 0.1 < share < 0.8:
        begins = np.count_nonzero(lost[1:] & ~lost[:-1]) + 1
        assert lost.sum() / begins == pytest.approx(5.0, rel=0.15)


@given(st.sampled_from([8000, 22050, 48000]), st.integers(0, 40_000), st.sampled_from([6, 24, 96]))
@settings(max_examples=10, deadline=None)
def test_a_codec_keeps_length_and_place(rate: int, count: int, kilobits: int) -> None:
    sound = np.random.default_rng(count).normal(0, 0.05, count).astype(np.float32)
    changes = ClipChanges([Change.parse(f"codec={kilobits}")], "clip")
    heard, again = (changes.sound(sound, rate) for _ in range(2))
    assert heard.dtype == np.float32 and len(heard) == count
    np.testing.assert_array_equal(heard, again)


def test_a_codec_with_more_bits_changes_less() -> None:
    chirp = np.sin(2 * np.pi * np.cumsum(np.linspace(100, 3000, 2 * RATE)) / RATE) * 0.1
    sound = chirp.astype(np.float32)
    lost = [power(changed(f"codec={kilobits}", sound) - sound) for kilobits in (6, 24, 128)]
    assert lost[0] > lost[1] > lost[2]
    assert 10 * np.log10(power(sound) / lost[2]) > 25  # one sample aside it would be less than 10


def test_an_encoder_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry.CHANGES["codec"]
    monkeypatch.setitem(entry.arguments, "encoder", "libnone")
    with pytest.raises(AffuseError) as error:
        Change.parse("codec=12")
    assert "change codec needs the encoder libnone, which PyAV" in str(error.value)


@given(st.floats(-1.9, 1.9))
@settings(max_examples=30, deadline=None)
def test_a_delay_moves_the_sound_and_where_it_is(seconds: float) -> None:
    sound, changes = tone(2.0), ClipChanges([Change("delay", seconds, seconds)], "clip")
    moved, count = changes.sound(sound, RATE), round(seconds * RATE)
    assert len(moved) == len(sound)
    own = moved[max(count, 0) : len(sound) + min(count, 0)]
    np.testing.assert_array_equal(own, sound[max(-count, 0) :][: len(own)])
    assert np.count_nonzero(moved) == np.count_nonzero(own)
    spans = changes.spans([(0.0, 2.0)], 2.0)
    assert sum(end - start for start, end in spans) == pytest.approx(2 - abs(seconds))
    assert not changed("delay=-2.5", sound).any() and not changed("delay=2", sound).any()


@pytest.mark.parametrize(
    "texts",
    [
        ["white-noise=40", "white-noise=0"],
        ["telephone=12", "telephone=3"],
        ["packet-loss=0.05", "packet-loss=0.8"],
        ["gain=-1", "gain=-12"],
        ["delay=0", "delay=0.3"],
    ],
)
def test_stronger_is_not_weaker(texts: list[str]) -> None:
    sound = tone(4.0)
    weak, strong = (power(changed(text, sound) - sound) for text in texts)
    assert weak < strong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("noise=5", "'noise'"),
        ("white-noise", "expected white-noise=VALUE or white-noise=LOW:HIGH, from -20 to 60"),
        ("white-noise=20:0", "expected white-noise=VALUE"),
        ("white-noise=0:5:20", "expected white-noise=VALUE"),
        ("packet-loss=1.5", "from 0 to 1 (share of packets"),
        ("gain=nan", "expected gain=VALUE"),
        ("blur=1", "from 0 to 0.1 (Gaussian blur"),
        ("delay=60", "from -30 to 30 (seconds by which"),
    ],
)
def test_what_is_no_change_is_said(text: str, said: str) -> None:
    with pytest.raises(AffuseError) as error:
        Change.parse(text)
    assert said in str(error.value)


def test_streams_are_made_of_the_changed_sound(tmp_path: Path) -> None:
    melody_corpus(tmp_path)
    prepare_melodies(tmp_path, "noisy", "white-noise=0:10")
    plain, noisy = tmp_path / "plain", tmp_path / "noisy"
    assert "changes" not in json.loads((plain / "store.json").read_text())
    assert Store(noisy).changes == ["white-noise=0:10"]
    one, other = (Store(store).stream(STREAM) for store in (plain, noisy))
    assert one.spec == other.spec
    for clip in one.clips:
        quiet, loud = one[clip].values[:, 40:], other[clip].values[:, 40:]
        assert len(quiet) == len(loud) and (loud > quiet + 1).all()


@pytest.mark.parametrize("text", ["delay=0", "packet-loss=0"])
def test_what_changes_nothing_leaves_streams_as_they_are(tmp_path: Path, text: str) -> None:
    melody_corpus(tmp_path)
    prepare_melodies(tmp_path, "same", text)
    one, other = (tmp_path / f"{store}/{STREAM}.safetensors" for store in ("plain", "same"))
    assert one.read_bytes() == other.read_bytes()


def test_sound_that_is_moved_away_is_absent(tmp_path: Path) -> None:
    melody_corpus(tmp_path)  # of one second
    prepare_melodies(tmp_path, "late", "delay=0.4")
    plain, late = (Store(tmp_path / s).stream(STREAM)["0"] for s in ("plain", "late"))
    assert len(late.mask) == len(plain.mask) and late.mask[22:].all() and not late.mask[:18].any()
    np.testing.assert_allclose(late.values[24:40], plain.values[4:20], atol=1e-4)


def test_a_store_is_of_one_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    melody_corpus(tmp_path)
    again = ["prepare", "folder", str(tmp_path / "wav"), "--streams", STREAM, "--change", "gain=6"]
    assert main([*again, "--store", str(tmp_path / "plain")]) == 2
    assert "is a store of recordings with nothing changed" in capsys.readouterr().err


def test_what_was_imported_cannot_be_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    melody_corpus(tmp_path)
    (tmp_path / "rows").mkdir()
    np.save(tmp_path / "rows/0.npy", np.ones((10, 3), np.float32))
    own = ["--streams", "audio/imported-own", "--rate", "10", "--source", str(tmp_path / "rows")]
    change = ["--store", str(tmp_path / "changed"), "--change", "gain=6"]
    assert main(["prepare", "folder", str(tmp_path / "wav"), *own, *change]) == 2
    assert "audio/imported-own is imported: its sound cannot" in capsys.readouterr().err
    assert not (tmp_path / "changed").exists()
