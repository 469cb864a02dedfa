"""FER+ in both forms through the command line: check, prepare, train, evaluate."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused, run
from tests.ferplus import COLUMNS, Drawn, draw, write_archive, write_tables

from affuse.corpora.ferplus import read
from affuse.features.aligned import AlignedFaces
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.checkpoints import load_backbone
from affuse.models.modelfile import load_model
from affuse.models.registry import create_model

FORMS = {"npz": write_archive, "csv": write_tables}
TRAINING = ("model.video.width=4", "epochs=1", "batch_size=16")
COUNT = 150


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw(COUNT, seed=1)


@pytest.fixture(scope="module", params=FORMS)
def root(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, drawn: Drawn
) -> Path:
    return FORMS[request.param](tmp_path_factory.mktemp(request.param), drawn)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, drawn: Drawn) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive"), drawn)


def expected(drawn: Drawn) -> dict[str, list[int]]:
    """Clip id -> votes for the eight classes, by the rule of the recipe; also those it drops."""
    return {
        name.removesuffix(".png"): [n if n >= 2 else 0 for n in votes]
        for name, votes in zip(drawn.names, drawn.votes, strict=True)
    }


def test_check_prepare_train_and_evaluate(
    root: Path, tmp_path: Path, drawn: Drawn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "ferplus", root, "--json", "--workers", 1) == 0
    facts = json.loads(capsys.readouterr().out)
    clips = COUNT + 5 - 2  # a copy in another set, and an image that shows no face
    assert facts["clips"] == facts["with_face_pictures"] == clips
    assert facts["left_out"] == {"validation images that repeat one of train": 1}
    assert facts["speakers"] == clips - 2 and facts["broken"] == {} == facts["notes"]
    assert {row["channel"] for row in facts["labels"]} == {"video"}
    assert run("check", "ferplus", root, "--protocol", "ferplus/validation") == 0
    assert "no leak found" in capsys.readouterr().out

    store, out = tmp_path / "store", tmp_path / "run"
    words = ["--store", store, "--streams", "video/aligned48", "--workers", 1]
    assert run("prepare", "ferplus", root, *words) == 0
    data = Store(store)
    for clip in data.clips:
        stream = data.stream("video/aligned48")[clip.id]
        assert stream.values.shape == (1, 48, 48, 3) and stream.mask.all()
        picture = drawn.pictures[drawn.names.index(f"{clip.id}.png")]
        np.testing.assert_array_equal(stream.values[0, ..., 1], picture)

    assert run("train", "ferplus-small", "--store", store, "--out", out, *TRAINING) == 0
    (row,) = csv.DictReader((out / "fold0/log.csv").open())
    assert 0 < float(row["train/loss"]) < 5
    capsys.readouterr()
    assert run("evaluate", out, "--json") == 0
    ((name, scores),) = json.loads(capsys.readouterr().out)["conditions"].items()
    assert name == "video"
    tested = {
        row["clip"]: row for row in csv.DictReader((out / "evaluation/predictions.csv").open())
    }
    votes = {k: v for k, v in expected(drawn).items() if k in tested}
    # all validation images but the copy of a training image
    assert scores["clips"] == len(tested) == drawn.sets.count("PublicTest") - 1
    table = np.array([[float(tested[k][f"p_{c}"]) for c in COLUMNS[:8]] for k in votes])
    counts = np.array(list(votes.values()))
    true = counts[:, :8].argmax(1)
    assert scores["nll"] == pytest.approx(-np.log(table[range(len(true)), true]).mean(), abs=1e-4)
    assert scores["confidence"] == pytest.approx(table.max(1).mean(), abs=1e-4)
    assert 0 <= scores["ece"] <= 1 and 0 < scores["brier"] < 2
    clear = 2 * counts[:, :8].max(1) > counts.sum(1)
    right = (table.argmax(1) == true)[clear]
    raters = scores["raters"]
    assert raters["majority_clips"] == int(clear.sum())
    assert raters["majority_accuracy"] == pytest.approx(right.mean())
    assert raters["majority_interval_95"][0] <= right.mean() <= raters["majority_interval_95"][1]
    assert run("evaluate", out) == 0
    printed = capsys.readouterr().out
    assert f"of the {clear.sum()} clips for which a majority of raters agrees" in printed
    assert "NLL" in printed and "ECE" in printed


def test_a_picture_most_raters_do_not_know_is_not_learned(
    archive: Path, tmp_path: Path, drawn: Drawn
) -> None:
    from affuse.training.recipe_files import load_recipe
    from affuse.training.targets import training_targets

    prepare(read(archive), tmp_path / "store", [AlignedFaces(48)])
    data = Store(tmp_path / "store")
    learned = training_targets(load_recipe("ferplus-small"), data)
    ids = {clip.id for clip in learned.clips}
    unknown = f"fer{COUNT + 3:07d}"
    assert unknown in {clip.id for clip in data.clips} and unknown not in ids
    assert learned.unused["of none of the classes"] >= 1
    votes = expected(drawn)
    assert learned.majority == {k for k in ids if 2 * max(votes[k][:8]) > sum(votes[k])}
    for name in ids:
        shares = np.array(votes[name][:8]) / sum(votes[name][:8])
        np.testing.assert_allclose(learned.target(name, 0, 0), shares, atol=1e-6)


def test_prepared_again_nothing_is_computed_until_a_clip_is_another_row(
    archive: Path, tmp_path: Path
) -> None:
    corpus, store = read(archive), tmp_path / "store"
    first = prepare(corpus, store, [AlignedFaces(48)])
    assert (first.computed, first.kept, first.failures) == (len(corpus.clips), 0, [])
    assert prepare(corpus, store, [AlignedFaces(48)]).computed == 0
    one, two, *others = corpus.clips
    swapped = [replace(one, row=two.row), replace(two, row=one.row), *others]
    values = [Store(store).stream("video/aligned48")[clip.id].values for clip in (one, two)]
    again = prepare(replace(corpus, clips=swapped), store, [AlignedFaces(48)])
    assert (again.computed, again.kept) == (2, len(others))
    now = [Store(store).stream("video/aligned48")[clip.id].values for clip in (two, one)]
    for before, after in zip(values, now, strict=True):
        np.testing.assert_array_equal(before, after)
    assert not np.array_equal(*values)


@pytest.mark.parametrize("size", [24, 48, 96])
def test_pictures_are_brought_to_the_size_of_the_stream(archive: Path, size: int) -> None:
    import cv2

    clip = read(archive).clips[3]
    extractor = AlignedFaces(size)
    stream = extractor.extract(clip)
    assert stream.values.shape == (1, size, size, 3) and stream.mask.tolist() == [True]
    assert extractor.sources(clip) == [archive / "ferplus.npz"]
    plain = AlignedFaces(48).extract(clip).values[0]
    back = cv2.resize(stream.values[0], (48, 48), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(back - plain).mean() < 6


def drop_column(root: Path) -> None:
    path = root / "fer2013new.csv"
    path.write_text(path.read_text().replace("contempt", "scorn", 1))


def cut_pixels(root: Path) -> None:
    path = root / "fer2013.csv"
    lines = path.read_text().splitlines(keepends=True)
    lines[4] = "0,1 2 3,Training\n"
    path.write_text("".join(lines))


WRONG: dict[str, tuple[Callable[[Path, Drawn], Path], Callable[[Path], object], str]] = {
    "nothing there": (
        lambda root, _: root,
        lambda root: None,
        "fer2013new.csv: no such file; FER+ needs fer2013.csv and fer2013new.csv, or ferplus.npz",
    ),
    "one table": (write_tables, lambda root: (root / "fer2013.csv").unlink(), "no such file; FER+"),
    "a column": (write_tables, drop_column, "fer2013new.csv: line 1: no column contempt"),
    "pixels": (write_tables, cut_pixels, "fer2013.csv: line 5: pixels must be 2304 grey levels"),
    "damaged": (
        write_archive,
        lambda root: (root / "ferplus.npz").write_bytes((root / "ferplus.npz").read_bytes()[:2000]),
        "ferplus.npz: is no .npz file that can be read",
    ),
    "arrays": (
        write_archive,
        lambda root: np.savez(root / "ferplus.npz", images=np.zeros((2, 48, 48), np.uint8)),
        "ferplus.npz: has no array votes (it has images)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_end_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    write, damage, message = WRONG[case]
    root = write(tmp_path, draw(10))
    damage(root)
    words = ["--store", tmp_path / "store", "--streams", "video/aligned48"]
    assert message in refused(capsys, "check", "ferplus", root)
    assert message in refused(capsys, "prepare", "ferplus", root, *words)
    assert not (tmp_path / "store").exists()


def test_wrong_places_and_options_end_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such folder" in refused(capsys, "check", "ferplus", tmp_path / "nowhere")
    (tmp_path / "file").touch()
    assert "is not a folder" in refused(capsys, "check", "ferplus", tmp_path / "file")
    write_archive(tmp_path, draw(10))
    assert "no option 'channel'" in refused(capsys, "check", "ferplus", tmp_path, "channel=video")


def test_sound_of_pictures_cannot_be_learned_from(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--store", tmp_path / "store", "--streams", "audio/mfcc10", "--workers", 1]
    run("prepare", "ferplus", archive, *words)
    places = ["--store", tmp_path / "store", "--out", tmp_path / "run"]
    line = refused(capsys, "train", "ferplus-small", *places, *TRAINING)
    assert "video/aligned48" in line and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("recipe", "change", "fusion", "part"),
    [
        ("ferplus-efficientface", "model.size=48", "chumachenko-ia", "video.stage1.net"),
        pytest.param(
            "ferplus-ir50",
            "model.squeeze_excitation=false",
            "leader-follower-visual",
            "video.frontend.stage1.net",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_backbone_trained_on_pictures_starts_a_published_model(
    archive: Path, tmp_path: Path, recipe: str, change: str, fusion: str, part: str
) -> None:
    store, out = tmp_path / "store", tmp_path / "run"
    assert run("prepare", "ferplus", archive, "--store", store, "--streams", "video/aligned48") == 0
    words = (change, "epochs=1", "batch_size=32", "--store", store, "--out", out)
    assert run("train", recipe, *words) == 0
    trained = out / "fold0/model.safetensors"
    side = 224 if fusion.startswith("chumachenko") else 48
    picture = StreamSpec(f"video/faces{side}", 30.0, (side, side, 3), "uint8")
    sound = StreamSpec("audio/mfcc10", 40.0, (10,))
    video = {"name": "ir50"} if side == 48 else "efficientface"
    model = create_model(fusion, {s.name: s for s in (sound, picture)}, 8, video=video)
    load_backbone(model, trained)
    own = load_model(trained)[0].get_submodule("backbone").state_dict()
    taken = model.get_submodule(part).state_dict()
    assert own.keys() == taken.keys() and all(x.equal(taken[n]) for n, x in own.items())
