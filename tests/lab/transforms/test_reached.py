"""What a network works with counts wherever it keeps it, and what it has from the beginning does not."""

import copy
import warnings

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from tests.lab.transforms import hiding
from tests.lab.transforms.hiding import HIDING, Factorised, Quantised
from trimtab.compress import lamp_counts, prune
from trimtab.lab.problem import Workplace
from trimtab.lab.transforms.pruned import Pruned
from trimtab.lab.transforms.reached import FEW, Known, reached
from trimtab.study.point import Point


class Net(nn.Module):
    """Keeps a table, numbers and its last activations in attributes, and calls functions of its own."""

    def __init__(self):
        super().__init__()
        self.table, self.numbers, self.last = torch.arange(6.0), [float(each) for each in range(200)], None
        self.register_buffer("phase", torch.ones(6), persistent=False)
        self.activation = activation
        self.first, self.second = nn.Linear(6, 16), nn.Linear(16, 3)

    def forward(self, inputs):
        self.last = self.activation(self.first(inputs + self.table * self.phase))
        return self.second(self.last)


TABLE = torch.full((500,), 2.0)


def activation(values):
    return values.relu() + 0 * TABLE[0]


class NetTask(Toy):
    name = "net"

    def model(self, generator):
        return Net()


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Toy().model(None).eval()


@pytest.mark.parametrize("hide", HIDING)
def test_a_weight_counts_wherever_it_is_kept(hide):
    original, inputs = network(), torch.randn(5, 6)
    requirement = Pruned(Toy(), 0.5).requirement(original)
    artefact = copy.deepcopy(original)
    artefact[0] = hide(artefact[0])
    assert torch.allclose(artefact(inputs), original(inputs), atol=1e-6)
    assert "weights are not zero" in requirement.missed(artefact)
    found = requirement.measured(artefact)
    assert found["sparsity"] <= 0
    assert found["stored bytes"] >= 4 * 144


def test_it_is_said_whose_code_gets_at_it():
    original = network()
    requirement = Pruned(Toy(), 0.5).requirement(original)
    artefact = copy.deepcopy(original)
    artefact[0] = hiding.InAttribute(artefact[0])
    assert requirement.missed(artefact).endswith(
        "72 more than the 72 that a sparsity of 0.5 leaves; 96 of them are outside of its state dictionary, where the "
        "code of 0 (InAttribute) gets at them"
    )


def trial(tmp_path, build, task):
    problem = Pruned(task, 0.5, train_steps=2, finetune_steps=4)
    point = Point(problem.name, "final", "it", 0, {"finetune_lr": 0.01}, 7)
    place = Workplace(tmp_path / "trials")
    return problem.trial(build, point, budget=None, report=lambda _cost, _loss: False, place=place)


def test_a_run_keeps_nothing_behind_a_parametrization(tmp_path):
    def build(model, *args, **kwargs):
        model[0] = hiding.behind_a_parametrization(model[0])
        model[4] = hiding.zeroed(model[4])
        return model

    outcome = trial(tmp_path, build, Toy())
    assert outcome.status == "failed"
    assert "parametrizations" in outcome.error


def test_masks_may_stay_on_what_is_returned(tmp_path):
    def build(model, calibration, target, *, finetune, generator):
        smaller = nn.Sequential(*copy.deepcopy(model))
        prune(smaller, lamp_counts(smaller, target))
        finetune(smaller)
        return smaller

    outcome = trial(tmp_path, build, Toy())
    assert outcome.status == "complete", outcome.error
    assert outcome.measures["sparsity"] == 0.5


def pruned_by_lamp(model, calibration, target, *, finetune, generator):
    smaller = copy.deepcopy(model)
    prune(smaller, lamp_counts(smaller, target))
    finetune(smaller)
    return smaller


@pytest.mark.parametrize("task", [Toy(), NetTask()])
def test_what_the_network_has_of_its_own_is_free(tmp_path, task):
    outcome = trial(tmp_path, pruned_by_lamp, task)
    assert outcome.status == "complete", outcome.error
    assert outcome.measures["sparsity"] == 0.5
    assert len(outcome.curve) == 5


def test_what_the_network_has_of_its_own_may_not_be_another_s():
    original = Net()
    known = Known.of(original)
    with torch.no_grad():
        original(torch.ones(2, 6))
    assert reached(original, known) == []
    for change in (
        lambda made: setattr(made, "activation", lambda values: values.relu() + made.table[0]),
        lambda made: setattr(type(made), "forward", lambda self, inputs: self.table),
    ):
        made = copy.deepcopy(original)
        kept = Net.forward
        made.table = torch.arange(100.0)
        try:
            change(made)
            assert max(each.numbers for each in reached(made, known)) == 99
        finally:
            Net.forward = kept


def test_smaller_layers_are_counted_by_what_they_are():
    original = network()
    requirement = Pruned(Toy(), 0.5).requirement(original)
    smaller = copy.deepcopy(original)
    smaller[0] = Factorised(original[0], 2)  # 2 * (6 + 16), and the 16 of its bias, which has another name
    smaller[4] = Quantised(original[4], 0.9)
    assert requirement.missed(smaller) == ""
    assert requirement.measured(smaller)["sparsity"] == pytest.approx(1 - (44 + 16 + 5) / 144)
    # of another shape, biases and norms count as well
    narrow = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.3), nn.Linear(5, 3))
    assert requirement.measured(narrow)["sparsity"] == pytest.approx(1 - (30 + 5 + 5 + 5 + 15) / 144)


def test_smaller_layers_of_a_class_within_the_candidate(tmp_path):
    def build(model, calibration, target, *, finetune, generator):
        class Narrow(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Linear(model[0].in_features, 4)
                self.head = nn.Linear(4, 3)

            def forward(self, inputs):
                return self.head(self.body(inputs).relu())

        with torch.random.fork_rng():
            smaller = Narrow()
        finetune(smaller)
        return smaller

    outcome = trial(tmp_path, build, Toy())
    assert outcome.status == "complete", outcome.error
    assert outcome.measures["sparsity"] == pytest.approx(1 - (24 + 4 + 12 + 3) / 144)


def test_layers_that_torch_quantised_are_counted():
    original = network()
    requirement = Pruned(Toy(), 0.5).requirement(original)
    with warnings.catch_warnings(action="ignore"):  # that they are deprecated
        quantised = torch.ao.quantization.quantize_dynamic(copy.deepcopy(original), {nn.Linear})
    assert "weights are not zero" in requirement.missed(quantised)
    with torch.no_grad():
        for layer in (original[0], original[4]):
            layer.weight[: len(layer.weight) * 2 // 3 + 1] = 0
    with warnings.catch_warnings(action="ignore"):  # that they are deprecated
        quantised = torch.ao.quantization.quantize_dynamic(original, {nn.Linear})
    assert requirement.missed(quantised) == ""


def test_a_scripted_network_is_refused():
    original = network()
    requirement = Pruned(Toy(), 0.5).requirement(original)
    with warnings.catch_warnings(action="ignore"):  # that it is deprecated
        scripted = torch.jit.script(original)
    assert "in a torch.jit.ScriptModule nobody can count weights" in requirement.missed(scripted)


def test_a_few_numbers_in_lists_are_settings():
    class Listed(nn.Module):
        def __init__(self, count):
            super().__init__()
            self.numbers = [1.5] * count

        def forward(self, inputs):
            return inputs

    assert reached(Listed(FEW), Known()) == []
    assert sum(each.numbers for each in reached(Listed(FEW + 1), Known())) == FEW + 1
