"""Random changes to log-mel spectra."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import fmean

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, pad

from affuse.features.batch import Normalisation
from affuse.features.sound import LogMel
from affuse.features.stream import StreamSpec
from affuse.training.augmentations.draws import column
from affuse.training.recipe_parts import Augmentation

_SPEC = LogMel().spec
_FLOOR = float(_SPEC.recipe["floor"])
_RATE = _SPEC.rate


def is_log_power(spec: StreamSpec) -> bool:
    """Whether a spectrum is the logarithm of the power that the changes here assume."""
    return all(
        spec.recipe.get(key) == value for key, value in _SPEC.recipe.items() if key != "mels"
    )


def change_spectra(x: Tensor, change: Augmentation, scale: Normalisation) -> Tensor:
    """Change spectra, another way per clip.

    Tilt, background, room and band work on power as `audio/logmel<mels>-16k` has it: above its
    floor, where powers of sounds add up and what nobody hears stays at the floor.

    Args:
        x: (B, T, F) normalised log-mel spectra.
        change: What is done.
        scale: What they were normalised with.
    """
    if change.time_stretch or change.pitch_shift:
        x = _warp(x, change.time_stretch, change.pitch_shift)
    if change.gain:
        x = x + change.gain * column(torch.randn(len(x)), x.ndim).to(x)
    if change.room_simulator:
        x = _some(x, change.room_simulator, scale, _in_room)
    if change.background_noise:
        x = _some(x, change.background_noise, scale, _with_background)
    if change.parametric_eq:
        deviation = change.parametric_eq * fmean(scale.std)
        x = _some(x, 1.0, scale, lambda power: _tilted(power, deviation))
    if change.band_pass_filter:
        x = _some(x, change.band_pass_filter, scale, _without_highs)
    for axis, widths in ((2, change.frequency_masks), (1, change.time_masks)):
        for width in widths:
            x = _blank(x, axis, width)
    return x


def no_voice(x: Tensor, scale: Normalisation) -> Tensor:
    """Digital silence, noise, hum, clicks and tones, from hardly audible to very loud.

    Args:
        x: (B, T, F) normalised spectra, as many as are wanted.
        scale: What they were normalised with.
    """
    shape = tuple(x.shape)
    noisy = torch.where(torch.rand(len(x)) < 0.6, 1.0, 10 ** -_uniform(0.0, 6.0, len(x)))
    power = _tones(shape).lerp(_noise(shape), column(noisy, 3))
    level = column(_uniform(-4.0, 10.0, len(x)).exp() * (torch.rand(len(x)) > 0.2), 3)
    return _normalised((power * level).to(x), scale)


def _some(
    x: Tensor, share: float, scale: Normalisation, change: Callable[[Tensor], Tensor]
) -> Tensor:
    """Change the power above the floor of some clips; the others stay as they are."""
    chosen = (torch.rand(len(x)) < share).nonzero()[:, 0].to(x.device)
    if not len(chosen):
        return x
    log = x[chosen] * x.new_tensor(scale.std) + x.new_tensor(scale.mean)
    power = (log.exp() - _FLOOR).clamp_min(0)
    return x.index_copy(0, chosen, _normalised(change(power), scale))


def _normalised(power: Tensor, scale: Normalisation) -> Tensor:
    """The spectrum of a power above the floor."""
    return ((power + _FLOOR).log() - power.new_tensor(scale.mean)) / power.new_tensor(scale.std)


def _in_room(power: Tensor) -> Tensor:
    """Spread a part of the energy over later frames, the highs over fewer of them."""
    clips, _, bands = power.shape
    seconds = _uniform(math.log(0.2), math.log(1.0), clips, 1).exp()
    seconds = seconds * torch.exp(-0.7 * torch.rand(clips, 1) * torch.linspace(0, 1, bands))
    decay = (10.0 ** (-6 / (seconds * _RATE)))[:, None].to(power)
    direct = 1 / (1 + 10 ** -_uniform(-0.6, 1.2, clips))
    late, step = power * (1 - decay), 1
    while step < power.shape[1]:  # 1 + r z + r^2 z^2 + ... = (1 + r z)(1 + r^2 z^2)(1 + r^4 z^4)...
        late = late + decay**step * pad(late[:, :-step], (0, 0, step, 0))
        step *= 2
    return late.lerp(power, column(direct, 3).to(power))


def _with_background(power: Tensor) -> Tensor:
    """Add noise 0 to 30 dB below the frame that a tenth of all frames exceeds."""
    frames = power.sum(2).sort(1).values
    loud = frames[:, int(0.9 * (frames.shape[1] - 1))]
    below = 10 ** -_uniform(0.0, 3.0, len(power)).to(power)
    return power + column(loud * below, 3) * _noise(tuple(power.shape)).to(power)


def _tilted(power: Tensor, deviation: float) -> Tensor:
    """Weigh the bands by a slope and a bend; a deviation is that of the logarithm at the ends."""
    place = torch.linspace(-1, 1, power.shape[2])
    slope, bend = deviation * torch.randn(2, len(power), 1)
    weight = slope * place + bend * (1.5 * place**2 - 0.5)
    return power * weight.exp()[:, None].to(power)


def _without_highs(power: Tensor) -> Tensor:
    """Lose what is above 3 to 7 kHz, in every second clip also what is below 100 to 350 Hz."""
    clips, _, bands = power.shape
    centres, _ = _bands(bands)
    top = _uniform(math.log(3000), math.log(7000), clips, 1).exp()
    bottom = _uniform(100.0, 350.0, clips, 1) * (torch.rand(clips, 1) < 0.5)
    return power * ((centres >= bottom) & (centres <= top))[:, None].to(power)


def _noise(shape: tuple[int, ...]) -> Tensor:
    """Power (B, T, F) of coloured noise, hum and clicks of changing level, 1 per mean frame."""
    clips, frames, bands = shape
    centres, widths = _bands(bands)
    colour = widths * (centres / 1000) ** -_uniform(-0.5, 2.0, clips, 1)
    colour = colour * (0.7 * _curve(clips, 8, bands)).exp()
    bottom = _uniform(50.0, 1000.0, clips, 1) * (torch.rand(clips, 1) < 0.3)
    top = _uniform(math.log(1500), math.log(16000), clips, 1).exp()
    colour = colour * ((centres >= bottom) & (centres <= top))
    # the power of noise has a gamma distribution (here after Wilson and Hilferty, 1931); a band as
    # wide as the window resolves holds one complex Gaussian value
    values = (widths * _SPEC.recipe["length"] / _SPEC.recipe["rate"] / 1.5).clamp_min(1)
    cube_root = 1 - 1 / (9 * values) + torch.randn(clips, frames, bands) / (3 * values.sqrt())
    grain = cube_root.clamp_min(0) ** 3
    power = (colour / colour.sum(1, keepdim=True))[:, None] * grain
    fundamental = _uniform(math.log(45), math.log(300), clips, 1, 1).exp()
    hum = torch.rand(clips, 1, 1) * (torch.rand(clips, 1, 1) < 0.4)
    power = power.lerp(_harmonics(fundamental, 24, bands), hum)
    for pause in (0.6, 0.1):
        swing = column(2 * torch.rand(clips) * (torch.rand(clips) < 0.3), 2)
        level = swing * _curve(clips, 2 + int(frames / _RATE / pause), frames)
        power = power * level.exp()[..., None]
    clicking = column(_uniform(0.2, 4.0, clips) / _RATE * (torch.rand(clips) < 0.2), 2)
    click = (torch.rand(clips, frames) < clicking) * (8 * torch.rand(clips, frames)).exp()
    power = power + click[..., None] * widths / widths.sum()
    return power / power.sum(2, keepdim=True).mean(1, keepdim=True)


def _tones(shape: tuple[int, ...]) -> Tensor:
    """Power (B, T, F) of notes with harmonics, in steps or gliding, about 1 per frame."""
    clips, frames, bands = shape
    notes = 2 + int(3 * frames / _RATE)
    pitch = _uniform(math.log(80), math.log(2500), clips, 1) + 0.5 * torch.randn(clips, notes)
    pitch, loudness = (
        torch.where(
            torch.rand(clips, 1) < 0.5,
            interpolate(values[:, None], frames)[:, 0],
            interpolate(values[:, None], frames, mode="linear")[:, 0],
        )
        for values in (pitch, torch.randn(clips, notes))
    )
    return loudness.exp()[..., None] * _harmonics(pitch.exp()[..., None], 6, bands)


def _harmonics(fundamental: Tensor, count: int, bands: int) -> Tensor:
    """Power (B, T, F) of lines at multiples of frequencies (B, T, 1) in Hz, 1 in all."""
    centres, widths = _bands(bands)
    fall = 10 * torch.rand(len(fundamental), 1, 1) ** 2
    power = torch.zeros(*fundamental.shape[:2], bands)
    for k in range(1, count + 1):
        distance = (centres - k * fundamental) / widths.clamp_min(40.0)
        power += k**-fall * (-2 * distance**2).exp()
    return power / power.sum(2, keepdim=True).clamp_min(1e-6)


def _curve(clips: int, knots: int, size: int) -> Tensor:
    """Smooth random values (B, size) of deviation 1 at the knots."""
    return interpolate(torch.randn(clips, 1, knots), size, mode="linear", align_corners=True)[:, 0]


def _uniform(low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(shape)


@lru_cache(maxsize=4)
def _bands(bands: int) -> tuple[Tensor, Tensor]:
    """Middles and distances of the mel bands in Hz, (F,) each."""
    low, high = (math.log1p(_SPEC.recipe[edge] / 700) for edge in ("fmin", "fmax"))
    edges = 700 * torch.linspace(low, high, bands + 2, dtype=torch.float64).expm1()
    return edges[1:-1].float(), ((edges[2:] - edges[:-2]) / 2).float()


def _warp(x: Tensor, speed: float, pitch: float) -> Tensor:
    """Stretch time around the middle, stretch and shift the mel axis, another way per clip."""
    draw = 2 * torch.rand(len(x), 3) - 1
    matrix = torch.zeros(len(x), 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 2] = 1 + pitch * draw[:, 0], pitch * draw[:, 1]
    matrix[:, 1, 1] = 1 + speed * draw[:, 2]
    grid = affine_grid(matrix.to(x), [len(x), 1, *x.shape[1:]], align_corners=False)
    warped = grid_sample(x[:, None], grid, padding_mode="border", align_corners=False)
    return warped[:, 0]


def _blank(x: Tensor, axis: int, longest: int) -> Tensor:
    """Zero (the training mean) along one stretch of an axis, another one per clip."""
    size = x.shape[axis]
    width = torch.rand(len(x)) * longest
    start = torch.rand(len(x)) * (size - width)
    place = torch.arange(size)[None]
    keep = (place < start[:, None]) | (place >= (start + width)[:, None])
    shape = [len(x), *[size if a == axis else 1 for a in range(1, x.ndim)]]
    return x * keep.reshape(shape).to(x)
