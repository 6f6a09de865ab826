"""A Lightning module with an optimizer of trimtab's; a run resumed from a checkpoint equals one without a break.

    pip install 'trimtab[examples]'
    python examples/lightning_module.py

It trains on scikit-learn's digits for six epochs, and again from the checkpoint after the third.
"""

import tempfile
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import trimtab

EPOCHS = 6
PEAK_LR = 2e-2


class Digits(lightning.LightningModule):
    """A multi-layer perceptron."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
        )

    def on_train_start(self) -> None:
        """Watches the optimizer."""
        self.trainer.optimizers[0].watch(self.log_norms)

    def on_train_epoch_start(self) -> None:
        """Seeds dropout, since Lightning's checkpoints hold no random state."""
        torch.manual_seed(self.current_epoch)

    def training_step(self, batch, _):
        """Returns the loss of a batch."""
        images, labels = batch
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.log("loss", loss)
        return loss

    def on_train_epoch_end(self) -> None:
        """Prints what the epoch's last step logged."""
        last = self.trainer.callback_metrics
        print(f"epoch {self.current_epoch}: loss {last['loss']:.3f}, update/weight {last['update_to_weight/0']:.1e}")

    def configure_optimizers(self):
        """Returns the optimizer, and its schedule, which moves on after every step instead of every epoch."""
        optimizer = trimtab.create("lamb", self.model, lr=PEAK_LR, weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = OneCycleLR(optimizer, PEAK_LR, total_steps=steps, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def log_norms(self, groups) -> None:
        """Logs the relative change of the weights in a step."""
        for index, norms in enumerate(groups):
            self.log(f"update_to_weight/{index}", norms.update_to_weight)


def train(directory: Path, checkpoint: Path | None = None) -> Digits:
    """Trains a fresh model, or goes on from a checkpoint; writes a checkpoint after every epoch."""
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))
    model = Digits()
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        gradient_clip_val=1.0,
        accelerator="cpu",
        logger=CSVLogger(directory),
        callbacks=[ModelCheckpoint(directory / "checkpoints", filename="{epoch}", save_top_k=-1)],
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=10,
    )
    # Lightning tells this sampler the epoch, from which alone its order follows; that of shuffle=True would be lost.
    # With a generator of its own the loader takes none of dropout's random numbers.
    order = DistributedSampler(data, num_replicas=1, rank=0, seed=0)
    loader = DataLoader(data, batch_size=64, sampler=order, generator=torch.Generator())
    trainer.fit(model, loader, ckpt_path=checkpoint)
    return model


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Returns whether two models are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def main() -> None:
    """Trains, then goes on from a checkpoint as if the rest had been lost, and compares."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        unbroken = train(directory / "unbroken")
        resumed = train(directory / "resumed", directory / f"unbroken/checkpoints/epoch={EPOCHS // 2 - 1}.ckpt")
    print(f"resumed run equals the unbroken one bit for bit: {same_weights(resumed, unbroken)}")


if __name__ == "__main__":
    main()
