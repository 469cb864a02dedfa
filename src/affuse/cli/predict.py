"""`affuse predict`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.cli.done import done_before, records_of
from affuse.cli.model import add_baseline, add_model, chosen_model, read_baseline
from affuse.cli.sources import add_source, read_sources, with_trained_rates
from affuse.cli.tracks import add_tracks, chosen_tracks

if TYPE_CHECKING:
    from affuse.inference.done import Outcome, Records
    from affuse.inference.predictor import Predictor
    from affuse.tasks.prediction import Prediction

HEARD = {"audio": "sound", "video": "face"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="recordings or images, folders of them, or quoted patterns such as 'clips/**/*.mp4'",
    )
    add_model(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the timelines; of folders, patterns and several recordings also for "
        "summary.csv and failures.csv",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="recordings that are worked on at once, each with one thread (default: one, with "
        "threads on all processors)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out recordings that were done with the same model and options, and go on",
    )
    parser.add_argument(
        "--hop",
        type=float,
        help="seconds from window to window, which begin at 0, hop, 2 hop, ... of every recording; "
        "at most a window (default: spread evenly, at most a quarter of the window apart; two "
        "thirds of it for continuous valence and arousal)",
    )
    parser.add_argument(
        "--windows",
        choices=("overlap", "published"),
        help="of joint attention: overlapping windows, or end to end as in its published test "
        "(default: as the model file says)",
    )
    parser.add_argument(
        "--smoothing",
        type=_smoothing,
        metavar="SECONDS",
        help="average continuous valence and arousal over so many seconds, or as `published` for "
        "joint attention (default: as the model file says)",
    )
    parser.add_argument(
        "--overlay",
        action="store_true",
        help="also a video of each recording with images: the face and the predicted emotion",
    )
    parser.add_argument(
        "--formats",
        type=_formats,
        default=(),
        metavar="NAME,...",
        help="also files for programs that people code behaviour with: eaf (ELAN), textgrid "
        "(Praat), boris, vtt (subtitles), audacity; and tidy, one CSV of all people (default: "
        "none)",
    )
    parser.add_argument(
        "--people",
        type=_people,
        default=1,
        metavar="largest|all|N",
        help="a timeline of the main person (largest, the default), of everybody, or of the N "
        "foremost people",
    )
    parser.add_argument(
        "--voice",
        choices=("all", "speaker"),
        help="whose the sound is where several people are seen: everybody's, or that of the one "
        "whose mouth goes with it (default: all for the main person, else speaker)",
    )
    parser.add_argument(
        "--low-quality",
        choices=("withhold", "keep"),
        help="what is said where nothing is seen or heard well enough, such as a blurred face in "
        "silence: left out, or kept and marked (default: emotions that are named are left out, "
        "continuous valence and arousal are kept)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="also what it rests on: how much of each output came from sound and from the face, "
        "from which moments, and from which part of the face or of the spectrum; takes several "
        "times as long",
    )
    parser.add_argument(
        "--stretch",
        type=float,
        metavar="SECONDS",
        help="of --explain: how much sound or images are withheld at a time (default: 0.5)",
    )
    add_baseline(parser)
    parser.add_argument(
        "--same-person",
        action="store_true",
        help="all INPUTs are of one person, and the baseline of each other and of themselves",
    )
    add_tracks(parser)
    add_source(parser)
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")


def _jobs(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and int(word)):
        raise argparse.ArgumentTypeError(f"{word!r} is no number of recordings")
    return int(word)


def _smoothing(word: str) -> float | str:
    if word == "published":
        return word
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{word!r} is neither seconds nor `published`")
    return seconds


def _formats(text: str) -> tuple[str, ...]:
    from affuse.errors import AffuseError
    from affuse.inference.output import formats_of

    try:
        return formats_of(text)
    except AffuseError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _people(word: str) -> int:
    """How many people at most."""
    from affuse.errors import AffuseError
    from affuse.inference.people import how_many

    try:
        return how_many(word)
    except AffuseError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """Predict every input; exit code 2 when some could not be used, after all others are done."""
    from affuse.errors import AffuseError, BadInput, line_of, shown
    from affuse.execution.progress import progress
    from affuse.inference.batch import predict_all
    from affuse.inference.inputs import find_inputs
    from affuse.inference.tables import check_tables, remove_tables, write_tables

    if options.hop is not None and options.hop <= 0:
        raise AffuseError(f"--hop must be positive, not {options.hop:g}")
    if options.stretch is not None:
        _check_stretch(options.stretch, options.explain)
    _check_folder(options.out)
    inputs = find_inputs(options.inputs, options.out)
    many = bool(inputs.found) or len(inputs.names) > 1 or options.resume
    if many:
        check_tables(options.out)
    failures: list[BadInput] = []

    def fail(error: BadInput) -> None:
        failures.append(error)
        print(f"affuse predict: {line_of(error)}", file=sys.stderr)

    for error in inputs.failures:
        fail(error)
    for word, count in inputs.found.items():
        if count:
            print(
                f"affuse predict: {shown(word)}: {_amount(count, inputs.left_out[word])}",
                file=sys.stderr,
            )
    if not inputs.names:
        return 2
    options.source = read_sources(options.source, options.rate)
    options.model = chosen_model(options)
    records = records_of(options, inputs.names) if many else None
    done = done_before(records, inputs.names) if records and options.resume else {}
    left = [path for path in inputs.names if path not in done]
    try:
        options.known = read_baseline(options, inputs.names) if left else None
    except BadInput as error:
        fail(error)
        return 2
    if many:
        remove_tables(options.out)
    work = predict_all(
        left,
        partial(_predictor, options),
        partial(_write_one, names=inputs.names, options=options, records=records),
        options.jobs,
    )
    # every overlay and every explanation has a bar of its own
    own_bar = options.jobs is None and (options.overlay or options.explain)
    for path, outcome in work if own_bar else progress(work, "predict", len(left)):
        if isinstance(outcome, BadInput):
            fail(outcome)
            continue
        done[path] = outcome
        for note in outcome.notes:
            print(f"affuse predict: {shown(path)}: {shown(note)}", file=sys.stderr)
        for line in outcome.lines:
            print(f"{shown(path)}{shown(line)}")
    if many:
        places = {path: place for place, path in enumerate(inputs.names)}
        failures.sort(key=lambda error: places.get(error.path, -1))
        rows = {path: done[path].rows for path in inputs.names if path in done}
        write_tables(options.out, rows, failures)
    return 2 if failures else 0


def _predictor(options: argparse.Namespace) -> Predictor:
    from affuse.inference.predictor import Predictor
    from affuse.models.spec_files import read_spec

    sources = with_trained_rates(options.source, read_spec(options.model).streams)
    return Predictor(
        options.model,
        options.hop,
        options.device,
        sources,
        options.windows,
        options.smoothing,
        options.low_quality,
        options.known,
        options.explain,
        options.stretch,
    )


def _write_one(
    predictor: Predictor,
    path: Path,
    names: Mapping[Path, Path],
    options: argparse.Namespace,
    records: Records | None,
) -> Outcome:
    """Write what there is of one recording, and that it is done."""
    from affuse.execution.worker import allow
    from affuse.inference.attribution.explainer import LONGER
    from affuse.inference.done import Outcome
    from affuse.inference.output import check_free, write_people
    from affuse.inference.people import whose_voice
    from affuse.inference.summary import summary_rows
    from affuse.media.allowance import time_limit

    if options.explain:
        allow(time_limit([path], LONGER))
    read = records.begin(path, names[path]) if records else None
    folder, name = options.out / names[path].parent, names[path].name
    check_free(path, folder, name)
    timelines = predictor.predict_people(
        path,
        options.people,
        whose_voice(options.voice, options.people),
        tracks=chosen_tracks(options),
    )
    outcome = Outcome(
        [_line(timeline) for timeline in timelines],
        timelines[0].notes,
        summary_rows(timelines, names[path]),
    )
    files = write_people(timelines, folder, name, options.overlay, options.formats)
    if records:
        records.keep(read, names[path], files, outcome)
    return outcome


def _line(timeline: Prediction) -> str:
    """What is said about somebody, and on what it rests."""
    from affuse.inference.quality_marks import withheld_summary

    shares = ", ".join(f"{HEARD[n]} {p.summary}" for n, p in timeline.presence.items())
    if timeline.people > 1:
        return f", person {timeline.person}: {timeline.headline} ({shares})"
    people = "other person" if timeline.others == 1 else "other people"
    others = f"; {timeline.others} {people} in the image" if timeline.others else ""
    withheld = withheld_summary(timeline)
    left_out = f"; {withheld}" if withheld else ""
    return f": {timeline.headline} ({shares}){others}{left_out}"


def _check_stretch(seconds: float, explain: bool) -> None:
    """Refuse stretches that are too short, or that nothing asks for."""
    from affuse.errors import AffuseError
    from affuse.inference.attribution.explainer import check_stretch

    if not explain:
        raise AffuseError("--stretch is for --explain")
    check_stretch(seconds)


def _check_folder(out: Path) -> None:
    """Refuse an output folder that is a file, or lies below one, before anything is computed."""
    from affuse.errors import BadInput

    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir():
        below = "" if there == out else f"; {out} cannot lie below it"
        raise BadInput(there, f"is a file, --out must be a folder{below}")


def _amount(count: int, left_out: list[Path]) -> str:
    """How many recordings a folder or a pattern gave, and what it did not."""
    said = f"{count:,} recording{'s' if count > 1 else ''}"
    if not left_out:
        return said
    more = ", ..." if len(left_out) > 3 else ""
    files = f"{len(left_out):,} other file{'s' if len(left_out) > 1 else ''}"
    return f"{said}; left out {files} ({', '.join(path.name for path in left_out[:3])}{more})"
