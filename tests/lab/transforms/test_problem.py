"""What candidates are given is the network that was trained, and the lines to paste train as a run does."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.lab.toy import Toy
from tests.lab.transforms.problems import halve
from trimtab import Session
from trimtab.compress import LampPruning, lamp_counts, prune
from trimtab.lab.problem import Workplace
from trimtab.lab.randomness import OwnedRandomness, derived_seed
from trimtab.lab.stream import BatchStream
from trimtab.lab.transforms.pruned import Pruned
from trimtab.lab.transforms.pruned_digits import PrunedDigits
from trimtab.lab.transforms.run import DATA_STREAM
from trimtab.study.errors import InputError
from trimtab.study.point import Point


class Plain(Toy):
    """Nothing in it is random once the network is there."""

    name = "plain"

    def __init__(self):
        super().__init__()
        self.train = TensorDataset(self.train.inputs, self.train.targets)

    def model(self, generator):
        return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))


class Features(nn.Module):
    """Random features, a running mean and a permutation, none of which is in the state dictionary."""

    def __init__(self):
        super().__init__()
        self.register_buffer("directions", torch.randn(6, 16), persistent=False)
        self.register_buffer("mean", torch.zeros(6), persistent=False)
        self.order = torch.randperm(6)
        self.head = nn.Linear(16, 3)

    def forward(self, inputs):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * inputs.detach().mean(0)
        return self.head(torch.cos((inputs - self.mean)[:, self.order] @ self.directions))


class FeaturesTask(Plain):
    name = "features"

    def model(self, generator):
        return Features()


class Table(nn.Module):
    """Holds the same table with every seed, as positional encodings are."""

    def __init__(self):
        super().__init__()
        self.table, self.head = torch.arange(100.0), nn.Linear(6, 3)


class TableTask(Plain):
    def model(self, generator):
        return Table()


class Noted(nn.Linear):
    """Has extra state."""

    def __init__(self, note):
        super().__init__(6, 3)
        self.note = note

    def get_extra_state(self):
        return self.note

    def set_extra_state(self, state):
        self.note = state


class NotedTask(Plain):
    name = "noted"

    def __init__(self, note):
        super().__init__()
        self.note = note

    def model(self, generator):
        return Noted(self.note)


def trial(problem, build, place, *, budget=None):
    point = Point(problem.name, "final", "it", 0, {"finetune_lr": 0.01}, 7)
    return problem.trial(build, point, budget=budget, report=lambda _cost, _loss: False, place=place)


@pytest.mark.parametrize("task", [Toy(), FeaturesTask()])
def test_what_candidates_are_given_is_what_was_trained(tmp_path, task):
    problem, seen = Pruned(task, 0.5, train_steps=10, finetune_steps=1), []
    session = Session(
        task, lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3), seed=7, budget=10 * task.batch_size
    )
    while not session.meter.exhausted:
        session.step()

    def look(model, *args, **kwargs):
        seen.append(task.evaluate(model))
        return LampPruning()(model, *args, **kwargs)

    for _ in range(2):  # trained, and read from its file
        assert trial(problem, look, Workplace(tmp_path / "trials")).status == "complete"
    assert seen == [session.evaluate()] * 2


@pytest.mark.parametrize(("task", "held"), [(FeaturesTask(), True), (TableTask(), False), (Toy(), False)])
def test_studies_of_networks_that_were_given_otherwise_do_not_go_on(task, held):
    assert Pruned(task).definition() == ({"beside_state": True} if held else {})


def test_networks_whose_buffers_were_not_kept_are_not_taken_for_such(tmp_path):
    place = Workplace(tmp_path / "trials")
    Pruned(FeaturesTask(), train_steps=2)._prepared(3, place)
    (directory,) = (tmp_path / "prepared").iterdir()
    assert {path.suffix for path in directory.iterdir()} >= {".pt"}
    artefact = Pruned(FeaturesTask(), train_steps=2)._prepared(3, place)
    assert artefact.content.keys() == {"directions", "mean", "head.weight", "head.bias"}


@pytest.mark.parametrize("note", [{"scale": 0.5, "steps": [1, 2]}, "text", None, torch.ones(3), 4])
def test_extra_state_is_given_as_it_was_trained(tmp_path, note):
    problem, seen = Pruned(NotedTask(note), 0.5, train_steps=2, finetune_steps=1), []
    problem.check("noted")

    def look(model, *args, **kwargs):
        seen.append(model.note)
        return LampPruning()(model, *args, **kwargs)

    for _ in range(2):
        outcome = trial(problem, look, Workplace(tmp_path / "trials"))
        assert outcome.status == "complete", outcome.error
    assert all(torch.equal(each, note) if isinstance(note, torch.Tensor) else each == note for each in seen)
    assert "bytes of the whole network" in dict(problem.target_facts().sizes)


def test_extra_state_that_cannot_be_kept_is_refused_before_any_work():
    with pytest.raises(InputError, match="here: _extra_state of the network, a Metric, cannot be kept in a file"):
        Pruned(NotedTask(Toy.metric)).check("here")


def in_two_calls(model, calibration, target, *, finetune, generator):
    """Trains in two calls, of which the second goes on with what the first has learned of the gradients."""
    smaller = copy.deepcopy(model)
    prune(smaller, lamp_counts(smaller, target / 2))
    finetune(smaller, finetune.left // 2)
    prune(smaller, lamp_counts(smaller, target))
    finetune(smaller)
    return smaller


def of_two_networks(model, calibration, target, *, finetune, generator):
    """Trains one network and then another, with an optimizer of its own."""
    finetune(copy.deepcopy(model), 3)
    return in_two_calls(model, calibration, target, finetune=finetune, generator=generator)


@pytest.mark.parametrize("candidate", [LampPruning(), halve, in_two_calls, of_two_networks])
def test_lines_to_paste_train_as_the_run_does(tmp_path, candidate):
    problem = Pruned(Plain(), 0.5, train_steps=4, finetune_steps=20)
    task, device, found = problem.task, torch.device("cpu"), []
    stream = BatchStream(task, derived_seed(7, DATA_STREAM), device, OwnedRandomness(0, device))

    def batches():
        while True:
            stream.advance(task.batch_size)
            yield stream.batch

    def both(model, calibration, target, *, finetune, generator):
        given = copy.deepcopy(model)
        names = {
            "torch": torch,
            "batches": batches(),
            "loss_of": lambda model, batch: task.losses(model(batch[0]), batch).mean(),
        }
        exec(problem.facts("plain", (), None).lines.format(finetune_lr=0.01), names)
        for network, trained in ((model, finetune), (given, names["finetune"])):
            made = candidate(network, calibration, target, finetune=trained, generator=generator)
            found.append({name: value.clone() for name, value in made.state_dict().items()})
        return made

    assert trial(problem, both, Workplace(tmp_path / "trials")).status == "complete"
    run, pasted = found
    assert all(torch.equal(value, pasted[name]) for name, value in run.items())


def test_networks_are_kept_where_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(PrunedDigits, "_trained", lambda *_: {})
    PrunedDigits()._prepared(3, Workplace(tmp_path / "trials"))
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == ["large-digits-e330a3d2d4ea"]
