"""An example of every verb, which its help ends with."""

from __future__ import annotations

EXAMPLES = {
    "demo": "affuse demo --out demo",
    "list": "affuse list models",
    "synth": "affuse synth ravdess corpus actors=4",
    "fetch": "affuse fetch cremad CREMA-D",
    "check": "affuse check ravdess RAVDESS",
    "protocol": "affuse protocol folder recordings --out protocol.csv --folds 5",
    "prepare": "affuse prepare ravdess corpus --store store --streams audio/mfcc10,video/faces48",
    "train": "affuse train demo epochs=2 fold=0 --store store --out run --allow missing",
    "evaluate": "affuse evaluate run --conditions av audio video",
    "check-model": "affuse check-model run --out run/checks",
    "calibrate": "affuse calibrate run",
    "compare": "affuse compare run-a run-b",
    "report": "affuse report run-a run-b --out report.html",
    "card": "affuse card run --out card.md",
    "table": "affuse table paper.yaml --store store --out table",
    "submit": "affuse submit slurm --shards 9 --out jobs -- table paper.yaml --store store --out t",
    "power": "affuse power --speakers 24 --clips 60 --accuracy 0.7 --difference 0.03",
    "reproduce": "affuse reproduce auxformer-cremad --synthetic --out rehearsal",
    "combine": "affuse combine --audio voice --video face --out both.safetensors",
    "ensemble": "affuse ensemble run --out submission",
    "predict": "affuse predict talk.mp4 --out timelines",
    "agree": "affuse agree human/talk.eaf timelines/talk.json",
    "events": "affuse events events.csv timelines/*.json --out responses",
    "live": "affuse live talk.mp4 --hop 0.5",
    "serve": "affuse serve --data jobs",
    "export": "affuse export run/fold0/model.safetensors --format onnx --out model.onnx",
    "convert": "affuse convert chumachenko lt.pth heads=1 --out lt.safetensors",
    "parity": "affuse parity parity/cases",
}
