"""Lightning's own fine-tuning, which unfreezes a backbone during a run and adds its parameters to the optimizer."""

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import trimtab

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]

NAMES = [
    *("adam", "adamw", "adagrad", "sgd", "lion", "adagradnorm", "exadam", "lamb", "lars"),
    *("clip(adamw)", "clip(lion)", "galore(adamw)", "q_galore(adabelief)", "clip(galore(lion))"),
]
"""What takes its steps from gradients alone, as Lightning's automatic optimisation does, and two of each kind."""


class Net(LightningModule):
    def __init__(self, name, whole=False):
        super().__init__()
        self.name, self.whole = name, whole
        self.backbone = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh())
        self.head = nn.Linear(12, 4)

    def training_step(self, batch, _):
        return nn.functional.mse_loss(self.head(self.backbone(batch[0])), batch[1])

    def configure_optimizers(self):
        return trimtab.create(self.name, self if self.whole else self.head)


class Unfreezing(BaseFinetuning):
    """Trains the head for an epoch, and all from then on."""

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.backbone)

    def finetune_function(self, pl_module, epoch, optimizer):
        if epoch >= 1:  # also where a run is resumed later than that
            self.make_trainable(pl_module.backbone)
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.backbone, optimizer, lr=1e-3)


def fitted(net, directory, checkpoint=None):
    """Trains for three epochs, or what is left of them."""
    trainer = Trainer(
        max_epochs=3,
        callbacks=[Unfreezing(), ModelCheckpoint(directory, filename="{epoch}", save_top_k=-1)],
        **{"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"},
    )
    inputs = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))
    data = DataLoader(TensorDataset(inputs, inputs[:, :4].sin()), batch_size=8)
    trainer.fit(net, data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
    return trainer.optimizers[0].param_groups


def net(name, seed=0, **settings):
    torch.manual_seed(seed)
    return Net(name, **settings)


def equal(module, other):
    return [torch.equal(one, two) for one, two in zip(module.parameters(), other.parameters(), strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_unfrozen_is_added_and_trained(name, tmp_path):
    run = net(name)
    groups = fitted(run, tmp_path)
    assert [(len(group["params"]), group["lr"]) for group in groups[1:]] == [(4, 1e-3)]
    frozen = torch.load(tmp_path / "epoch=0.ckpt", weights_only=True)["state_dict"]
    for key, value in net(name).backbone.state_dict().items():
        assert torch.equal(frozen[f"backbone.{key}"], value)
        assert not torch.equal(run.backbone.state_dict()[key], value)

    resumed = net(name, seed=1)
    fitted(resumed, tmp_path, tmp_path / "epoch=1.ckpt")
    assert all(equal(resumed, run))


@pytest.mark.filterwarnings("ignore:The provided params to be frozen already exist")
def test_parameters_that_the_optimizer_has_already_are_left_as_they_are(tmp_path):
    run = net("lion", whole=True)
    groups = fitted(run, tmp_path)
    assert [len(group["params"]) for group in groups] == [6]
    assert not any(equal(run, net("lion")))
