"""A plain PyTorch loop with warm-up, clipping, norms for a log, and a checkpoint that resumes bit for bit.

    python examples/plain_loop.py

It trains on scikit-learn's digits for six epochs, and again for three epochs, a checkpoint and three more.
"""

import math
import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

import trimtab

EPOCHS = 6
PEAK_LR = 3e-3


def digits() -> TensorDataset:
    """Returns 1,797 images of 8×8 with their digits."""
    images, labels = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))


class Run:
    """Everything that a training run consists of."""

    def __init__(self) -> None:
        torch.manual_seed(0)  # initial weights, and dropout from then on
        self.order = torch.Generator().manual_seed(0)
        self.loader = DataLoader(digits(), batch_size=64, shuffle=True, generator=self.order)
        self.model = nn.Sequential(
            nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
        )
        self.optimizer = trimtab.create(
            "lion", self.model, lr=PEAK_LR, weight_decay=0.1, no_decay_for_biases_and_norms=True
        )
        self.schedule = LambdaLR(self.optimizer, warm_up_and_cosine(EPOCHS * len(self.loader)))
        self.epoch = 0

    def train(self, until: int) -> None:
        """Trains up to an epoch."""
        while self.epoch < until:
            for images, labels in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(images), labels)
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.optimizer.step()
                self.schedule.step()
            self.epoch += 1

    def state(self) -> dict:
        """Returns all that the rest of the run depends on."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": self.order.get_state(),
            "torch": torch.get_rng_state(),
        }

    def load(self, state: dict) -> None:
        """Goes on from a state."""
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.order.set_state(state["order"])
        torch.set_rng_state(state["torch"])


def warm_up_and_cosine(steps: int):
    """Returns a factor for the learning rate that rises over a tenth of the steps, and falls to zero with a cosine."""
    rise = steps // 10
    return lambda step: min((step + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * step / steps))


def print_norms(every: int):
    """Returns a callback for ``watch`` that prints one line for each parameter group, every so many steps."""
    step = 0

    def callback(groups) -> None:
        nonlocal step
        step += 1
        if step % every == 0:
            for index, norms in enumerate(groups):
                print(
                    f"step {step:3d}, group {index}: gradient {norms.gradient:.3f}, weight {norms.weight:6.3f}, "
                    f"update/weight {norms.update_to_weight:.1e}"
                )

    return callback


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Returns whether two models are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def main() -> None:
    """Trains without a break and with one, and compares."""
    unbroken = Run()
    unbroken.optimizer.watch(print_norms(every=40))
    unbroken.train(until=EPOCHS)

    with tempfile.TemporaryDirectory() as directory:
        checkpoint = Path(directory) / "checkpoint.pt"
        first = Run()
        first.train(until=EPOCHS // 2)
        torch.save(first.state(), checkpoint)
        resumed = Run()
        resumed.load(torch.load(checkpoint, weights_only=True))
    resumed.train(until=EPOCHS)

    images, labels = digits().tensors
    with torch.no_grad():
        accuracy = (unbroken.model.eval()(images).argmax(1) == labels).float().mean()
    print(f"accuracy on the training data: {accuracy:.3f}")
    print(f"resumed run equals the unbroken one bit for bit: {same_weights(resumed.model, unbroken.model)}")


if __name__ == "__main__":
    main()
