"""What is said is no surer than what was seen and heard, and every drawing says the same."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.corpora.emotions import EMOTIONS as SYNONYMS
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.colours import colours_of
from affuse.inference.page import _ticks, timeline_page
from affuse.inference.panel import ClassesPanel
from affuse.inference.plot import figure_of
from affuse.tasks.naming import named
from affuse.tasks.presence import Presence
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline
from affuse.tasks.weighing import weighed
from tests.faults.timelines import EMOTIONS, classes_timeline, rows_of, values_timeline

SPECS = {"audio/a": StreamSpec("audio/a", 10.0, (1,)), "video/v": StreamSpec("video/v", 10.0, (1,))}


def sample(heard: float, seen: float) -> dict[str, Stream]:
    """A window of ten frames, present for a share of it."""
    masks = {"audio/a": heard, "video/v": seen}
    return {n: Stream(np.ones((10, 1)), np.arange(10) < round(10 * s)) for n, s in masks.items()}


def model(samples: list[dict[str, Stream]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A model that is the surer the less it sees, as networks are of a few frames."""
    rows = []
    for streams in samples:
        heard, seen = (streams[name].mask.mean() for name in ("audio/a", "video/v"))
        happy = 0.99 if 0 < seen < 1 else 0.7 if seen else 0.4
        rows.append([happy, *[(1 - happy) / 6] * 6] if heard or seen else [np.nan] * 7)
    return np.array(rows, np.float32), {}


def weighed_row(heard: float, seen: float) -> np.ndarray:
    samples = [sample(heard, seen)]
    shares = {"audio": np.array([heard]), "video": np.array([seen])}
    return weighed(model, samples, SPECS, shares)[0][0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10), st.integers(0, 10))
def test_a_window_counts_for_as_much_as_it_shows(heard: int, seen: int) -> None:
    """Half of a modality counts in full, less in proportion, below a tenth nothing."""
    row = weighed_row(heard / 10, seen / 10)
    raw = model([sample(heard / 10, seen / 10)])[0][0]
    if heard == seen == 0:
        assert np.isnan(row).all()
        return
    assert row.sum() == pytest.approx(1, abs=1e-5) and (row > 0).all()
    if min(heard, seen) >= 5 or (max(heard, seen) >= 5 and min(heard, seen) == 0):
        np.testing.assert_array_equal(row, raw)
    if heard == 0:
        assert row[0] == pytest.approx(1 / 7 + min(1, seen / 5) * (raw[0] - 1 / 7), abs=1e-6)
    if heard >= 5 and 0 < seen < 5:  # between what the voice says alone and what both say
        alone = weighed_row(heard / 10, 0)
        assert row[0] == pytest.approx(alone[0] + seen / 5 * (raw[0] - alone[0]), abs=1e-6)


def test_a_sliver_of_a_face_is_not_surer_than_a_whole_one() -> None:
    assert weighed_row(0, 0.1)[0] < weighed_row(0, 0.3)[0] < weighed_row(0, 1)[0]
    assert weighed_row(1, 0.1)[0] < weighed_row(1, 1)[0]


def test_less_than_a_tenth_is_no_reading_and_does_not_change_that_of_a_voice() -> None:
    few = sample(0, 0)
    few["video/v"].mask[0] = True
    samples = [few, few | {"audio/a": Stream(np.ones((10, 1)), np.ones(10, bool))}]
    shares = {"audio": np.array([0.0, 1.0]), "video": np.array([0.09, 0.09])}
    alone, both = weighed(model, samples, SPECS, shares)[0]
    assert np.isnan(alone).all()
    np.testing.assert_allclose(both, weighed_row(1, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([0.40, 0.30, 0.30], "a"),
        ([0.39, 0.30, 0.31], "unclear"),
        ([0.48, 0.42, 0.10], "unclear"),
        ([0.10, 0.42, 0.48], "unclear"),
        ([0.05, 0.90, 0.05], "b"),
        ([0.56, 0.44], "a"),
        ([0.54, 0.46], "unclear"),
        ([1.0], "a"),
        ([0.3, 0.2, 0.2, 0.2, 0.1], "unclear"),
    ],
)
def test_a_class_is_named_where_it_stands_out(row: list[float], said: str) -> None:
    assert named(["a", "b", "c", "d", "e"][: len(row)], np.array(row)) == said


def test_every_output_says_unclear(tmp_path: Path) -> None:
    rows = rows_of(0.2, 0.2, 0.3)
    timeline = classes_timeline(Path("x.mp4"), rows)
    assert timeline.emotion == "unclear"
    assert timeline.headline == "unclear: neutral 0.23, happy 0.13"
    timeline.write_csv(tmp_path / "t.csv")
    assert {r["emotion"] for r in csv.DictReader((tmp_path / "t.csv").open())} == {"unclear"}
    timeline.write_json(tmp_path / "t.json")
    facts = json.loads((tmp_path / "t.json").read_text())
    assert facts["emotion"] == "unclear"
    assert facts["probabilities"]["neutral"] == pytest.approx(0.2333, abs=1e-3)
    page = timeline_page(timeline)
    assert "<h1>x.mp4: unclear: neutral 0.23, happy 0.13</h1>" in page
    assert '"said": ["unclear", "unclear", "unclear"]' in page
    assert "unclear" in figure_of(timeline)._suptitle.get_text()
    said: list[str] = []
    panel = ClassesPanel(timeline, 480)
    panel._text = lambda image, text, *more: said.append(text)
    panel.draw(1.0)
    assert said[0] == "unclear"
    assert classes_timeline(Path("x.mp4")).headline == "neutral 0.80"


def curves_of(timeline: Timeline) -> Sequence[Any]:
    """The lines of the PNG."""
    (axes,) = (a for a in figure_of(timeline).axes if a.get_ylabel() == "probability")
    return axes.lines


@settings(max_examples=12, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=12).filter(any))
def test_curves_are_points_at_the_middle_of_windows_and_nothing_where_nothing_is_known(
    known: list[bool],
) -> None:
    timeline = classes_timeline(Path("x.mp4"), rows_of(*(0.8 if k else None for k in known)))
    drawn: set[float] = set()
    edges = []
    for line in curves_of(timeline):
        times = line.get_xdata()
        if line.get_linestyle() == ":":
            edges.append((times[0], times[-1]))
            continue
        drawn |= set(map(float, times))
        first, last = (int(t) - 1 for t in (times[0], times[-1])) if len(times) else (0, -1)
        assert all(known[first : last + 1])  # no line goes through a window without a reading
    centres = [k + 1.0 for k in range(len(known))]
    assert drawn == {centre for centre, there in zip(centres, known, strict=True) if there}
    end = timeline.duration
    expected = [(0.0, 1.0)] * known[0] + [(end - 1, end)] * known[-1]
    assert sorted(set(edges)) == sorted(set(expected))
    page = timeline_page(timeline)
    (first_curve,) = re.findall(r'<g data-curve="0".*?</g>', page)
    points = re.findall(r'<polyline(?: class="dot")? points="([^"]+)"', first_curve)
    places = {float(p.split(",")[0]) for line in points for p in line.split()}
    assert places == {round(1000 * centre / end, 1) for centre in drawn}
    for time in (0.0, *centres, end):
        nearest = min(range(len(known)), key=lambda k: abs(centres[k] - time))
        assert np.isnan(timeline.at(time)).any() == (not known[nearest])


NAMED = [name for names in SYNONYMS.values() for name in names] + ["contempt"]


@settings(max_examples=50, deadline=None)
@given(st.permutations(NAMED), st.integers(1, len(NAMED)))
def test_an_emotion_has_its_colour_in_every_model(names: list[str], count: int) -> None:
    everywhere = dict(zip(NAMED, colours_of(NAMED), strict=True))
    assert colours_of(names[:count]) == [everywhere[name] for name in names[:count]]
    assert colours_of([name.upper() for name in names]) == [everywhere[name] for name in names]


@settings(max_examples=50, deadline=None)
@given(st.permutations(["boredom", "awe", "pride", "interest", "x", "y"]), st.integers(1, 6))
def test_other_classes_have_colours_that_do_not_depend_on_their_order(
    names: list[str], count: int
) -> None:
    chosen = names[:count]
    assert dict(zip(chosen, colours_of(chosen), strict=True)) == dict(
        zip(sorted(chosen), colours_of(sorted(chosen)), strict=True)
    )
    both = colours_of([*EMOTIONS, *chosen])
    assert len(set(both)) == len(both) and both[: len(EMOTIONS)] == colours_of(EMOTIONS)


def test_synonyms_share_a_colour_and_emotions_do_not() -> None:
    for emotion, names in SYNONYMS.items():
        same = [name for name in names if name != "calm"]
        assert len({*colours_of(same)}) == 1, emotion
    assert len({*colours_of([*SYNONYMS, "calm", "contempt"])}) == len(SYNONYMS) + 2


#: What eyes without green, and without red, receptors make of linear RGB (Viénot 1999).
DEUTERANOPIA = [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]
PROTANOPIA = [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]


@pytest.mark.parametrize("eyes", [np.eye(3), np.array(DEUTERANOPIA), np.array(PROTANOPIA)])
def test_colours_of_emotions_are_told_apart(eyes: np.ndarray) -> None:
    import cv2
    from matplotlib.colors import to_rgb

    rgb = np.array([to_rgb(c) for c in colours_of([*EMOTIONS, "calm", "contempt"])])
    seen = (rgb**2.2 @ eyes.T).clip(0, 1) ** (1 / 2.2)
    lab = cv2.cvtColor(seen[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    distance = min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2))
    assert distance > 19  # 2.3 can just be seen


def test_picture_page_and_video_have_the_same_colours() -> None:
    names = ["surprise", "anger", "boredom", "happiness"]
    timeline = classes_timeline(Path("x.mp4"), classes=names)
    wanted = colours_of(names)
    lines = {x.get_label(): x.get_color() for x in curves_of(timeline)}
    assert [lines[name] for name in names] == wanted
    page = timeline_page(timeline)
    assert re.findall(
        r'<g data-curve="\d" class="hue" style="--colour:(#\w+)"><title>(\w+)</title>', page
    ) == list(zip(wanted, names, strict=True))
    assert (
        re.findall(r'data-curve="\d"><i class="hue" style="--colour:(#\w+)"></i>', page) == wanted
    )
    from affuse.inference.panel import _bright

    assert ClassesPanel(timeline, 480)._colours == [_bright(colour) for colour in wanted]


@pytest.mark.parametrize("timeline", [classes_timeline(Path("x")), values_timeline(Path("x"))])
def test_the_page_has_axes_keys_a_live_region_and_layouts_for_phone_and_paper(
    timeline: Timeline | ValuesTimeline,
) -> None:
    page = timeline_page(timeline)
    assert '<meta name="viewport" content="width=device-width' in page
    assert "@media print" in page and "@media (max-width: 480px)" in page
    assert re.search(r'id="plot" tabindex="0" role="group"', page)
    assert re.search(r'id="said"[^>]* aria-live="polite"', page)
    for key in ("ArrowRight", "ArrowLeft", "Home", "End"):
        assert key in page
    assert page.count('<button type="button" aria-pressed="true"') == page.count("<g data-curve")
    up = re.findall(r'class="tick up"[^>]*>([^<]+)<', page)
    along = re.findall(r'class="tick along" style="left:([\d.]+)%">([^<]+)<', page)
    assert up == (
        ["0", "0.25", "0.5", "0.75", "1"] if "happy" in page else ["-1", "-0.5", "0", "0.5", "1"]
    )
    assert len(along) >= 2
    for left, label in along:
        assert float(left) == pytest.approx(100 * float(label) / timeline.duration, abs=0.01)
    assert "not what a person feels" in page and "Not for decisions" in page.replace("\n", " ")


@settings(max_examples=50, deadline=None)
@given(st.floats(0.03, 1e5))
def test_ticks_are_few_round_and_inside(duration: float) -> None:
    unit, ticks = _ticks(duration)
    assert 1 <= len(ticks) <= 7 and ticks[0][1] == 0
    assert all(0 <= place <= 100.001 for _, place in ticks)
    assert len({label for label, _ in ticks}) == len(ticks)
    assert (":" in ticks[-1][0]) == (unit != "seconds") == (duration >= 120)


def test_the_page_says_what_was_not_there_and_who_else_is() -> None:
    presence = {"audio": Presence(0.0, 25.0, np.zeros(100, bool))}
    timeline = classes_timeline(Path("x.mp4"), presence=presence)
    object.__setattr__(timeline, "others", 2)
    object.__setattr__(timeline, "notes", ["sound left out"])
    page = timeline_page(timeline)
    for words in ("there is no sound", "sound left out", "2 other people are in the image"):
        assert f"<li>{words}" in page


@pytest.mark.slow
def test_a_face_that_is_gone_does_not_go_on_speaking(shared_data: Path) -> None:
    """A person smiles for 2.3 s, then a cartoon with music follows for 4 s."""
    import affuse

    timeline: Timeline = affuse.predict(shared_data / "videos" / "face_noface.mov")
    seen = timeline.window_presence["video"]
    happy = timeline.probabilities[:, timeline.classes.index("happy")]
    assert (happy[seen > 0.5] > 0.9).all() and (happy[seen < 0.1] < 0.4).all()
