import copy
import math
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trimtab import Session
from trimtab.lab.loading import load_task
from trimtab.lab.shipped import of_slot
from trimtab.lab.task import take_rows
from trimtab.lab.task_check import check_task

# learning rate, and what is left of the validation loss after 60 steps (of the part that can be lost)
FITS = {
    "digits": (1e-2, 0.45),
    "digit-scenes": (1e-2, 0.6),
    "mnist5k": (1e-2, 0.5),
    "python-lm": (3e-3, 0.6),
    "breast-cancer": (1e-2, 0.3),
    "diabetes": (1e-2, 0.75),
}

everywhere = pytest.mark.parametrize("name", of_slot("optimizer"))


def weights(task, seed):
    return torch.nn.utils.parameters_to_vector(task.model(torch.Generator().manual_seed(seed)).parameters())


@everywhere
def test_it_is_a_task_of_that_name(name):
    task = load_task(name)
    assert task.name == name
    check_task(task, name)


@everywhere
def test_data_are_tensors_of_the_common_types(name):
    task = load_task(name)
    for data in (task.train, task.validation, task.test):
        assert {tensor.dtype for tensor in data.tensors} <= {torch.float32, torch.int64}
        assert all(torch.isfinite(tensor).all() for tensor in data.tensors)


@everywhere
def test_the_generator_alone_decides_the_initial_weights(name):
    task = load_task(name)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = weights(task, 0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(weights(task, 0), first)
    assert not torch.equal(weights(task, 1), first)


@everywhere
def test_a_generator_gives_two_different_models_in_turn(name):
    task = load_task(name)
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat([p.flatten() for p in task.model(generator).parameters()]) for _ in range(2))
    assert not torch.equal(first, second)


@everywhere
def test_a_sample_s_loss_does_not_depend_on_its_batch(name):
    task = load_task(name)
    model = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.train, torch.arange(6))
    single = take_rows(task.train, torch.tensor([2]))
    together = task.losses(task.outputs(model, batch), batch)
    alone = task.losses(task.outputs(model, single), single)
    torch.testing.assert_close(alone, together[2:3])


@everywhere
def test_every_parameter_gets_a_gradient_and_a_curvature(name):
    task = load_task(name)
    model = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.train, torch.arange(task.batch_size))
    parameters = list(model.parameters())
    loss = task.losses(task.outputs(model, batch), batch).mean()
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    assert all(gradient.abs().max() > 1e-6 for gradient in gradients)
    curvatures = torch.autograd.grad(sum(g.square().sum() for g in gradients), parameters)
    assert all(torch.isfinite(curvature).all() for curvature in curvatures)
    assert sum(float(curvature.abs().sum()) for curvature in curvatures) > 0


@everywhere
def test_a_short_run_learns_something_and_repeats_itself(name):
    rate, left = FITS[name]
    task = load_task(name)

    def run(steps):
        session = Session(task, lambda model: torch.optim.AdamW(model.parameters(), lr=rate), seed=0)
        before = session.evaluate().loss
        losses = [session.step() for _ in range(steps)]
        return session, before, losses

    session, before, losses = run(60)
    after = session.evaluate()
    floor = smoothing_floor(getattr(task, "label_smoothing", 0.0))
    assert after.loss - floor < left * (before - floor)
    assert run(3)[2] == losses[:3]


def smoothing_floor(smoothing, classes=10):
    """Entropy of a smoothed label: no cross-entropy with it is lower."""
    shares = [1 - smoothing + smoothing / classes] + [smoothing / classes] * (classes - 1)
    return -sum(share * math.log(share) for share in shares if share > 0)


@everywhere
def test_a_task_can_be_sent_to_another_process(name):
    task = load_task(name)
    for twin in (pickle.loads(pickle.dumps(task)), copy.deepcopy(task)):
        assert torch.equal(weights(twin, 0), weights(task, 0))
        assert all(torch.equal(a, b) for a, b in zip(twin.train.tensors, task.train.tensors, strict=True))


def test_the_list_of_tasks_needs_no_torch():
    code = "import sys, trimtab.lab.tasks; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_on_comparisons_says_which_tasks_are_tuned_with_three_seeds():
    page = (Path(__file__).parents[3] / "docs" / "comparison.md").read_text(encoding="utf-8")
    said = page.split("(`--tuning-seeds`: 3 on ")[1].split(" and\n")[0]
    three = {name for name in of_slot("optimizer") if load_task(name).tuning_seeds == 3}
    assert set(re.findall("`(.*?)`", said)) == three
