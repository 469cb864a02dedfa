from pathlib import Path

import pytest
from tests.folders import touch

from affuse.corpora.affwild2 import read
from affuse.errors import BadInput

TRAIN = "VA_Set/Train_Set"
VALIDATION = "VA_Set/Validation_Set"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A bit of everything, as the archives unpack."""
    touch(
        tmp_path,
        f"annotations/{TRAIN}/106.txt",
        f"annotations/{TRAIN}/106-30-720x1280.txt",
        f"annotations/{TRAIN}/5-60-1920x1080_left.txt",
        f"annotations/{TRAIN}/5-60-1920x1080_right.txt",
        f"annotations/{TRAIN}/video60_1.txt",
        f"annotations/{TRAIN}/video60_2_left.txt",
        f"annotations/{VALIDATION}/video9.txt",
        "annotations/EXPR_Set/Train_Set/other.txt",
        "batch1/106.mp4",
        "batch1/5-60-1920x1080.mp4",
        "batch2/video60_1.avi",
        "batch2/video9.MP4",
        "batch2/unused.mp4",
        "cropped_aligned/106/00001.jpg",
        "cropped_aligned/video60_1/00001.jpg",
        "cropped_aligned/.DS_Store",
        "cropped_aligned_new_50_vids/10-1-test_left/00001.jpg",
        "notes.txt",
    )
    return tmp_path


def test_a_clip_is_a_trial_with_its_files(corpus: Path) -> None:
    clips = {clip.id: clip for clip in read(corpus).clips}
    first = clips["106"]
    assert first.video == first.audio == corpus / "batch1" / "106.mp4"
    assert first.images == corpus / "cropped_aligned" / "106"
    assert first.annotation == corpus / "annotations" / TRAIN / "106.txt"
    assert first.partition == "train" and first.label is None
    assert clips["video9"].partition == "validation"
    assert clips["video9"].video == corpus / "batch2" / "video9.MP4"


def test_trials_are_in_the_order_of_the_published_list(corpus: Path) -> None:
    names = [clip.id for clip in read(corpus).clips]
    assert names.index("106-30-720x1280") < names.index("106")
    assert names == sorted(names, key=lambda name: f"{name}.txt")


def test_two_people_share_a_video_and_parts_share_a_recording_and_a_person(corpus: Path) -> None:
    clips = {clip.id: clip for clip in read(corpus).clips}
    left, right = clips["5-60-1920x1080_left"], clips["5-60-1920x1080_right"]
    assert left.video == right.video == corpus / "batch1" / "5-60-1920x1080.mp4"
    assert left.recording == right.recording == "5-60-1920x1080"
    assert left.speaker != right.speaker
    first, second = clips["video60_1"], clips["video60_2_left"]
    assert first.recording == second.recording == "video60"
    assert (first.speaker, second.speaker) == ("video60", "video60_left")
    assert clips["video9"].recording == clips["video9"].speaker == "video9"


def test_faces_without_annotation_are_the_test_set(corpus: Path) -> None:
    (clip,) = [clip for clip in read(corpus).clips if clip.partition == "test"]
    assert clip.id == "10-1-test_left" and clip.annotation is None
    assert clip.images == corpus / "cropped_aligned_new_50_vids" / "10-1-test_left"


def test_what_is_missing_or_left_out_is_said(corpus: Path) -> None:
    found = read(corpus)
    assert found.task == "valence-arousal" and found.classes == ("valence", "arousal")
    assert found.left_out == {"videos of no trial": 1}
    assert "106: no folder of face images" not in found.missing
    assert "106-30-720x1280: no video" in found.missing
    assert "video60_2_left: no folder of face images" in found.missing
    assert "10-1-test_left: no video" in found.missing
    assert len(found.missing) == 3 + 5


def test_the_layout_of_later_competitions_is_read(tmp_path: Path) -> None:
    touch(tmp_path, "ABAW/VA_Estimation_Challenge/Train_Set/1.txt", "VA/Train_Set/2.txt")
    found = read(tmp_path)
    assert [clip.id for clip in found.clips] == ["1"]
    assert "no annotation of validation trials" in found.missing
    assert [clip.id for clip in read(tmp_path / "ABAW/VA_Estimation_Challenge").clips] == ["1"]


def test_face_pictures_below_a_folder_of_the_same_name_are_found(tmp_path: Path) -> None:
    touch(tmp_path, f"{TRAIN}/1.txt", "cropped_aligned/cropped_aligned/1/00001.jpg")
    touch(tmp_path, "more/cropped_aligned/1/00001.jpg")
    found = read(tmp_path)
    assert len(found.clips) == 1 and found.clips[0].images.name == "1"
    assert found.left_out == {"second folders of face images": 1}


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    touch(tmp_path / "disk", "1/00001.jpg")
    touch(tmp_path / "root", f"{TRAIN}/1.txt")
    (tmp_path / "root" / "cropped_aligned").symlink_to(tmp_path / "disk")
    (clip,) = read(tmp_path / "root").clips
    assert clip.images.is_dir()


def test_an_archive_that_is_not_unpacked_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "VA_Set.zip")
    with pytest.raises(BadInput, match=r"no annotation of valence.*VA_Set\.zip is not unpacked"):
        read(tmp_path)
    touch(tmp_path, f"{TRAIN}/1.txt", "cropped_aligned.zip")
    missing = read(tmp_path).missing
    assert missing[0] == "cropped_aligned.zip is not unpacked"
    assert "VA_Set.zip is not unpacked" not in missing


@pytest.mark.parametrize("root", ["absent", "file", "empty"])
def test_a_wrong_root_is_named(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=root):
        read(tmp_path / root)


def test_what_is_there_twice_is_named(corpus: Path) -> None:
    touch(corpus, "copy/106.avi")
    with pytest.raises(BadInput, match=r"106\.avi: is a second video of this name.*106\.mp4"):
        read(corpus)
    (corpus / "copy/106.avi").unlink()
    touch(corpus, f"annotations/{VALIDATION}/106.txt")
    with pytest.raises(BadInput, match=r"106\.txt: annotates a trial again"):
        read(corpus)


def test_an_empty_annotation_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, f"{VALIDATION}/1.txt")
    (tmp_path / TRAIN).mkdir()
    with pytest.raises(BadInput, match=r"Train_Set: holds no annotation"):
        read(tmp_path)
