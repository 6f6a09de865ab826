"""A plain PyTorch loop whose learning rate finds itself: one line after each step, and a checkpoint in mid-search.

    python examples/autolrs_loop.py

It trains on scikit-learn's digits for 1,440 steps, trials included, and again with a break in the middle of a trial.
"""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import TensorDataset

from trimtab.schedule import AutoLRS, ReplayedBatches

STEPS = 1440
BREAK = 333


class Shuffled:
    """Batches without end, each drawn by its number, so that a loop can go on at any of them."""

    def __init__(self) -> None:
        images, labels = load_digits(return_X_y=True)
        self.data = TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))
        self.number = 0

    def __iter__(self):
        while True:
            epoch, batch = divmod(self.number, 28)
            order = torch.randperm(len(self.data), generator=torch.Generator().manual_seed(epoch))
            self.number += 1
            yield self.data[order[batch * 64 : (batch + 1) * 64]]


class Run:
    """Everything that a training run consists of."""

    def __init__(self) -> None:
        torch.manual_seed(0)  # initial weights, and dropout from then on
        self.loader = Shuffled()
        self.batches = ReplayedBatches(self.loader)
        self.model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.autolrs = AutoLRS(
            self.optimizer, self.model, 1e-3, 1.0, batches=self.batches, stage=100, longest_stage=400, length=STEPS
        )

    def train(self, until: int) -> None:
        """Trains up to a step."""
        for images, labels in self.batches:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            self.autolrs.observe(loss.item())
            if self.autolrs.total_steps == until:
                return

    def state(self) -> dict:
        """Returns all that the rest of the run depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "autolrs": self.autolrs.state_dict(),
            "number": self.loader.number,
            "torch": torch.get_rng_state(),
        }

    def load(self, state: dict) -> None:
        """Goes on from a state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.autolrs.load_state_dict(state["autolrs"])
        self.loader.number = state["number"]
        torch.set_rng_state(state["torch"])


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Returns whether two models are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def main() -> None:
    """Trains without a break and with one, and compares."""
    unbroken = Run()
    unbroken.train(until=STEPS)

    with tempfile.TemporaryDirectory() as directory:
        checkpoint = Path(directory) / "checkpoint.pt"
        first = Run()
        first.train(until=BREAK)
        torch.save(first.state(), checkpoint)
        resumed = Run()
        resumed.load(torch.load(checkpoint, weights_only=True))
    print(f"the break comes in the phase: {first.autolrs.phase}")
    resumed.train(until=STEPS)

    autolrs = unbroken.autolrs
    for record in autolrs.history:
        if "useful_step" in record:
            print(f"from useful step {record['useful_step']:.0f} on: lr {record['lr']:.2g}")
    images, labels = unbroken.loader.data.tensors
    with torch.no_grad():
        accuracy = (unbroken.model.eval()(images).argmax(1) == labels).float().mean()
    print(f"steps: {autolrs.total_steps}, of which useful: {autolrs.useful_steps}")
    print(f"accuracy on the training data: {accuracy:.3f}")
    print(f"resumed run equals the unbroken one bit for bit: {same_weights(resumed.model, unbroken.model)}")


if __name__ == "__main__":
    main()
