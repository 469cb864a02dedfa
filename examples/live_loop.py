"""Do something whenever the emotion changes: live_loop.py SOURCE (a file, a camera, a URL)."""

import sys

import affuse

last = None
for line in affuse.live(sys.argv[1], hop=0.5):
    probabilities = line["probabilities"]
    if probabilities is None:  # nobody is seen or heard
        continue
    emotion = max(probabilities, key=probabilities.get)
    if emotion != last:
        print(f"{line['time']:.1f} s: {emotion} ({probabilities[emotion]:.2f})", flush=True)
        last = emotion
