"""Streams of the layers of wav2vec 2.0, HuBERT and WavLM, computed by `transformers`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from affuse.errors import AffuseError, BadInput
from affuse.extras import need
from affuse.models.frozen.encoder import Encoder, EncoderStream, check_layers
from affuse.models.frozen.network import device
from affuse.models.frozen.weights import packed, read_weights, weights_file

#: Samples from frame to frame, and of one frame: what the strides and kernels come to.
HOP, FIELD = 320, 400
_STRIDES, _KERNELS = (5, 2, 2, 2, 2, 2, 2), (10, 3, 3, 3, 3, 2, 2)
#: Family -> what `transformers` calls its classes, and people the network.
_FAMILIES = {
    "wav2vec2": ("Wav2Vec2", "wav2vec 2.0"),
    "hubert": ("Hubert", "HuBERT"),
    "wavlm": ("WavLM", "WavLM"),
}
#: What of a description decides the values beside the weights; some families lack some.
_DECIDES = (
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "hidden_act",
    "layer_norm_eps",
    "do_stable_layer_norm",
    "feat_extract_norm",
    "feat_extract_activation",
    "feat_proj_layer_norm",
    "conv_dim",
    "conv_bias",
    "num_conv_pos_embeddings",
    "num_conv_pos_embedding_groups",
    "conv_pos_batch_norm",
    "num_buckets",
    "max_bucket_distance",
)
#: In the metadata of a file that holds the description of its network too.
_KEY = "network"


class SpeechStream(EncoderStream):
    """`audio/wav2vec2-<word>`, `audio/hubert-<word>`, `audio/wavlm-<word>`; see `EncoderStream`.

    Row i is about the samples 320 i to 320 i + 399 at 16 kHz, and their surroundings. Each piece of
    sound has mean 0 and deviation 1 where the `preprocessor_config.json` beside the weights says
    so; without one, where the first layers are normalised frame by frame.

    Args:
        name: Of the stream.
        source: A folder with a `config.json` and weights as `transformers` writes them.

    Raises:
        AffuseError: transformers is not installed.
    """

    family: str

    @classmethod
    def file(cls, source: Path) -> Path:
        """See `EncoderStream`."""
        return weights_file(source, _FAMILIES[cls.family][1])

    @classmethod
    def load(cls, path: Path, layers: int | None) -> Encoder:
        """See `EncoderStream`."""
        weights = read_weights(path, "feature_projection.projection.weight", (f"{cls.family}.", ""))
        facts = _facts(path, weights.metadata, cls.family)
        config = read_config(path, facts, cls.family)
        state = renamed(weights.state)
        check_layers(path, map(layer_of, state), layers or config.num_hidden_layers)
        if layers is not None:
            config.num_hidden_layers = facts["num_hidden_layers"] = layers
            state = {name: x for name, x in state.items() if layer_of(name) < layers}
        content = packed(weights, state, {_KEY: json.dumps(facts, sort_keys=True)})
        rounded = {name: x.half().float() for name, x in state.items()}
        network = build_network(path, config, rounded, cls.family)
        speech = _Speech(network, facts["normalised"], layers is not None)
        known = {"extractor": cls.family}
        return Encoder(speech, config.hidden_size, config.num_hidden_layers, content, known)


class Wav2Vec2Stream(SpeechStream):
    """`audio/wav2vec2-<word>`. Source: Baevski et al. 2020."""

    family = "wav2vec2"


class HubertStream(SpeechStream):
    """`audio/hubert-<word>`. Source: Hsu et al. 2021."""

    family = "hubert"


class WavLMStream(SpeechStream):
    """`audio/wavlm-<word>`. Source: Chen et al. 2022."""

    family = "wavlm"


class _Speech(nn.Module):
    """A network of `transformers`, and what of its layers is wanted.

    Args:
        network: It.
        normalised: Whether sound is brought to mean 0 and deviation 1.
        cut: Whether layers follow that are not there, so that the last one is as it is.
    """

    def __init__(self, network: Any, normalised: bool, cut: bool) -> None:
        super().__init__()
        self.network, self.normalised, self.cut = network, normalised, cut

    def ready(self) -> _Speech:
        """See `affuse.models.frozen.encoder.Network`."""
        return self.to(device())

    @torch.inference_mode()
    def states(self, samples: np.ndarray) -> np.ndarray:
        """See `affuse.models.frozen.encoder.Network`."""
        x = torch.from_numpy(samples)
        if self.normalised:
            x = (x - x.mean()) / (x.var(correction=0) + 1e-7).sqrt()
        x = nn.functional.pad(x, (0, FIELD - HOP)).to(self.network.device)
        states: list[Tensor] = []
        layers = self.network.encoder.layers
        hooks = [layers[0].register_forward_pre_hook(lambda _, x: states.append(x[0]))]
        for layer in layers:
            hook = layer.register_forward_hook(
                lambda _, x, y: states.append(y[0] if isinstance(y, tuple) else y)
            )
            hooks.append(hook)
        try:
            last = self.network(x[None]).last_hidden_state
        finally:
            for hook in hooks:
                hook.remove()
        chosen = states if self.cut else [*states[:-1], last]
        return torch.cat(chosen).transpose(0, 1).float().cpu().numpy()


def _facts(path: Path, metadata: Mapping[str, str], family: str) -> dict[str, Any]:
    """What describes a network: what the file with its weights says, or the files beside it."""
    if _KEY in metadata:
        return read_json(path, metadata[_KEY])
    described = path.with_name("config.json")
    if not described.is_file():
        raise BadInput(described, f"is missing, which describes a {_FAMILIES[family][1]} network")
    config = read_config(described, read_json(described), family)
    facts = {key: getattr(config, key) for key in _DECIDES if hasattr(config, key)}
    facts["conv_dim"] = list(facts["conv_dim"])
    prepared = path.with_name("preprocessor_config.json")
    told = read_json(prepared) if prepared.is_file() else {}
    normalised = told.get("do_normalize", facts["feat_extract_norm"] == "layer")
    return facts | {"normalised": bool(normalised)}


def read_json(path: Path, text: str | None = None) -> dict[str, Any]:
    """What a JSON file says of a network, or a text in it.

    Raises:
        BadInput: It is no JSON object.
    """
    try:
        held = json.loads(path.read_bytes() if text is None else text)
    except (OSError, ValueError) as error:
        raise BadInput(path, f"is not the description of a network ({error})") from error
    if not isinstance(held, dict):
        raise BadInput(path, "is not the description of a network")
    return held


def transformers_class(family: str, kind: str) -> Any:
    """The class of a family in `transformers`, `Config` or `Model`."""
    need("wav2vec2", f"stream audio/{family}*")
    import transformers

    return getattr(transformers, _FAMILIES[family][0] + kind)


def read_config(path: Path, told: Mapping[str, Any], family: str) -> Any:
    """The configuration of a network.

    Args:
        path: The file that messages name.
        told: What a `config.json` holds, or a part of that.
        family: Of the network.

    Raises:
        BadInput: It is no such description, or that of another network.
        AffuseError: transformers is not installed.
    """
    kind = transformers_class(family, "Config")
    network = _FAMILIES[family][1]
    if told.get("model_type", family) != family:
        raise BadInput(path, f"does not describe a plain {network} network")
    try:
        config = kind(**{key: x for key, x in told.items() if key != "model_type"})
    except Exception as error:  # any JSON may be in there
        raise BadInput(path, f"is not the description of a network ({error})") from error
    if getattr(config, "add_adapter", False):
        raise BadInput(path, f"does not describe a plain {network} network")
    if (tuple(config.conv_stride), tuple(config.conv_kernel)) != (_STRIDES, _KERNELS):
        raise BadInput(path, "describes a network with other frames than 25 ms every 20 ms")
    # Masking is for training; without it there is no entry for its vector.
    config.mask_time_prob = config.mask_feature_prob = 0.0
    return config


def build_network(path: Path, config: Any, state: Mapping[str, Tensor], family: str) -> Any:
    """A network in evaluation mode.

    Args:
        path: The file with the weights.
        config: See `read_config`.
        state: Entry -> float32, see `renamed`.
        family: Of the network.

    Raises:
        BadInput: The weights are not those of such a network.
    """
    try:
        with torch.device("meta"):  # no time spent on weights to replace
            network = transformers_class(family, "Model")(config)
    except AffuseError:
        raise
    except Exception as error:  # earlier versions of transformers notice only here what is wrong
        described = path.with_name("config.json")
        raise BadInput(described, f"is not the description of a network ({error})") from error
    own = {name: x.shape for name, x in network.state_dict().items()}
    given = {name: x.shape for name, x in state.items()}
    if own != given:
        wrong = [name for name in own | given if own.get(name) != given.get(name)]
        raise BadInput(
            path,
            f"holds no such {_FAMILIES[family][1]} network: {len(wrong)} weights are missing, not "
            f"known or of another shape, the first is {wrong[0]}",
        )
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Entries as they are called today, without the vector of masked frames."""
    found = {}
    for name, value in state.items():
        name = re.sub(r"\.conv\.weight_g$", ".conv.parametrizations.weight.original0", name)
        name = re.sub(r"\.conv\.weight_v$", ".conv.parametrizations.weight.original1", name)
        if name != "masked_spec_embed":
            found[name] = value
    return found


def layer_of(name: str) -> int:
    """Number of the layer that an entry belongs to, -1 for all else."""
    match = re.match(r"encoder\.layers\.(\d+)\.", name)
    return int(match[1]) if match else -1
