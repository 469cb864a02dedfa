"""`affuse demo`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

#: Model in the report -> changes to the recipe.
MODELS = {"with modality dropout": [], "without modality dropout": ["dropout.kind=none"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder (default: demo)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")


def run(options: argparse.Namespace) -> int:
    """Synthesise, prepare, train twice, evaluate, predict a new clip and write a report."""
    import torch

    from affuse.corpora.registry import read_corpus
    from affuse.corpora.synthetic.ravdess import synthesise
    from affuse.evaluation.evaluate import evaluate
    from affuse.evaluation.report.page import write_report
    from affuse.execution.progress import progress
    from affuse.features.catalogue import create_extractor
    from affuse.features.prepare import prepare
    from affuse.inference.output import write_timeline
    from affuse.inference.predictor import Predictor
    from affuse.tasks.timeline import Timeline
    from affuse.training.recipe_files import load_recipe
    from affuse.training.run import MODEL_FILE
    from affuse.training.train import train

    torch.set_num_threads(1)  # networks this small only wait for a second thread
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {text}", file=sys.stderr)

    out: Path = options.out
    recipe = load_recipe("demo")
    say("a synthetic corpus: 24 actors, 8 emotions, half told by the voice, half by the face")
    synthesise(
        out / "corpus",
        intensities=(1,),
        repetitions=(1,),
        workers=options.workers,
        progress=progress,
    )
    say("streams: sound features and face crops")
    extractors = [create_extractor(name) for name in recipe.streams]
    prepare(read_corpus("ravdess", out / "corpus"), out / "store", extractors, options.workers)
    results, runs = {}, []
    for name, changes in MODELS.items():
        run = out / "runs" / name.replace(" ", "-")
        say(f"train {recipe.model['name']} {name}")
        chosen = load_recipe("demo", changes)
        # the demo makes a part of the protocol's clips only
        list(train(chosen, out / "store", run, resume=True, allow=["missing"]))
        results[name] = evaluate(run)
        runs.append(run)
    say("predict a recording of a new actor")
    synthesise(
        out / "new",
        seed=1,
        actors=[7],
        intensities=(2,),
        repetitions=(1,),
        statements=(1,),
        seconds=6.0,
    )
    path = sorted((out / "new").rglob("01-01-03-*.mp4"))[0]
    model = out / "runs" / next(iter(MODELS)).replace(" ", "-") / "fold0" / MODEL_FILE
    timeline = Predictor(model).predict(path)
    assert isinstance(timeline, Timeline)  # the demo trains classes
    write_timeline(timeline, out / "prediction", "happy")
    links = [out / "prediction" / "happy.html"]
    write_report(runs, out / "report.html", root=out / "corpus", links=links)
    say("done")
    print(f"{'accuracy on 4 new actors':26}{'av':>8}{'audio':>8}{'video':>8}")
    for name, result in results.items():
        scores = (result["conditions"][c]["accuracy"] for c in ("av", "audio", "video"))
        print(f"{name:26}" + "".join(f"{score:8.2f}" for score in scores))
    print(f"{path.name} (happy) is predicted as {timeline.emotion}")
    print(f"report: {out / 'report.html'}")
    return 0
