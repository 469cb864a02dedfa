"""`affuse report`: the page says what the results say, and asks nobody for anything."""

import csv
import json
import re
from pathlib import Path

import pytest
from tests.commands import refused, run
from tests.evaluated import Page, evaluated_run
from tests.judged import class_rows, frame_rows, without, write_rows

from affuse.evaluation.compare import compare
from affuse.evaluation.report.page import write_report

SCORES = "Scores by condition, with 95 % intervals over speakers"


def page_of(*paths: Path, **options: object) -> Page:
    out = paths[0].parent / "report.html"
    write_report(paths, out, **options)
    return Page(out.read_text(encoding="utf-8"))


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    both = [class_rows(1, 3.0), class_rows(2, 0.5)]
    rows = [part + class_rows(k, 0.5, condition="audio") for k, part in enumerate(both)]
    return [evaluated_run(tmp_path / f"run_{k}", part) for k, part in enumerate(rows)]


def test_the_page_says_what_the_results_say(runs: list[Path]) -> None:
    page = page_of(*runs)
    told = [json.loads((x / "evaluation/metrics.json").read_text())["conditions"] for x in runs]
    parts = [scores for conditions in told for scores in conditions.values()]
    low, high = parts[0]["uar_interval_95"]
    assert page.column(SCORES, "UAR")[0] == f"{parts[0]['uar']:.3f} [{low:.3f}, {high:.3f}]"
    for metric in ("accuracy", "NLL", "ECE"):
        said = [cell.split()[0] for cell in page.column(SCORES, metric)]
        assert said == [f"{x[metric.lower()]:.3f}" for x in parts]
    recalls = page.column("Recall of each class", "sad")
    assert recalls == [f"{x['per_class']['sad']['recall']:.2f}" for x in parts]
    folds = page.column("Accuracy by fold", "fold 2")
    assert folds == [f"{x['accuracy_per_fold']['2']:.3f}" for x in parts]
    true, *rows = page.tables["run_0, av"]
    assert true[1:] == [row[0] for row in rows] == parts[0]["classes"]
    share = parts[0]["per_class"]["sad"]["recall"]
    assert rows[1][2] == f"{parts[0]['confusion'][1][1]}{100 * share:.0f}%"
    assert "too few speakers" in page.text and "CC BY 4.0 (<Nobody> & others)" in page.text


def test_the_verdict_is_that_of_compare(runs: list[Path]) -> None:
    found = compare(runs)["comparisons"][0]["verdict"].replace(f"{runs[0].parent}/", "")
    assert found.startswith("run_0 is better than run_1")
    told = f"Accuracy (av): {found}"
    assert page_of(*runs).text.count(told) == 2  # in the summary and among the comparisons


def test_every_pair_is_compared_by_request(runs: list[Path], tmp_path: Path) -> None:
    runs.append(evaluated_run(tmp_path / "run_2", class_rows(3, 1.0)))
    caption = "Comparisons by accuracy, condition av, 96 clips of 8 speakers"
    assert page_of(*runs).column(caption, "second") == ["run_1", "run_2"]
    assert len(page_of(*runs, every_pair=True).column(caption, "second")) == 3


@pytest.mark.parametrize("kind", ["classification", "distribution", "valence-arousal"])
def test_pages_of_every_task_are_well_formed_and_ask_for_nothing(kind: str, tmp_path: Path) -> None:
    made = {
        "classification": lambda: evaluated_run(tmp_path / "run", class_rows()),
        "distribution": lambda: write_rows(tmp_path / "t.csv", class_rows(votes=True)),
        "valence-arousal": lambda: write_rows(tmp_path / "t.csv", frame_rows()),
    }
    page = page_of(made[kind]())
    text = (tmp_path / "report.html").read_text()
    assert page.wrong == [] and len(page.ids) == len({*page.ids})
    assert all(x.startswith("#") and x[1:] in page.ids for x in page.asked)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<iframe", text)
    assert all(page.images) and all(x in ("col", "row") for x in page.scopes)
    assert page.headings[0] == 1 and {*page.headings[1:]} <= {2, 3}
    assert "nan" not in page.text.lower().split()


def test_votes_have_their_own_scores(tmp_path: Path) -> None:
    page = page_of(write_rows(tmp_path / "t.csv", class_rows(votes=True)))
    assert page.column("Beside the raters", "KL")[0].count("[") == 1
    (worst,) = (x for x in page.tables if "Kullback-Leibler" in x)
    apart = [float(x) for x in page.column(worst, "KL")]
    assert len(apart) == 8 and apart == sorted(apart, reverse=True)


@pytest.mark.parametrize("learned", ["classification", "distribution"])
@pytest.mark.parametrize("votes", [True, False])
def test_classes_are_compared_by_accuracy_unless_votes_were_learned_and_are_there(
    learned: str, votes: bool, tmp_path: Path
) -> None:
    changes = (
        [] if learned == "classification" else ["task=distribution", "labels.rule=distribution"]
    )
    run = evaluated_run(tmp_path / "run", class_rows(votes=votes), changes=changes)
    head = page_of(run).tables["Main scores, with 95 % intervals over speakers"][0]
    both = learned == "distribution" and votes
    assert head[1:] == (["KL", "accuracy"] if both else ["accuracy", "UAR"])


def test_valence_and_arousal_have_a_row_for_each_dimension(tmp_path: Path) -> None:
    page = page_of(write_rows(tmp_path / "t.csv", frame_rows()))
    assert page.column(SCORES, "dimension") == ["valence", "arousal", "mean"]
    assert all(x.count("[") == 1 for x in page.column(SCORES, "CCC"))


def test_the_worst_clips_are_wrong_and_the_surest_first(runs: list[Path]) -> None:
    page = page_of(runs[1], clips=5)
    (caption,) = (x for x in page.tables if x.startswith("Clips that the model is wrong about"))
    sure = [float(x) for x in page.column(caption, "confidence")]
    assert len(sure) == 5 and sure == sorted(sure, reverse=True)
    assert all(
        one != other
        for one, other in zip(
            page.column(caption, "true"), page.column(caption, "predicted"), strict=True
        )
    )


def test_a_page_without_a_root_holds_no_recordings_and_says_how_it_was_made(
    runs: list[Path],
) -> None:
    page = page_of(runs[0])
    assert "images and sound of identifiable people" not in page.text
    assert f"affuse report {runs[0]} --out report.html" in page.text


def test_the_same_results_give_the_same_bytes(runs: list[Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(runs, tmp_path / name / "report.html")
    one, other = ((tmp_path / name / "report.html").read_bytes() for name in ("a", "b"))
    assert one == other


def test_every_table_is_written_in_three_formats(tmp_path: Path) -> None:
    names = {"happy": "happy_&_100%", "sad": "sad#1", "angry": "{angry}"}
    rows = [
        {re.sub("|".join(names), lambda m: names[m[0]], k): names.get(v, v) for k, v in row.items()}
        for row in class_rows()
    ]
    run("report", evaluated_run(tmp_path / "run_a", rows), "--out", tmp_path / "r.html",
        "--tables", tmp_path / "t")  # fmt: skip
    with (tmp_path / "t/recall.csv").open(newline="") as file:
        assert [*next(csv.DictReader(file))] == ["condition", *names.values()]
    text = (tmp_path / "t/recall.tex").read_text()
    assert r"happy\_\&\_100\% & sad\#1 & \{angry\}" in text and r"\toprule" in text
    assert r"run\_a" in (tmp_path / "t/confusion-run_a-av.tex").read_text()
    formats = [
        {x.stem for x in (tmp_path / "t").glob(f"*{end}")} for end in (".csv", ".md", ".tex")
    ]
    assert (
        formats[0] == formats[1] == formats[2] >= {"scores", "folds", "worst", "confusion-run_a-av"}
    )
    page = Page((tmp_path / "r.html").read_text())
    assert page.wrong == [] and "happy_&_100%" in page.tables["Recall of each class"][0]


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    rows = [row | {"speaker": f"{evil}{row['speaker']}"} for row in class_rows()]
    page_of(evaluated_run(tmp_path / "run", rows))
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_what_was_known_of_speakers_is_never_mixed(
    runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    past = [row | {"baseline": "past"} for row in class_rows()]
    rows = write_rows(runs[0].parent / "past.csv", past)
    line = refused(capsys, "report", runs[0], rows, "--out", runs[0] / "r.html")
    assert "past.csv: is of baseline past" in line and "none" in line
    assert "Known of each speaker: past." in page_of(rows).text


def test_another_evaluation_of_a_run_has_its_record_too(runs: list[Path]) -> None:
    (runs[0] / "evaluation").rename(runs[0] / "evaluation-past")
    page = page_of(runs[0] / "evaluation-past")
    assert ["protocol", "mine version 1, SHA-256 abababababab"] in page.tables[
        "Training and evaluation"
    ]


def test_what_cannot_be_on_a_page_is_one_line(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*paths: object) -> str:
        return refused(capsys, "report", *paths, "--out", tmp_path / "r.html")

    other = evaluated_run(tmp_path / "other", class_rows(), corpus="ravdess")
    assert said(runs[0], other).endswith(
        f"{other}: is of corpus ravdess, {runs[0]} of folder: they cannot be compared"
    )
    fewer = evaluated_run(tmp_path / "fewer", class_rows(clips=11))
    assert "lacks 8 of the 96 clips" in said(runs[0], fewer)
    assert "named twice" in said(runs[0], runs[0])
    assert "no run.json" in said(tmp_path)
    assert "no such file" in said(tmp_path / "nothing.csv")
    assert "below 0" in said(runs[0], "--clips", -1)
    assert "ends in .html" in refused(capsys, "report", runs[0], "--out", tmp_path / "r.docx")
    (runs[1] / "evaluation/metrics.json").write_text('{"conditions": {}}')
    assert "metrics.json: is no result" in said(runs[1])
    (runs[1] / "evaluation/metrics.json").unlink()
    assert f"{runs[1]}: has not been evaluated yet: affuse evaluate" in said(runs[1])
    rows = class_rows()
    rows[3]["p_sad"] = "nan"
    table = write_rows(tmp_path / "nan.csv", rows)
    assert said(table).endswith("line 5: p_sad of clip c003 is no finite number")
    table = write_rows(tmp_path / "no.csv", without(class_rows(), "speaker"))
    assert "does not say its corpus" in said(table, "--root", tmp_path)
    assert not (tmp_path / "r.html").exists()


def test_models_of_one_modality_each_are_side_by_side_but_not_compared(tmp_path: Path) -> None:
    voice = evaluated_run(tmp_path / "voice", class_rows(condition="audio"))
    face = evaluated_run(tmp_path / "face", class_rows(condition="video"))
    page = page_of(voice, face)
    assert "have no condition in common" in page.text
    assert page.column(SCORES, "model") == ["voice", "face"]


def test_speakers_of_one_clip_each_have_no_scores_of_their_own(tmp_path: Path) -> None:
    page = page_of(write_rows(tmp_path / "t.csv", class_rows(speakers=40, clips=1)))
    assert not [x for x in page.tables if "speaker" in x and x.startswith("Accuracy")]
    page = page_of(write_rows(tmp_path / "t.csv", class_rows(speakers=40, clips=2)))
    (head, *rows) = page.tables["Accuracy by speaker"]
    assert [row[0] for row in rows] == [f"s{k}" for k in range(40)] and head[0] == "speaker"


def test_a_surface_and_checks_are_shown_where_they_lie_in_the_run(runs: list[Path]) -> None:
    (runs[0] / "evaluation/surface").mkdir()
    lines = ["modality,change,value,condition,metric,score,low,high,clips,lost_clips,below_floor"]
    lines += [",,,av,accuracy,0.97,0.96,0.98,96,0,", ",,,av,uar,0.1,,,96,0,"]
    lines += [f"audio,babble,{x},av,accuracy,0.{x}5,0.{x}0,0.{x}9,96,0,0" for x in (9, 5, 1)]
    lines += [f"audio,babble,{x},video,accuracy,0.5,,,96,0," for x in (9, 5, 1)]
    (runs[0] / "evaluation/surface/surface.csv").write_text("\n".join(lines))
    check = {"name": "copies", "group": "data", "question": "Is it <fair>?", "verdict": "fails"}
    (runs[0] / "check-model.json").write_text(json.dumps([check | {"value": 0.25}]))
    page = page_of(runs[0])
    caption = "Scores of changed recordings, with 95 % intervals over speakers"
    assert page.column(caption, "change") == ["unchanged", *["babble"] * 6]
    assert page.column(caption, "accuracy")[2:5] == [
        "0.550 [0.500, 0.590]",
        "0.150 [0.100, 0.190]",
        "0.500",
    ]
    assert "av, unchanged" in page.text
    assert any("changed by babble; av at 9: 0.950" in str(alt) for alt in page.images)
    assert page.tables["Checks of the model"][1] == [
        "data", "copies", "Is it <fair>?", "0.25", "", "fails", ""
    ]  # fmt: skip


def test_sets_of_calibrated_models_are_shown(runs: list[Path]) -> None:
    file = runs[0] / "evaluation/metrics.json"
    told = json.loads(file.read_text())
    sets = {"clips": 96, "coverage": 0.91, "coverage_interval_95": [0.8, 0.95], "size": 1.5}
    told["conditions"]["av"]["sets"] = sets
    file.write_text(json.dumps(told | {"coverage": [0.9]}))
    assert page_of(runs[0]).tables["Conformal sets"][1] == [
        "av", "96", "0.90", "0.910 [0.800, 0.950]", "1.50"
    ]  # fmt: skip
