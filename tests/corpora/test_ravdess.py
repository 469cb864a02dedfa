from pathlib import Path

import pytest
from tests.folders import touch

from affuse.corpora.ravdess import CLASSES
from affuse.corpora.registry import read_corpus
from affuse.errors import AffuseError, BadInput


def test_the_files_of_one_performance_are_one_clip(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "Video_Speech_Actor_01/Actor_01/01-01-05-02-01-02-01.mp4",
        "Video_Speech_Actor_01/Actor_01/02-01-05-02-01-02-01.mp4",
        "Audio_Speech/Actor_01/03-01-05-02-01-02-01.wav",
    )
    corpus = read_corpus("ravdess", tmp_path)
    (clip,) = corpus.clips
    assert clip.id == "01-05-02-01-02-01"
    assert clip.video.name.startswith("01-") and clip.audio.name.startswith("03-")
    assert (clip.label, clip.speaker, clip.sex) == ("angry", "01", "male")
    assert clip.intensity == "strong"


def test_sound_of_the_video_is_used_when_there_is_no_sound_file(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_02/01-01-01-01-01-01-02.mp4", "Actor_02/02-01-02-01-01-01-02.mp4")
    both, silent = read_corpus("ravdess", tmp_path).clips
    assert both.audio == both.video
    assert silent.video.name.startswith("02-") and silent.audio is None


def test_song_stray_and_repeated_files_are_left_out_and_counted(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "Actor_01/03-01-01-01-01-01-01.wav",
        "copy/Actor_01/03-01-01-01-01-01-01.wav",
        "Actor_01/03-02-01-01-01-01-01.wav",
        "Actor_01/notes.docx",
        "Actor_01/03-01-09-01-01-01-01.wav",
        "README.txt",
    )
    corpus = read_corpus("ravdess", tmp_path)
    assert len(corpus.clips) == 1
    assert corpus.left_out == {"second copies": 1, "song files": 1, "stray files": 2}
    assert "1 song files" in corpus.summary()


@pytest.mark.parametrize("root", ["absent", "file", "empty"])
def test_a_wrong_root_is_named(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=root):
        read_corpus("ravdess", tmp_path / root)


def test_an_unknown_corpus_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="there are: ravdess, cremad"):
        read_corpus("ravdes", tmp_path)


def test_the_real_speech_has_twenty_actors_and_all_classes(shared_data: Path) -> None:
    corpus = read_corpus("ravdess", shared_data / "ravdess_speech")
    assert len(corpus.clips) == 1200
    assert len({clip.speaker for clip in corpus.clips}) == 20
    counts = [sum(clip.label == name for clip in corpus.clips) for name in CLASSES]
    assert counts == [80] + [160] * 7


def test_song_is_read_by_option_and_incomplete_actors_are_told(tmp_path: Path) -> None:
    for name in (
        "03-01-03-01-01-01-07.wav",
        "03-02-03-01-01-01-07.wav",
        "03-02-04-01-01-01-07.wav",
    ):
        (tmp_path / name).touch()
    speech, song, both = (
        read_corpus("ravdess", tmp_path, {"channel": c}) for c in ("speech", "song", "both")
    )
    assert [clip.id[:5] for clip in speech.clips] == ["01-03"] and speech.left_out == {
        "song files": 2
    }
    assert [clip.id[:5] for clip in song.clips] == ["02-03", "02-04"]
    assert {clip.kind for clip in both.clips} == {"speech", "song"} and len(both.clips) == 3
    assert song.missing == ["actor 07: 42 of 44 performances (song)"]
    with pytest.raises(AffuseError, match="channel must be speech, song or both"):
        read_corpus("ravdess", tmp_path, {"channel": "opera"})
    with pytest.raises(AffuseError, match="has no option 'chanel'"):
        read_corpus("ravdess", tmp_path, {"chanel": "song"})


def test_an_archive_that_is_not_unpacked_is_told(tmp_path: Path) -> None:
    (tmp_path / "Video_Speech_Actor_01.zip").touch()
    with pytest.raises(BadInput, match=r"Video_Speech_Actor_01\.zip is not unpacked"):
        read_corpus("ravdess", tmp_path)
