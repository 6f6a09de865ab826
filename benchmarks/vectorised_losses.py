"""What a Lightning module's losses of each sample cost when they are vectorised, beside computing them plainly.

Forward and backward of one batch; repeats are interleaved.

    python benchmarks/vectorised_losses.py [--repeats 100] [--threads N] [--clock wall|cpu]
"""

import statistics
import warnings

import lightning
import torch
from side_by_side import Parser, in_turn, setting
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from trimtab import LightningTask, Metric

SAMPLES, CLASSES = 64, 10


def perceptron():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, CLASSES)), (64,)


def convolutions():
    layers = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, CLASSES)), (1, 28, 28)


class Attention(nn.Module):
    """A layer with one head, written out."""

    def __init__(self, width):
        super().__init__()
        self.projection, self.out, self.norm = nn.Linear(width, 3 * width), nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, x):
        query, key, value = self.projection(self.norm(x)).chunk(3, dim=-1)
        weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
        return x + self.out(weights @ value)


def transformer():
    layers = Attention(64), nn.Linear(64, 64), nn.GELU(), Attention(64), nn.Flatten(), nn.Linear(64 * 64, CLASSES)
    return nn.Sequential(*layers), (64, 64)


class Module(lightning.LightningModule):
    """A network as a module."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        return self.network(inputs)

    def training_step(self, batch, _index):
        return cross_entropy(self(batch[0]), batch[1], reduction="none").mean()  # by hand, so that it is vectorised

    def validation_step(self, batch, _index):
        self.log_dict({"val_loss": cross_entropy(self(batch[0]), batch[1])})


def plain(module, batch):
    return cross_entropy(module(batch[0]), batch[1], reduction="none")


def step(make, losses):
    """Returns a function that computes the losses of one batch and their gradients."""
    torch.manual_seed(0)
    network, shape = make()
    data = TensorDataset(torch.randn(SAMPLES, *shape), torch.randint(CLASSES, (SAMPLES,)))
    loader = DataLoader(data, batch_size=SAMPLES, shuffle=True)
    metric = Metric("val_loss", "min")
    task = LightningTask(
        lambda: Module(network), lambda: (loader, loader, loader), metric=metric, steps=1, losses=losses
    )
    model, batch = task.model(torch.Generator().manual_seed(0)), data.tensors

    def forward_and_backward():
        task.losses(task.outputs(model, batch), batch).mean().backward()

    return forward_and_backward


def main():
    options = Parser(__doc__, repeats=100).options()
    warnings.simplefilter("ignore")
    print(f"{setting(options)}, medians, {SAMPLES} samples")
    print("| network | plainly, ms | vectorised, ms | times |\n|---|---:|---:|---:|")
    for make in (perceptron, convolutions, transformer):
        steps = {"plain": step(make, plain), "vectorised": step(make, None)}
        medians = {name: statistics.median(each) for name, each in in_turn(steps, options, warm_up=3).items()}
        ratio = medians["vectorised"] / medians["plain"]
        print(f"| {make.__name__} | {medians['plain']:.2f} | {medians['vectorised']:.2f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
