"""A controller in Lightning's Trainer sees its losses, sets its rates, and resumes with its checkpoints."""

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trimtab.schedule import AutoLRS
from trimtab.schedule.callbacks.lightning import ControllerCallback
from trimtab.study.errors import InputError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*not the data:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
]


class Net(LightningModule):
    optimizers_made = 1

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.losses = []

    def training_step(self, batch, _):
        loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return [torch.optim.SGD(self.parameters(), lr=0.1) for _ in range(self.optimizers_made)]


def trained(directory, epochs, accumulation=1, checkpoint=None, module=Net):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    data = TensorDataset(torch.randn(64, 4, generator=generator), torch.randint(3, (64,), generator=generator))
    callback = ControllerCallback(
        lambda optimizer, model: AutoLRS(
            optimizer, model, 1e-3, 0.3, stage=20, longest_stage=20, trial_fraction=0.4, candidates=2
        )
    )
    model = module()
    trainer = Trainer(
        default_root_dir=directory,
        max_epochs=epochs,
        accumulate_grad_batches=accumulation,
        callbacks=[callback],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(data, batch_size=8, generator=torch.Generator()), ckpt_path=checkpoint)
    return trainer, model, callback.controller


@pytest.mark.parametrize("accumulation", [1, 2])
def test_it_sees_each_step(tmp_path, accumulation):
    _, model, controller = trained(tmp_path, 5 * accumulation, accumulation)
    assert (controller.total_steps, controller.phase) == (40, "search")
    last = sum(model.losses[-accumulation:]) / accumulation
    assert controller.last_loss == pytest.approx(last, rel=1e-6)
    assert len(controller.history) == 4
    assert controller.optimizer.param_groups[0]["lr"] == controller.lr


def test_it_resumes_with_a_checkpoint(tmp_path):
    _, unbroken, whole = trained(tmp_path, 5)
    trainer, _, _ = trained(tmp_path, 2)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    _, model, resumed = trained(tmp_path, 5, checkpoint=tmp_path / "run.ckpt")
    assert resumed.history == whole.history
    for ours, theirs in zip(model.parameters(), unbroken.parameters(), strict=True):
        assert torch.equal(ours, theirs)


class Two(Net):
    optimizers_made = 2

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False


def test_several_optimizers_are_refused(tmp_path):
    with pytest.raises(InputError, match="one optimizer; Two has 2, automatic_optimization=False"):
        trained(tmp_path, 1, module=Two)


def test_bad_input():
    with pytest.raises(TypeError, match="make_controller=3 must be"):
        ControllerCallback(3)
