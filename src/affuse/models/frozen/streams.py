"""The streams that frozen networks compute, by name."""

from __future__ import annotations

from pathlib import Path

from affuse.registry import Entry


def _encoder(family: str, target: str, network: str) -> dict[str, Entry]:
    """The streams of the layers of an encoder of sound."""
    arguments = {"name": str, "source": Path}
    about = {
        "-layers": f"what every layer of {network} makes of the second around each frame, 50 Hz; "
        "weights imported",
        "-layers<N>": "the same up to the Nth layer",
        "-layer<N>": "the same, of the Nth layer alone",
        "": "the same, of the last layer alone",
    }
    return {
        f"audio/{family}-<word>{ending}": Entry(target, summary, arguments)
        for ending, summary in about.items()
    }


#: Pattern of names -> entry, as in `features.catalogue`.
STREAMS: dict[str, Entry] = {
    "audio/vggish": Entry(
        "affuse.models.frozen.vggish:Vggish",
        "128 features of VGGish on the second around each frame, 30 Hz; weights imported",
        {"source": Path},
    ),
    "audio/vggish-causal": Entry(
        "affuse.models.frozen.vggish:Vggish",
        "the same on the second before each frame",
        {"source": Path, "alignment": "causal"},
    ),
    "audio/vggish-published": Entry(
        "affuse.models.frozen.vggish:Vggish",
        "the same as published: on the second that begins with each frame",
        {"source": Path, "alignment": "published"},
    ),
    "audio/tsav": Entry(
        "affuse.models.frozen.tsav:TsavSound",
        "512 features of TSAV on the 10 s around each frame, 3.75 Hz; weights imported",
        {"source": Path},
    ),
    "audio/tsav-published": Entry(
        "affuse.models.frozen.tsav:TsavSound",
        "the same on the second before each frame, as joint attention reads it, 30 Hz",
        {"source": Path, "alignment": "published"},
    ),
    **_encoder("whisper", "affuse.models.frozen.whisper:Whisper", "Whisper's encoder"),
    "audio/wav2vec2": Entry(
        "affuse.models.frozen.wav2vec2:Wav2Vec2",
        "last layer of wav2vec 2.0 with 12 layers, of 12 s at once as published, 50 Hz; weights "
        "imported",
        {"source": Path},
    ),
    **_encoder("wav2vec2", "affuse.models.frozen.speech:Wav2Vec2Stream", "wav2vec 2.0"),
    **_encoder("hubert", "affuse.models.frozen.speech:HubertStream", "HuBERT"),
    **_encoder("wavlm", "affuse.models.frozen.speech:WavLMStream", "WavLM"),
    "audio/frozen-<word>": Entry(
        "affuse.models.frozen.front_end:FrozenFrontEnd",
        "what the audio front-end of a model file makes of its stream",
        {"name": str, "source": Path},
    ),
    "video/ir50": Entry(
        "affuse.models.frozen.front_end:FrozenIR50",
        "512 features of IR-50 on face images of 40 x 40 pixels, 30 Hz; weights imported",
        {"source": Path},
    ),
    "video/tsav": Entry(
        "affuse.models.frozen.tsav:TsavPictures",
        "maps (512, 7, 7) of TSAV on 8 images up to each frame, 3.75 Hz; weights imported",
        {"source": Path},
    ),
    "video/tsav-published": Entry(
        "affuse.models.frozen.tsav:TsavPictures",
        "the same as joint attention reads them, 30 Hz",
        {"source": Path, "alignment": "published"},
    ),
    "video/frozen-<word>": Entry(
        "affuse.models.frozen.front_end:FrozenFrontEnd",
        "what the video front-end of a model file makes of its stream",
        {"name": str, "source": Path},
    ),
}
