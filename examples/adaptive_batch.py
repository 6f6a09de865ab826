"""A loop whose batch grows with the noise in its gradient, stopped in the middle of an epoch and resumed bit for bit.

    python examples/adaptive_batch.py

It trains on scikit-learn's digits for four epochs, from batches of eight on, with two worker processes that load data
ahead of time; and again with a checkpoint after fifty steps.
"""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trimtab.primitives.sample_gradients import gradient_statistics
from trimtab.schedule import AdaptiveBatchSampler, BatchSizeController, SampleLRScheduler

EPOCHS = 4
FIRST_BATCH = 8


def digits() -> TensorDataset:
    """Returns 1,797 images of 8×8 with their digits."""
    images, labels = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))


def losses(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Returns one loss a sample."""
    images, labels = batch
    return nn.functional.cross_entropy(model(images), labels, reduction="none")


class Run:
    """Everything that a training run consists of."""

    def __init__(self) -> None:
        torch.manual_seed(0)  # initial weights, and dropout from then on
        data = digits()
        self.sampler = AdaptiveBatchSampler(data, FIRST_BATCH, generator=torch.Generator().manual_seed(0))
        # with a generator of its own, a loader that is asked anew after a break draws nothing from dropout's
        own = torch.Generator().manual_seed(0)
        self.loader = DataLoader(data, batch_sampler=self.sampler, num_workers=2, generator=own)
        self.model = nn.Sequential(
            nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
        )
        self.optimizer = torch.optim.Adagrad(self.model.parameters(), lr=0.05)
        self.controller = BatchSizeController(
            FIRST_BATCH, len(data), eta=1.0, growth_cap=1.5, interval=5, sampler=self.sampler
        )
        self.schedule = SampleLRScheduler(self.optimizer, EPOCHS * len(data))
        self.steps = 0

    # --8<-- [start:loop]
    def train(self, steps: int | None = None) -> None:
        """Trains to the end, or for so many steps."""
        while self.sampler.epochs_done < EPOCHS:
            for batch in self.loader:
                self.optimizer.zero_grad()
                samples = len(batch[0])
                if self.controller.due(samples):
                    statistics = gradient_statistics(self.model, losses, batch)
                    statistics.write_to(self.model)  # the mean of the samples' gradients is the batch's
                    self.controller.update(statistics)
                else:
                    losses(self.model, batch).mean().backward()
                self.optimizer.step()
                self.schedule.step(samples)
                self.controller.observe()  # tells the sampler the next size, and that this batch is done
                self.steps += 1
                if self.steps == steps:
                    return

    # --8<-- [end:loop]

    def state(self) -> dict:
        """Returns all that the rest of the run depends on."""
        return {
            "steps": self.steps,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "controller": self.controller.state_dict(),
            "sampler": self.sampler.state_dict(),
            "schedule": self.schedule.state_dict(),
            "torch": torch.get_rng_state(),
        }

    def load(self, state: dict) -> None:
        """Goes on from a state."""
        self.steps = state["steps"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.controller.load_state_dict(state["controller"])
        self.sampler.load_state_dict(state["sampler"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["torch"])


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Returns whether two models are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def main() -> None:
    """Trains without a break and with one, and compares."""
    unbroken = Run()
    unbroken.train()
    for change in unbroken.controller.history:
        print(f"from step {change['step']} on: batches of {change['batch_size']}")

    with tempfile.TemporaryDirectory() as directory:
        checkpoint = Path(directory) / "checkpoint.pt"
        first = Run()
        first.train(steps=50)
        torch.save(first.state(), checkpoint)
        resumed = Run()
        resumed.load(torch.load(checkpoint, weights_only=True))
    resumed.train()

    images, labels = digits().tensors
    with torch.no_grad():
        accuracy = (unbroken.model.eval()(images).argmax(1) == labels).float().mean()
    print(f"steps taken: {unbroken.steps} without a break, {resumed.steps} with one")
    print(f"accuracy on the training data: {accuracy:.3f}")
    print(f"resumed run equals the unbroken one bit for bit: {same_weights(resumed.model, unbroken.model)}")


if __name__ == "__main__":
    main()
