"""`affuse serve`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the queue, the recordings that wait and the results",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="model file that jobs may use, may be repeated; the first is that of jobs that name "
        "none (default: the bundled model)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="name or address to listen on; others than this machine's own need --token-file "
        "(default: 127.0.0.1)",
    )
    parser.add_argument(
        "--port", type=_whole, default=8000, help="port; 0 for a free one (default: 8000)"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the token that clients have to send",
    )
    parser.add_argument(
        "--open", action="store_true", help="open the web page in the browser of this machine"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME[:PORT][=ADDRESS]",
        help="host that recordings may be downloaded from, may be repeated; one with an address "
        "that is not public needs =ADDRESS (default: none)",
    )
    for option, kind, default, metavar, text in (
        ("--max-megabytes", _positive, 500, "MB", "size of an upload"),
        ("--max-minutes", _positive, 60, "MIN", "length of a recording"),
        ("--max-megapixels", _positive, 40, "MP", "size of an image or a frame"),
        ("--max-people", _count, 10, "N", "timelines of a recording"),
        ("--job-minutes", _positive, 60, "MIN", "time that a job may take"),
        ("--queue", _count, 100, "N", "jobs that may wait"),
        ("--jobs", _count, 1, "N", "jobs that are worked on at once"),
        ("--live-sessions", _count, 1, "N", "live sessions at once"),
        ("--live-minutes", _positive, 60, "MIN", "time that a live session may take"),
        ("--keep-hours", _positive, 24, "H", "time until finished jobs are deleted"),
    ):
        parser.add_argument(
            option, type=kind, default=default, metavar=metavar, help=f"{text} (default: {default})"
        )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")


def _whole(word: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise argparse.ArgumentTypeError(f"{word!r} is no whole number")
    return int(word)


def _count(word: str) -> int:
    if not (number := _whole(word)):
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _positive(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{word!r} is no number above 0")
    return number


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    import threading
    import webbrowser

    from affuse.serving.addresses import read_hosts
    from affuse.serving.server import log_to_stderr, serve
    from affuse.serving.settings import Limits, Settings, read_models, read_token

    settings = Settings(
        data=options.data.absolute(),
        models=read_models(options.model),
        host=options.host,
        port=options.port,
        token=None if options.token_file is None else read_token(options.token_file),
        limits=Limits(
            size=round(options.max_megabytes * 1e6),
            duration=options.max_minutes * 60,
            pixels=round(options.max_megapixels * 1e6),
            people=options.max_people,
            seconds=options.job_minutes * 60,
            queued=options.queue,
            at_once=options.jobs,
            sessions=options.live_sessions,
            session=options.live_minutes * 60,
        ),
        keep=options.keep_hours * 3600,
        hosts=read_hosts(options.allow_host),
        device=options.device,
    )
    log_to_stderr()

    def ready(address: str) -> None:
        print(f"serving on {address}", flush=True)
        if options.open:  # some browsers do not come back before they are closed
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    waiting = serve(settings, ready)
    print(f"stopped; {waiting:,} job{'s' * (waiting != 1)} left for the next start")
    return 0
