"""The emotion over time of a video, as a figure: predict_and_plot.py VIDEO FIGURE."""

import sys

import affuse

video, figure = sys.argv[1:]
timeline = affuse.predict(video)
print(timeline)
for name, presence in timeline.presence.items():
    print(f"{name}: there for {presence.share:.0%} of the time")
timeline.plot().savefig(figure, dpi=150)
