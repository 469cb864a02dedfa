"""What `affuse train` refuses, on real files: copies, copies that were encoded again, people."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from tests.commands import run

from affuse.corpora.synthetic.encode import write_video, write_wav
from affuse.corpora.synthetic.voice import SAMPLE_RATE, Manner, Speaker, speak

SYLLABLES = [("k", "i"), ("t", "a"), ("d", "o"), ("s", "i"), ("b", "a"), ("z", "o")]
ROLES = ("train", "train", "development", "test")


def voice(number: int) -> np.ndarray:
    """Two seconds of somebody talking, (N,) float32 at 48 kHz."""
    rng = np.random.default_rng(number)
    order = rng.permutation(len(SYLLABLES))
    said = speak(
        Speaker.random(rng, female=number % 2 == 0),
        Manner(),
        [SYLLABLES[k] for k in order],
        2.0,
        rng,
    )
    return said.audio


def again(sound: np.ndarray, path: Path) -> None:
    """The same sound with 0.2 s cut off, quieter, as AAC."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=64_000)
        cut = 0.4 * sound[SAMPLE_RATE // 5 :][None].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(cut, format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def pictures(number: int, seconds: float = 2.0) -> list[np.ndarray]:
    """A bright spot that wanders, differently for every number."""
    rng = np.random.default_rng(100 + number)
    steps = np.array([48, 64]) + np.cumsum(rng.normal(0, 4, (int(seconds * 25), 2)), 0)
    rows, columns = np.mgrid[:96, :128]
    spots = [np.exp(-((rows - y % 96) ** 2 + (columns - x % 128) ** 2) / 300) for y, x in steps]
    return [np.repeat((40 + 180 * spot)[..., None], 3, 2).astype(np.uint8) for spot in spots]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Eight clips of four speakers, two for each of the classes, and a protocol for them."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for k in range(8):
        write_wav(raw / f"{k}.wav", voice(k), SAMPLE_RATE)
    table(tmp_path, {f"{k}.wav": f"s{k % 4}" for k in range(8)})
    return tmp_path


def table(folder: Path, speakers: dict[str, str], roles: dict[str, str] | None = None) -> None:
    """Write clips.csv and a protocol that gives each speaker a role, unless `roles` says more."""
    rows = [
        f"{path},{'joy' if k % 8 < 4 else 'anger'},{speaker},{Path(path).stem}"
        for k, (path, speaker) in enumerate(speakers.items())
    ]
    (folder / "raw/clips.csv").write_text("\n".join(["path,label,speaker,id", *rows]) + "\n")
    lines = ["clip,speaker,fold0"]
    for path, speaker in speakers.items():
        role = (roles or {}).get(Path(path).stem, ROLES[int(speaker[1:]) % 4])
        lines.append(f"{Path(path).stem},{speaker},{role}")
    (folder / "split.csv").write_text("\n".join(lines) + "\n")


def train(folder: Path, *words: str) -> int:
    """Prepare and train for one epoch."""
    stream = "audio/mfcc10"
    recipe = {
        "name": "r",
        "corpus": "folder",
        "protocol": str(folder / "split.csv"),
        "streams": [stream],
        "model": {"name": "audio-only"},
        "window": 1.5,
        "epochs": 1,
        "batch_size": 4,
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe))
    store = folder / "store"
    prepare = ["--store", store, "--streams", stream, "--workers", 1]
    assert run("prepare", "folder", folder / "raw", *prepare) == 0
    return run("train", folder / "r.yaml", "--store", store, "--out", folder / "run", *words)


def base() -> dict[str, str]:
    return {f"{k}.wav": f"s{k % 4}" for k in range(8)}


def renamed(folder: Path) -> None:
    """Clip 3 (test) once more under another name, as another speaker (train)."""
    (folder / "raw/other.wav").write_bytes((folder / "raw/3.wav").read_bytes())
    table(folder, base() | {"other.wav": "s4"})


def encoded_again(folder: Path) -> None:
    """The sound of clip 3 (test) as AAC, quieter and 0.2 s later, as another speaker (train)."""
    again(voice(3), folder / "raw/other.m4a")
    table(folder, base() | {"other.m4a": "s4"})


def video_again(folder: Path) -> None:
    """The images of a test clip 0.2 s later in another quality beside another voice (train)."""
    fps, size = Fraction(25), (96, 128)
    write_video(folder / "raw/v.mp4", pictures(1), size, fps, voice(20), SAMPLE_RATE)
    darker = [(0.8 * p).astype(np.uint8) for p in pictures(1)[5:]]
    write_video(folder / "raw/w.mp4", darker, size, fps, voice(21), SAMPLE_RATE)
    write_video(folder / "raw/x.mp4", pictures(2), size, fps, voice(22), SAMPLE_RATE)
    table(folder, base() | {"v.mp4": "s7", "w.mp4": "s4", "x.mp4": "s8"})


def same_speaker(folder: Path) -> None:
    table(folder, base() | {"0.wav": "s3"}, {"0": "train"})


def development_is_test(folder: Path) -> None:
    roles = {"2": "train", "6": "train", "3": "development+test", "7": "development+test"}
    table(folder, base(), roles)


def missing(folder: Path) -> None:
    path = folder / "split.csv"
    path.write_text(path.read_text() + "gone,s3,test\n")


def unknown(folder: Path) -> None:
    path = folder / "split.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


PLANTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "same-file": (renamed, "3 in test and other in train"),
    "near-audio": (encoded_again, "3 in test and other in train"),
    "near-video": (video_again, "v in test and w in train"),
    "speaker": (same_speaker, "speaker s3 is in train and in test"),
    "two-roles": (development_is_test, "the development clips are the test clips"),
    "missing": (missing, "clip gone of the protocol is missing"),
    "unknown": (unknown, "does not know clip 7"),
}


#: A copy of a file is found in three ways, and who has two roles has a speaker in both.
ALSO = {
    "same-file": ["same-file", "same-features", "near-audio"],
    "two-roles": ["two-roles", "speaker"],
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_leak_is_refused_in_one_line_and_trained_only_by_an_explicit_flag(
    corpus: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    plant, message = PLANTED[kind]
    plant(corpus)
    allowed = ALSO.get(kind, [kind])
    assert train(corpus) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("affuse train")]
    assert message in line and f"--allow {','.join(allowed)} " in line
    assert not (corpus / "run").exists()
    assert train(corpus, "--allow", ",".join(allowed)) == 0
    facts = json.loads((corpus / "run/run.json").read_text())["leaks"]
    assert set(facts["let_pass"]) == set(allowed) and facts["let_pass"][kind] >= 1
    assert any(message in example for example in facts["examples"])


def test_what_is_let_pass_when_a_run_goes_on_is_written_down_too(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(corpus) == 0
    same_speaker(corpus)
    assert train(corpus, "--resume") == 2
    assert "speaker s3 is in train and in test" in capsys.readouterr().err
    assert train(corpus, "--resume", "--allow", "speaker") == 0
    facts = json.loads((corpus / "run/run.json").read_text())["leaks"]
    assert facts["let_pass"] == {"speaker": 1} and "speaker s3" in facts["examples"][0]


def test_without_leaks_it_trains_and_says_what_was_looked_for(corpus: Path) -> None:
    assert train(corpus) == 0
    facts = json.loads((corpus / "run/run.json").read_text())
    assert facts["leaks"]["let_pass"] == {} and facts["leaks"]["examples"] == []
    assert facts["leaks"]["not_checked"] == ["near-video"]
    assert len(facts["protocol"]["sha256"]) == 64


@pytest.mark.parametrize("values", ["features", "loud or not"])
def test_equal_features_are_found_where_there_is_no_recording(
    toy: Path, capsys: pytest.CaptureFixture[str], values: str
) -> None:
    """Features that were computed elsewhere: the stream itself tells the copy, if it tells much."""
    from tests.toy import toy_recipe

    from affuse.features.archive import read_archive, write_archive
    from affuse.features.store import stream_path

    path = stream_path(toy / "store", "audio/mfcc10")
    arrays, metadata = read_archive(path)
    offset = np.array(arrays["offset"])
    parts = [np.array(arrays["values"][a:b]) for a, b in pairwise(offset)]
    source, copy = (metadata["clips"].index(clip) for clip in ("000", "002"))  # test, train
    if values == "loud or not":
        parts[source] = np.sign(parts[source][:, :1]) + np.zeros_like(parts[source])
    parts[copy] = parts[source]
    lengths = [len(part) for part in parts]
    rows = np.concatenate(parts)
    changed = {
        "offset": ("int64", (len(parts) + 1,), [np.cumsum([0, *lengths])]),
        "start": ("float64", (len(parts),), [np.array(arrays["start"])]),
        "values": ("float32", rows.shape, [rows]),
        "mask": ("bool", (len(rows),), [np.ones(len(rows), bool)]),
    }
    write_archive(path, changed, metadata)
    words = ["--store", toy / "store", "--out", toy / "run", "fold=0"]
    told = run("train", toy_recipe(toy, epochs=1), *words)
    assert told == (2 if values == "features" else 0)
    found = "equal features have clip 000 in test and 002 in train" in capsys.readouterr().err
    assert found == (values == "features")
