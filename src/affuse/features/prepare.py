"""Corpus to store: every stream of every clip, in parallel, resumable."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from affuse.corpora.clip import Corpus
from affuse.errors import AffuseError
from affuse.execution.executors import Executor, Processes
from affuse.execution.files import atomic_path, locked, sweep, write_csv
from affuse.execution.sharing import ALL, Share
from affuse.features.annotation import AnnotationTrack
from affuse.features.consolidate import consolidate, is_fresh, parts_folder, reusable
from affuse.features.extractor import Extractor, Frozen, Packed
from affuse.features.fingerprint import AudioFingerprint, ContentHash, VideoFingerprint
from affuse.features.parts import is_fresh_part, part_path
from affuse.features.recorded import RecordingExtractor
from affuse.features.shards import empty_clips, record_shard
from affuse.features.store import network_path, read_failures, stream_path
from affuse.features.store_index import write_index
from affuse.features.stream_file import StreamFile
from affuse.features.work import Task, compute
from affuse.media.allowance import time_limit
from affuse.media.changes.registry import Change

log = logging.getLogger(__name__)

#: Bytes of the largest frozen network that is kept in a store, and in every model file.
LARGEST_KEPT = 200_000_000


@dataclass
class Prepared:
    """What `prepare` did.

    Args:
        clips: Number of clips in the corpus.
        computed: Streams of clips that were computed now.
        kept: Streams of clips that were there already.
        absent: Stream name -> clips that lack its modality.
        failures: (clip id, stream, reason).
        notes: (clip id, what of it could not be used, or was put right).
        unprinted: Number of clips whose recordings could not be decoded to tell copies of them.
    """

    clips: int
    computed: int = 0
    kept: int = 0
    absent: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    unprinted: int = 0


def prepare(
    corpus: Corpus,
    store: Path,
    extractors: Sequence[Extractor],
    workers: int = 1,
    changes: Sequence[Change] = (),
    for_training: bool = True,
    share: Share = ALL,
    executor: Executor | None = None,
) -> Prepared:
    """Compute streams of all clips into a store; run again after an interrupt, it continues.

    Args:
        corpus: The clips.
        store: Folder of the store, made when absent.
        extractors: One per stream.
        workers: Processes.
        changes: What is done to the recordings before.
        for_training: Whether what a training needs beside them is added: fingerprints of the
            recordings, by which leaks are found, and the annotation over time where the corpus
            has one.
        share: Whose clips are computed. The store is only made of them by a call without a share,
            which computes what is missing; it waits while there are calls with one, which go on
            beside each other.
        executor: Where streams are computed; by default so many processes.

    Returns:
        Counts and failures. A clip that fails is listed in `failures.csv` and left out of training;
        the others go on. Sound or images that are too short are absent, with a note; those that
        cannot be decoded are a failure and absent, and the clip stays with what else there is.

    Raises:
        BadInput: The folder is the store of another corpus or of other changes, or cannot be
            written.
        AffuseError: What is imported, or images that came with the corpus, are to be changed.
    """
    store = Path(store)
    _check_changes(corpus, extractors, changes)
    time_limit()  # before anything is written

    def waits() -> None:
        log.warning("%s: another process prepares it; waiting", store)

    with locked(store, waits, shared=not share.is_all):
        for folder in (store, *(path for path in store.rglob("*") if path.is_dir())):
            sweep(folder)
        return _prepare(
            corpus, store, extractors, executor or Processes(workers), changes, for_training, share
        )


def _check_changes(
    corpus: Corpus, extractors: Sequence[Extractor], changes: Sequence[Change]
) -> None:
    """Refuse changes of what is not read from a recording."""
    for extractor in extractors:
        name, seen = extractor.spec.name, extractor.spec.modality == "video"
        if not any(change.touches(name) for change in changes):
            continue
        if not isinstance(extractor, RecordingExtractor):
            what = "images" if seen else "sound"
            raise AffuseError(f"stream {name} is imported: its {what} cannot be changed here")
        if seen and any({*extractor.sources(clip)} - {clip.video} for clip in corpus.clips):
            raise AffuseError(
                f"stream {name} is of face images that came with the corpus: only recordings can "
                "be changed"
            )


def _prepare(
    corpus: Corpus,
    store: Path,
    extractors: Sequence[Extractor],
    executor: Executor,
    changes: Sequence[Change],
    for_training: bool,
    share: Share,
) -> Prepared:
    write_index(store, corpus, [str(change) for change in changes])
    annotated = for_training and any(clip.annotation for clip in corpus.clips)
    tracks = [AnnotationTrack(corpus.classes)] if annotated else []
    prints = _fingerprints(corpus) if for_training else []
    report, unprinted = _fill(
        corpus, store, [*extractors, *tracks], prints, executor, changes, share
    )
    _keep_networks(store, extractors)
    if not share.is_all:
        return report
    report.unprinted = len(unprinted)
    report.failures = sorted(report.failures + _empty(store, corpus, extractors, report))
    known = {e.spec.name for e in (*extractors, *tracks)}
    others = [row for row in read_failures(store) if row[1] and row[1] not in known]
    write_csv(
        store / "failures.csv", ("clip", "stream", "reason"), sorted(report.failures + others)
    )
    shutil.rmtree(store / "parts", ignore_errors=True)
    return report


def _keep_networks(store: Path, extractors: Sequence[Extractor]) -> None:
    """Copy small frozen networks, so that models trained on their features can hold them."""
    for extractor in extractors:
        if not isinstance(extractor, Frozen | Packed):
            continue
        path = network_path(store, extractor.digest)
        if path.is_file() or _network_size(extractor) > LARGEST_KEPT:
            continue
        if isinstance(extractor, Packed):
            extractor.write_network(path)
        else:
            with atomic_path(path) as temporary:
                shutil.copyfile(extractor.source, temporary)


def _network_size(extractor: Frozen | Packed) -> int:
    """Bytes of the network that an extractor applies."""
    if isinstance(extractor, Packed):
        return extractor.network_size
    return extractor.source.stat().st_size


def _fingerprints(corpus: Corpus) -> list[Extractor]:
    """What tells copies, of the recordings that there are."""
    clips = corpus.clips
    found: list[Extractor] = []
    if any(clip.video or clip.audio for clip in clips):
        found.append(ContentHash())
    if any(clip.audio for clip in clips):
        found.append(AudioFingerprint())
    if any(clip.video or (clip.images and clip.row is None) for clip in clips):
        found.append(VideoFingerprint())
    return found


def _fill(
    corpus: Corpus,
    store: Path,
    extractors: Sequence[Extractor],
    prints: Sequence[Extractor],
    executor: Executor,
    changes: Sequence[Change],
    share: Share,
) -> tuple[Prepared, set[str]]:
    """Compute what is missing of some streams; failures are told, not written.

    Of a share there are parts alone, and no stream is made of them.

    Returns:
        What was done, and the ids of clips that have no fingerprints.
    """
    every = [*extractors, *prints]
    parts = {e.spec.name: parts_folder(store, e) for e in every}
    old = {e.spec.name: reusable(store, e) for e in every}
    clips = [clip for place, clip in enumerate(corpus.clips) if share.has(place)]
    tasks: list[Task] = []
    for clip in clips:
        wanted = [
            e.spec.name
            for e in every
            if not is_fresh(old[e.spec.name], clip, e)
            and not is_fresh_part(part_path(parts[e.spec.name], clip.id), clip, e, whole=True)
        ]
        if wanted:
            tasks.append(Task(clip, wanted))
    names = {e.spec.name for e in extractors}
    report = Prepared(
        len(clips), computed=sum(name in names for task in tasks for name in task.names)
    )
    report.kept = len(clips) * len(extractors) - report.computed
    failed = compute(tasks, every, parts, executor, changes)
    if not share.is_all:
        report.failures = sorted((*key, why) for key, why in failed.items() if key[1] in names)
        streams = {e.spec.name for e in extractors if not isinstance(e, AnnotationTrack)}
        record_shard(store, share, clips, every, parts, failed, names, streams)
        return report, set()
    absent = {
        e.spec.name: consolidate(store, e, corpus.clips, old[e.spec.name], parts[e.spec.name])
        for e in every
    }
    report.absent = {name: count for name, count in absent.items() if name in names}
    for name in absent:
        file = StreamFile(stream_path(store, name))
        failed |= {(clip, name): reason for clip, reason in file.broken.items()}
        if name in names:
            report.notes += [(clip, note) for clip, notes in file.notes.items() for note in notes]
    report.failures = [(*key, reason) for key, reason in failed.items() if key[1] in names]
    report.notes = sorted(set(report.notes))
    return report, {clip for clip, name in failed if name not in names}


def _empty(
    store: Path,
    corpus: Corpus,
    extractors: Sequence[Extractor],
    report: Prepared,
) -> list[tuple[str, str, str]]:
    """Clips of which no stream has a single present frame."""
    files = [StreamFile(stream_path(store, e.spec.name)) for e in extractors]
    failed = {clip for clip, _, _ in report.failures}
    notes: dict[str, list[str]] = {}
    for clip, note in report.notes:
        notes.setdefault(clip, []).append(note)

    def present(clip: str) -> bool:
        return any(file.outline(clip).mask.any() for file in files if clip in file)

    return empty_clips([clip for clip in corpus.clips if clip.id not in failed], notes, present)
