"""What a reader of a timeline should know beside it."""

from __future__ import annotations

from affuse.inference.quality_marks import withheld_summary
from affuse.tasks.prediction import Prediction


def remarks(timeline: Prediction) -> list[str]:
    """What was not there, what was found on the way, and who else is in the image.

    Args:
        timeline: Of a recording.
    """
    absent = {"audio": "there is no sound", "video": "there is no face"}
    lines = [absent.get(name, f"no {name}") for name, p in timeline.presence.items() if not p.share]
    lines += timeline.notes
    if timeline.baseline is not None:
        lines.append(timeline.baseline.summary)
    if withheld := withheld_summary(timeline):
        lines.append(f"{withheld}: too little can be seen and heard to say more")
    if timeline.people > 1:
        lines.append(f"this is person {timeline.person} of {timeline.people}")
    elif timeline.others:
        people = "person is" if timeline.others == 1 else "people are"
        lines.append(f"{timeline.others} other {people} in the image, and not read")
    return lines
