"""Streams that are computed from recordings keep the contract of a stream."""

from __future__ import annotations

from affuse.verification.contracts.stream import StreamContract


class TestMfcc(StreamContract):
    name = "audio/mfcc10"


class TestPublishedMfcc(StreamContract):
    name = "audio/mfcc10-published"


class TestLogMel(StreamContract):
    name = "audio/logmel64-16k"


class TestMfcc39(StreamContract):
    name = "audio/mfcc39"


class TestVggishLogMel(StreamContract):
    name = "audio/logmel64-vggish"


class TestTsavMel(StreamContract):
    name = "audio/logmel64-tsav"


class TestLevel(StreamContract):
    name = "audio/level"


class TestLoud(StreamContract):
    name = "audio/loud"
