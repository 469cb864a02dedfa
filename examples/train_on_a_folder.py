"""A model of your own recordings, and its scores: train_on_a_folder.py RECORDINGS WORK.

RECORDINGS has a `clips.csv` with the columns path, label and speaker, and at least four speakers.
"""

import sys
from pathlib import Path

import affuse

RECIPE = """\
name: mine
corpus: folder
protocol: leave-one-speaker-out
streams: [audio/mfcc10]
window: 1.0
model: {name: audio-only}
epochs: 30
batch_size: 8
selection: last
"""

if __name__ == "__main__":
    recordings, work = map(Path, sys.argv[1:])
    work.mkdir(exist_ok=True)
    (work / "recipe.yaml").write_text(RECIPE)
    with affuse.progress_bars():
        done = affuse.prepare("folder", recordings, work / "store", ["audio/mfcc10"], workers=2)
        for clip, stream, reason in done.failures:
            print(f"{clip}: {stream}: {reason}", file=sys.stderr)
        models = affuse.train(work / "recipe.yaml", work / "store", work / "run", epochs=3)
        scores = affuse.evaluate(work / "run")
    print(f"{len(models)} models; accuracy on speakers they do not know:")
    for condition, result in scores["conditions"].items():
        print(f"{condition}: {result['accuracy']:.2f}")
