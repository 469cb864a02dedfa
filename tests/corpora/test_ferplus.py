"""FER+: both forms, groups of near-duplicates, and what wrong files are told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.ferplus import COLUMNS, Drawn, ballot, copy_of, draw, smooth, write_archive, write_tables

from affuse.audit.leaks import find_leaks, split_clips
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.ferplus import CLASSES, read
from affuse.corpora.labels import Labels, label_clips
from affuse.corpora.packed import packed_picture
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.table import read_clips, write_clips
from affuse.errors import BadInput

REPEATED = "validation images that repeat one of train"
FORMS = [write_archive, write_tables]
Write = Callable[[Path, Drawn], Path]


def without_place(corpus: Corpus) -> list[Clip]:
    return [replace(clip, images=None, row=None) for clip in corpus.clips]


@pytest.mark.parametrize("write", FORMS)
def test_every_picture_with_a_name_is_a_clip_with_its_votes(tmp_path: Path, write: Write) -> None:
    drawn = draw(20)
    corpus = read(write(tmp_path, drawn))
    rows = {f"fer{k:07d}": k for k in range(len(drawn.names))}
    gone = {"fer0000021", "fer0000024"}  # a copy in another set, and no face
    assert [clip.id for clip in corpus.clips] == sorted(rows.keys() - gone)
    assert corpus.left_out == {REPEATED: 1} and corpus.classes == CLASSES
    for clip in corpus.clips:
        k = rows[clip.id]
        given = dict(zip(COLUMNS, drawn.votes[k], strict=True))
        assert clip.votes == {"video": {name: count for name, count in given.items() if count}}
        assert clip.partition == ("train" if drawn.sets[k] == "Training" else "validation")
        picture = packed_picture(clip.images, clip.row)
        assert picture.shape == (48, 48, 3)
        np.testing.assert_array_equal(picture, np.repeat(drawn.pictures[k][..., None], 3, 2))
    unknown = next(clip for clip in corpus.clips if clip.id == "fer0000023")
    assert unknown.votes == {"video": {"unknown": 6, "sadness": 3, "NF": 1}}


@pytest.mark.parametrize("write", FORMS)
def test_near_duplicates_are_one_speaker_in_one_set(tmp_path: Path, write: Write) -> None:
    corpus = read(write(tmp_path, draw(20)))
    groups = defaultdict(set)
    for clip in corpus.clips:
        groups[clip.speaker].add(clip.id)
    assert {name: ids for name, ids in groups.items() if len(ids) > 1} == {
        "fer0000000": {"fer0000000", "fer0000020"},
        "fer0000004": {"fer0000004", "fer0000022"},
    }
    assert all(name in ids for name, ids in groups.items()), "the first gives the name"


def test_both_forms_are_the_same_corpus(tmp_path: Path) -> None:
    drawn = draw(30, seed=4)
    archive = read(write_archive(tmp_path / "npz", drawn))
    tables = read(write_tables(tmp_path / "csv", drawn))
    assert without_place(archive) == without_place(tables)
    assert archive.left_out == tables.left_out
    for one, other in zip(archive.clips, tables.clips, strict=True):
        np.testing.assert_array_equal(
            packed_picture(one.images, one.row), packed_picture(other.images, other.row)
        )


def test_a_copy_counts_for_the_earlier_set_wherever_it_is_listed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    drawn, picture = Drawn(), smooth(random)
    drawn.add(copy_of(picture, random), ballot(fear=10), "PrivateTest")
    drawn.add(copy_of(picture, random), ballot(fear=10), "PublicTest")
    drawn.add(smooth(random), ballot(anger=10), "PrivateTest")
    kept = drawn.add(picture, ballot(fear=10), "Training")
    corpus = read(write_tables(tmp_path, drawn))
    assert {clip.id: clip.partition for clip in corpus.clips} == {
        kept: "train",
        "fer0000002": "test",
    }
    assert corpus.left_out == {REPEATED: 1, "test images that repeat one of train": 1}


@pytest.mark.parametrize("write", FORMS)
def test_a_picture_that_is_listed_twice_is_one_clip(tmp_path: Path, write: Write) -> None:
    drawn = draw(10)
    drawn.add(drawn.pictures[3], drawn.votes[3])
    drawn.names[-1] = drawn.names[3]
    corpus = read(write(tmp_path, drawn))
    assert corpus.left_out == {REPEATED: 1, "images that are listed twice": 1}
    assert max(Counter(clip.id for clip in corpus.clips).values()) == 1
    drawn.pictures[-1] = smooth(np.random.default_rng(9))
    with pytest.raises(BadInput, match="two different images are called fer0000003"):
        read(write(tmp_path / "other", drawn))


def test_names_of_an_archive_may_be_empty_too(tmp_path: Path) -> None:
    drawn = draw(10)
    expected = without_place(read(write_archive(tmp_path / "named", drawn)))
    drawn.names[-1] = "x"
    path = write_archive(tmp_path / "all", drawn) / "ferplus.npz"
    held = dict(np.load(path))
    held["name"][held["name"] == "x"] = ""
    np.savez(path, **held)
    assert without_place(read(path.parent)) == expected


def test_the_row_of_a_clip_is_kept_in_its_table(tmp_path: Path) -> None:
    corpus = read(write_archive(tmp_path, draw(10)))
    write_clips(tmp_path / "clips.csv", corpus.clips, tmp_path)
    again = [
        replace(c, images=tmp_path / str(c.images)) for c in read_clips(tmp_path / "clips.csv")
    ]
    assert again == corpus.clips
    lines = (tmp_path / "clips.csv").read_text().splitlines()
    assert "row" in lines[0].split(",")


def test_a_picture_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path, draw(10)) / "ferplus.npz"
    with pytest.raises(BadInput, match="has 14 images; there is no row 14"):
        packed_picture(path, 14)
    with pytest.raises(BadInput, match="there is no row -1"):
        packed_picture(path, -1)


def test_a_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    for seed in (0, 1):
        drawn = draw(10 + seed, seed)
        path = write_archive(tmp_path, drawn) / "ferplus.npz"
        np.testing.assert_array_equal(packed_picture(path, 5)[..., 0], drawn.pictures[5])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"images": np.zeros((3, 48, 48), np.float32)}, "holds no images: images are float32"),
        ({"images": np.zeros((3, 48), np.uint8)}, r"holds no images: images are uint8 \(3, 48\)"),
        ({"images": np.zeros((3, 4, 4, 2), np.uint8)}, "holds no images"),
        ({"images": np.zeros((3, 48, 48), np.uint8)}, "holds 3 images, so votes must be"),
        ({"images": np.zeros((0, 48, 48), np.uint8)}, "holds 0 images, so votes must be"),
        ({"votes": np.zeros(14)}, r"votes must be \(14, 10\), and is \(14,\)"),
        ({"votes": np.full((14, 10), "1")}, "no numbers of raters"),
        ({"votes": np.full((14, 10), -1.0)}, "no numbers of raters"),
        ({"votes": np.full((14, 10), np.nan)}, "no numbers of raters"),
        ({"name": np.array("x")}, "name must be"),
        ({"name": np.full(14, "")}, "names no image"),
        ({"split": np.full(14, "usual")}, "split 'usual' is none of"),
        ({"vote_columns": np.array([*CLASSES, "unknown", "none"])}, "has no votes for NF"),
        ({"vote_columns": np.array("x")}, "has no votes for neutral"),
        ({"votes": None}, "has no array votes"),
        ({"images": None}, "has no array images"),
        ({"votes": np.array([None] * 14)}, r"is no \.npz file that can be read"),
    ],
)
def test_a_wrong_archive_is_told_in_one_line(
    tmp_path: Path, changes: dict[str, np.ndarray | None], reason: str
) -> None:
    path = write_archive(tmp_path, draw(10)) / "ferplus.npz"
    held = dict(np.load(path)) | changes
    np.savez(path, **{name: value for name, value in held.items() if value is not None})
    with pytest.raises(BadInput, match=reason) as error:
        read(tmp_path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is no .npz file"), (b"PK\3\4 broken", "is no .npz file"), (b"text", "is no .npz file")],
)
def test_a_damaged_archive_is_told_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "ferplus.npz").write_bytes(content)
    with pytest.raises(BadInput, match=reason):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "line", "old", "new", "reason"),
    [
        ("fer2013new.csv", 1, "Image name", "name", "line 1: no column Image name"),
        ("fer2013new.csv", 1, "contempt", "scorn", "line 1: no column contempt"),
        ("fer2013new.csv", 4, "Training", "Private", "line 4: Usage 'Private' is no set"),
        ("fer2013new.csv", 4, ".png,", ".png,x", "line 4: votes are no numbers"),
        ("fer2013new.csv", 4, ".png,", ".png,-1", "line 4: votes are no numbers of raters"),
        ("fer2013new.csv", 4, ".png,", ".png,nan,0", "line 4: more cells"),
        ("fer2013.csv", 1, "pixels", "levels", "line 1: no column pixels"),
        ("fer2013.csv", 3, " ", " 300 ", "line 3: pixels must be 2304 grey levels"),
        ("fer2013.csv", 3, " ", " x ", "line 3: pixels are no numbers"),
        ("fer2013.csv", 3, " ", "", "line 3: pixels must be 2304 grey levels"),
    ],
)
def test_a_wrong_table_is_told_with_its_line(
    tmp_path: Path, name: str, line: int, old: str, new: str, reason: str
) -> None:
    path = write_tables(tmp_path, draw(10)) / name
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("".join(lines))
    with pytest.raises(BadInput, match=reason) as error:
        read(tmp_path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_tables_that_do_not_fit_each_other_or_are_absent_are_refused(tmp_path: Path) -> None:
    write_tables(tmp_path, draw(10))
    votes = tmp_path / "fer2013new.csv"
    lines = votes.read_text().splitlines(keepends=True)
    votes.write_text("".join(lines[:-1]))
    with pytest.raises(BadInput, match=r"has 14 rows, but .*fer2013\.csv has 15 images"):
        read(tmp_path)
    votes.write_text(lines[0])
    with pytest.raises(BadInput, match="has 0 rows"):
        read(tmp_path)
    votes.unlink()
    with pytest.raises(BadInput, match=r"FER\+ needs fer2013.csv and fer2013new.csv, or ferplus"):
        read(tmp_path)
    with pytest.raises(BadInput, match="no such folder"):
        read(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Corpus:
    return read(shared_data / "ferplus")


#: Rule -> clips used, and of each class in the order of `CLASSES`.
COUNTS = {
    "plurality": (30187, (10648, 8258, 3694, 3786, 2698, 210, 708, 185)),
    "majority": (26744, (9530, 8030, 3224, 3185, 2122, 92, 455, 106)),
    "distribution": (31672, (10199.25, 8310.4, 3762.6, 4506.7, 2682.5, 515.3, 1107.3, 588.1)),
}


@pytest.mark.slow
class TestPublished:
    def test_all_pictures_are_there(self, published: Corpus, shared_data: Path) -> None:
        assert published.left_out == {REPEATED: 463, "images that are listed twice": 3}
        with np.load(shared_data / "ferplus" / "ferplus.npz") as held:
            assert len(published.clips) == len(held["name"]) - 463 - 3 == 31674
            names, groups = held["name"], held["dup_group"]
        assert len({clip.id for clip in published.clips}) == 31674
        ours = defaultdict(set)
        for clip in published.clips:
            assert names[clip.row] == f"{clip.id}.png"
            ours[int(groups[clip.row])].add(clip.speaker)
        assert max(map(len, ours.values())) == 1, "exact copies are in one group"
        assert sum(len(g) for g in ours.values()) > len({c.speaker for c in published.clips})

    @pytest.mark.parametrize("rule", COUNTS)
    def test_labels_by_every_rule(self, published: Corpus, rule: str) -> None:
        found = label_clips(published.clips, CLASSES, Labels(rule, "video"))
        used, counts = COUNTS[rule]
        assert len(found.clips) == used
        if rule == "distribution":
            np.testing.assert_allclose(found.targets.sum(0), counts, atol=0.1)
        else:
            assert np.bincount(found.targets.argmax(1)).tolist() == list(counts)

    @pytest.mark.parametrize("name", ["ferplus/validation", "ferplus/official"])
    def test_no_group_is_in_two_roles(self, published: Corpus, name: str) -> None:
        protocol = load_protocol(name, published.clips)
        leaks = find_leaks(protocol, 0, published.clips)
        # the publisher's test images are not here
        assert [leak.kind for leak in leaks] == (["missing"] if name[8:] == "official" else [])
        split = split_clips(protocol, 0, published.clips, published.clips)
        people = {role: {c.speaker for c in clips} for role, clips in split.items() if clips}
        assert sum(map(len, people.values())) == len(set.union(*people.values()))
        if name == "ferplus/validation":
            sizes = {role: len(clips) for role, clips in split.items()}
            assert sizes["test"] == 3116 and sum(sizes.values()) == 31674
            assert 0.09 < sizes["development"] / (sizes["development"] + sizes["train"]) < 0.11

    def test_the_published_rule_of_a_majority(self, published: Corpus, shared_data: Path) -> None:
        with np.load(shared_data / "ferplus" / "ferplus.npz") as held:
            votes = held["votes"][[clip.row for clip in published.clips]].astype(int)
        votes[votes < 2] = 0
        most, others = votes[:, :8].max(1), votes[:, 8:].max(1)
        clear = (most >= others) & (2 * most > votes.sum(1))
        rule = Labels("majority", "video", least=2, others="count")
        found = label_clips(published.clips, CLASSES, rule)
        expected = [clip.id for clip, yes in zip(published.clips, clear, strict=True) if yes]
        assert [clip.id for clip in found.clips] == expected
        assert found.unused["of none of the classes"] == int((most < others).sum()) == 196
