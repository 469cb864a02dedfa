"""The process of a live session: what comes in on its standard input goes through a model.

It is given an `Order` and then messages, the last of which is empty. It writes lines of JSON for
the client: `ready`, what `affuse live` says, and `end` or `error`. A line `+N` tells the server
that a message of N bytes does not wait any more.
"""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Callable
from typing import IO

from affuse.errors import AffuseError
from affuse.execution.logs import say_as_parent
from affuse.execution.worker import end_with_parent, read_message, take_pipes
from affuse.features.speakers import NO_BASELINE
from affuse.inference.live import KEPT, follow
from affuse.inference.predictor import Predictor
from affuse.media.live import Live
from affuse.media.pushed import NoImage, Pushed, TooManyPixels
from affuse.serving.live_messages import HEADER, SOUND, Order, SessionError


def work() -> None:
    """Do one session; the standard input ends when the client has said all."""
    incoming, outgoing = take_pipes()
    end_with_parent()
    say_as_parent()
    lock = threading.Lock()

    def say(line: str) -> None:
        with lock:
            outgoing.write(line.encode() + b"\n")
            outgoing.flush()

    try:
        message = read_message(incoming)
        order: Order = pickle.loads(message)
        _follow(order, incoming, say)
    except AffuseError as error:
        detail = str(error).replace(f"{order.model.parent}/", "")
        say(SessionError("unusable", detail).text())


def _follow(order: Order, incoming: IO[bytes], say: Callable[[str], None]) -> None:
    start = order.start
    predictor = Predictor(order.model, None, order.device)
    if not start.past and predictor.baselines is None:
        raise AffuseError(f"past: {NO_BASELINE}")
    if start.delay > predictor.window:
        raise AffuseError(
            f"delay: at most the window of the model ({predictor.window:g} s), not {start.delay:g}"
        )
    pushed = Pushed(
        "session",
        {spec.modality for spec in predictor.spec.streams.values()},
        start.sound,
        start.images,
        start.realtime,
        order.pixels,
        lambda size: say(f"+{HEADER.size + size}"),
    )
    live = Live(pushed, predictor.window + KEPT)
    counts = {"lines": 0, "left_out": 0}
    lines = follow(predictor, live, start.hop, start.delay, counts, start.past)
    ready = {"outputs": predictor.spec.outputs, "window": predictor.window}
    say(json.dumps({"ready": ready}))
    say("+0")  # the order
    threading.Thread(target=_read, args=(incoming, pushed, say), daemon=True).start()
    for line in lines:
        counts["lines"] += 1
        say(json.dumps(line.to_json(predictor.spec)))
    say(json.dumps({"end": counts | {"dropped": live.dropped}}))


def _read(incoming: IO[bytes], pushed: Pushed, say: Callable[[str], None]) -> None:
    """Push what comes, until an empty message; the server ends the process after an error."""
    try:
        while message := read_message(incoming):
            kind, time = HEADER.unpack_from(message)
            (pushed.push_sound if kind == SOUND else pushed.push_image)(
                time, message[HEADER.size :]
            )
    except NoImage as error:
        say(SessionError("bad_image", str(error)).text())
    except TooManyPixels as error:
        say(SessionError("too_many_pixels", str(error)).text())
    except EOFError:  # the server is gone
        os._exit(0)
    else:
        pushed.end()
