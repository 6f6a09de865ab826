"""Which optimizer suits this Lightning module? Its data, loss and metric as a task of a comparison, as they are.

    pip install 'trimtab[lightning]'
    trimtab compare examples/lightning_task.py:task --candidates adamw,lion --steps 60 --trials 4 --seeds 3

The data are scikit-learn's digits: nothing is downloaded.
"""

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from trimtab import LightningTask, Metric


class Digits(lightning.LightningModule):
    """A multi-layer perceptron."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
        )

    def training_step(self, batch, _):
        """Returns the loss of a batch."""
        images, labels = batch
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, _) -> None:
        """Logs the loss and the accuracy of a batch."""
        images, labels = batch
        outputs = self.model(images)
        self.log("val_loss", nn.functional.cross_entropy(outputs, labels))
        self.log("val_acc", (outputs.argmax(1) == labels).float().mean())

    def configure_optimizers(self):
        """Returns the optimizer of everyday; in a comparison the candidates take its place."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class DigitsData(lightning.LightningDataModule):
    """Images of 8 x 8 pixels."""

    def setup(self, stage: str) -> None:
        """Splits the data."""
        images, labels = load_digits(return_X_y=True)
        data = TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))
        seed = torch.Generator().manual_seed(0)
        self.parts = random_split(data, [0.6, 0.2, 0.2], generator=seed)

    def train_dataloader(self) -> DataLoader:
        """Returns the data to learn from."""
        return DataLoader(self.parts[0], batch_size=64, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        """Returns the data by which settings are chosen."""
        return DataLoader(self.parts[1], batch_size=256)

    def test_dataloader(self) -> DataLoader:
        """Returns the data that are left for the end."""
        return DataLoader(self.parts[2], batch_size=256)


def task() -> LightningTask:
    """Returns the task."""
    return LightningTask(Digits, DigitsData, metric=Metric("val_acc", "max"), steps=200)
