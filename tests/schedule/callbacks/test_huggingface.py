"""A controller in Hugging Face's Trainer sees its losses, sets its rates, and resumes with its checkpoints."""

import pytest
import torch
from torch import nn
from transformers import Trainer, TrainingArguments, set_seed

from trimtab.schedule import AutoLRS
from trimtab.schedule.callbacks.huggingface import ControllerCallback
from trimtab.study.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not the data:UserWarning", "ignore:.*pin_memory.*:UserWarning")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))

    def forward(self, inputs, labels):
        logits = self.layers(inputs)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Noting(AutoLRS):
    def observe(self, loss):
        self.seen = [*getattr(self, "seen", []), loss]
        super().observe(loss)
        self.set = [*getattr(self, "set", []), self.optimizer.param_groups[0]["lr"]]


def autolrs(optimizer, model):
    return Noting(optimizer, model, 1e-3, 0.3, stage=20, longest_stage=20, trial_fraction=0.4, candidates=2)


class Counting:
    """A controller that counts its losses, and leaves the rate alone."""

    def __init__(self, optimizer, model):
        self.history, self.seen, self.steps = [], [], 0

    def observe(self, loss):
        self.seen.append(loss)
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state_dict):
        self.steps = state_dict["steps"]


def made(directory, accumulation=1, **more):
    set_seed(0)
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(64, 4, generator=generator), torch.randint(3, (64,), generator=generator)
    trainer = Trainer(
        Net(),
        TrainingArguments(
            directory,
            max_steps=40,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=accumulation,
            lr_scheduler_type="constant",
            save_steps=12,
            logging_steps=1,
            disable_tqdm=True,
            report_to="none",
            use_cpu=True,
        ),
        train_dataset=[{"inputs": row, "labels": label} for row, label in zip(inputs, labels, strict=True)],
    )
    callback = ControllerCallback(trainer, autolrs, **more)
    trainer.add_callback(callback)
    return trainer, callback


@pytest.mark.parametrize("accumulation", [1, 2])
def test_it_sees_the_trainers_losses_and_sets_its_rates(tmp_path, accumulation):
    trainer, callback = made(tmp_path, accumulation)
    trainer.train()
    controller = callback.controller
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert controller.seen == pytest.approx(logged, abs=1e-4)
    assert (controller.total_steps, controller.useful_steps, controller.phase) == (40, 20, "search")
    assert {record["lr"] for record in controller.history} == {*controller.set, controller.history[0]["lr"]}
    assert "training_step" not in vars(trainer)


def test_it_resumes_with_a_checkpoint(tmp_path):
    whole, unbroken = made(tmp_path / "whole")
    whole.train()
    again, resumed = made(tmp_path / "again", resume_from=tmp_path / "whole" / "checkpoint-12")
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-12"))
    assert resumed.controller.history == unbroken.controller.history
    assert resumed.controller.seen == unbroken.controller.seen[12:]
    for ours, theirs in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def made_with_two(directory):
    trainer, callback = made(directory)
    counting = ControllerCallback(trainer, Counting)
    trainer.add_callback(counting)
    return trainer, callback, counting


def test_two_controllers_see_the_same_losses_and_resume_each_with_its_own_state(tmp_path):
    whole, unbroken, counted = made_with_two(tmp_path / "whole")
    whole.train()
    assert unbroken.controller.seen == counted.controller.seen
    assert len(counted.controller.seen) == 40
    assert "training_step" not in vars(whole)
    again, resumed, counting = made_with_two(tmp_path / "whole")
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-36"))
    assert counting.controller.steps == 40
    assert resumed.controller.seen == counting.controller.seen == unbroken.controller.seen[36:]
    assert resumed.controller.history == unbroken.controller.history


def test_a_step_that_somebody_has_put_in_place_is_called_and_stays(tmp_path):
    trainer, callback = made(tmp_path)
    calls, own = [], trainer.training_step
    trainer.training_step = lambda *arguments, **named: (calls.append(1), own(*arguments, **named))[1]
    put = trainer.training_step
    trainer.train()
    assert len(calls) == len(callback.controller.seen) == 40
    assert trainer.training_step is put


def test_training_that_was_broken_off_counts_no_loss_twice(tmp_path):
    trainer, callback = made(tmp_path)
    callback.on_train_begin(None, trainer.state, None, optimizer=trainer.create_optimizer(), model=trainer.model)
    trainer.train()
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert callback.controller.seen == pytest.approx(logged, abs=1e-4)


def test_a_checkpoint_without_its_state_is_refused(tmp_path):
    whole, _ = made(tmp_path / "whole")
    whole.train()
    again, _ = made(tmp_path / "again")
    with pytest.raises(InputError, match=r"after step 12, but there is no controller.pt.*resume_from="):
        again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-12"))


def test_bad_input(tmp_path):
    with pytest.raises(TypeError, match="trainer=3 must be"):
        ControllerCallback(3, autolrs)
    with pytest.raises(TypeError, match="make_controller=3 must be"):
        ControllerCallback(made(tmp_path)[0], 3)
