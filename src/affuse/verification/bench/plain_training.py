"""An epoch of published training, written plainly: `.npy` files, a `DataLoader`, one network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from affuse.verification.bench.plain_networks import chumachenko
from affuse.verification.bench.sides import Work
from affuse.verification.bench.training import first_model, names, seed_of_epoch

STAGES = {
    "torch.utils.data": "data",
    ":backward": "backward",
    "torch.autograd": "backward",
    "torch.optim": "step",
    "affuse.verification.bench.plain_networks": "forward",
    f"{__name__}:softhard": "forward",
    "torch.serialization": "write",
}


class Clips(Dataset[tuple[Tensor, Tensor, int]]):
    """Sound (10, 156) and images (15, 3, 224, 224), 0 to 1, of one `.npy` each, and the class."""

    def __init__(self, folder: Path, clips: int, classes: int) -> None:
        self.folder, self.clips, self.classes = folder, clips, classes

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        name = names(self.clips)[index]
        sound = torch.from_numpy(np.load(self.folder / f"{name}_mfcc.npy")).T.contiguous()
        images = torch.from_numpy(np.load(self.folder / f"{name}_faces.npy")).float() / 255
        return sound, images.permute(0, 3, 1, 2).contiguous(), index % self.classes


def softhard(sound: Tensor, images: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The published modality dropout: four copies of a batch, in a random order."""
    alpha = torch.randint(0, 100, (len(wanted),)) / 100
    a, v = alpha[:, None, None], (1 - alpha)[:, None, None, None, None]
    sounds = torch.cat([sound, a * sound, torch.zeros_like(sound), sound])
    seen = torch.cat([images, v * images, images, torch.zeros_like(images)])
    order = torch.randperm(len(sounds))
    return sounds[order], seen[order], torch.cat([wanted] * 4)[order]


def train_plainly(folder: str, clips: int, batch: int, classes: int) -> Work:
    """Sets up an epoch over clips; the work returns the mean loss."""
    named = first_model(classes)[1]
    weights = {name: x.detach().clone() for name, x in named.items()}
    learned = [x for n, x in weights.items() if x.is_floating_point() and "running_" not in n]
    for weight in learned:
        weight.requires_grad_()
    optimiser = torch.optim.SGD(learned, 0.04, momentum=0.9, dampening=0.9, weight_decay=1e-3)
    own = torch.Generator()  # so that both sides draw the same factors of the dropout
    data = DataLoader(Clips(Path(folder) / "plain", clips, classes), batch, generator=own)

    def work() -> dict[str, float]:
        torch.manual_seed(seed_of_epoch())
        losses = []
        for sound, images, wanted in data:
            sound, images, wanted = softhard(sound, images, wanted)
            logits = chumachenko(weights, sound, images, "ia", 1)
            loss = F.cross_entropy(logits, wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        torch.save(weights, Path(folder) / "plain.pth")
        return {"loss": float(np.mean(losses))}

    return work
