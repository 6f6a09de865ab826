"""Problems of pruning: over any task, by name, by file or as an object."""

import copy
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from tests.lab.transforms.own import Mine
from tests.lab.transforms.problems import SmallPruned, halve
from tests.lab.transforms.smaller import HIDING, Factorised, InAttribute, Quantised, behind_a_parametrization, zeroed
from trimtab.compress import lamp_counts, prune
from trimtab.lab.loading import load_problem
from trimtab.lab.problem import Workplace
from trimtab.lab.transforms.pruned import Pruned
from trimtab.lab.transforms.pruned_digits import LargeDigits, PrunedDigits
from trimtab.primitives.masks import prunable_weights
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.facts import Facts
from trimtab.study.point import Point
from trimtab.study.trial import attempt

FILE = Path(__file__).with_name("own.py")


def never(_cost, _loss):
    return False


@pytest.mark.parametrize(
    ("reference", "name", "task", "sparsity"),
    [
        ("pruned", "pruned(digits, sparsity=0.9)", "digits", 0.9),
        ("pruned(breast-cancer, sparsity=0.5)", "pruned(breast-cancer, sparsity=0.5)", "breast-cancer", 0.5),
        (f"pruned({FILE}:Mine, sparsity=0.95)", "pruned(mine, sparsity=0.95)", "mine", 0.95),
        (f"pruned({FILE}:Mine(width=3))", "pruned(mine(width=3), sparsity=0.9)", "mine(width=3)", 0.9),
        (
            "pruned(diabetes, 0.5, train_steps=7, finetune_steps=2)",
            "pruned(diabetes, sparsity=0.5, train_steps=7, finetune_steps=2)",
            "diabetes",
            0.5,
        ),
        ("pruned-digits", "pruned-digits", "large-digits", 0.9),
        ("pruned-digits(sparsity=0.95)", "pruned-digits(sparsity=0.95)", "large-digits", 0.95),
    ],
)
def test_a_problem_is_named_after_its_task(reference, name, task, sparsity):
    problem = load_problem(reference)
    assert (problem.name, problem.task.name, problem.target) == (name, task, sparsity)
    problem.check(reference)


def test_the_digits_network_is_the_one_that_was_described():
    weights = prunable_weights(PrunedDigits()._untrained(0))
    assert [weight.numel() for weight in weights.values()] == [144, 4608, 9216, 65536, 1280]
    assert sum(weight.numel() for weight in weights.values()) == 80784
    problem = PrunedDigits(0.95)
    assert problem.budget(None) == 100 * 64
    assert problem.budget(7) == 7 * 64
    assert (problem.train_steps, problem.train_lr, problem.calibration_samples) == (600, 1e-3, 256)
    assert [len(part) for part in (problem.task.train, problem.task.validation, problem.task.test)] == [1000, 400, 397]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sparsity": 1.0}, "sparsity=1.0: a share of the weights is needed"),
        ({"sparsity": "0.5"}, "sparsity='0.5'"),
        ({"sparsity": 0}, "sparsity=0: nothing would have to be pruned; a target is above 0 and below 1"),
        ({"sparsity": 0.0}, "sparsity=0.0: nothing would have to be pruned"),
        ({"task": 3}, "task=3: a trimtab.Task is needed"),
        ({"task": "branin"}, "branin is a problem for samplers; this needs a training task, such as digits"),
        ({"task": "digitz"}, "did you mean digits"),
        ({"train_steps": 0}, "train_steps=0"),
        ({"train_lr": -1.0}, "train_lr=-1.0: a learning rate is > 0"),
        ({"finetune_steps": 1.5}, "finetune_steps=1.5"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Pruned(**arguments)


def test_a_sparsity_that_leaves_no_weight_is_refused_before_any_work():
    place = "pruned-digits(sparsity=0.999999)"
    message = r"sparsity=0\.999999 leaves none of the 80,784 weights of large-digits: it is at most 1 - 1/80784"
    with pytest.raises(InputError, match=message):
        load_problem(place).check(place)
    PrunedDigits(1 - 1 / 80784).check("one weight is left")


def test_a_network_without_weights_to_prune_is_refused():
    class Bare(Toy):
        def model(self, generator):
            return torch.nn.Sequential(torch.nn.BatchNorm1d(6), torch.nn.Softmax(1))

        def outputs(self, model, batch):
            return model(batch[0])[:, :3]

    with pytest.raises(InputError, match="here: Sequential has no convolution"):
        Pruned(Bare(), 0.5).check("here")


def test_networks_are_shared_where_they_are_the_same():
    assert PrunedDigits(0.9).identity() == PrunedDigits(0.95).identity()
    assert Pruned("digits", 0.9).identity() == Pruned("digits", 0.5).identity() == "digits"
    one, other = (Pruned(f"{FILE}:Mine", sparsity).identity() for sparsity in (0.5, 0.9))
    assert one == other
    assert one != Pruned(f"{FILE}:Mine(width=3)").identity()
    # of an object, the file says too little
    assert Pruned(Mine(3), 0.5).identity() != Pruned(Mine(3), 0.9).identity()
    assert "Mine@" in Pruned(Mine(3), 0.5).identity()


def test_the_network_is_trained_by_its_recipe_and_follows_the_seed(tmp_path):
    place = Workplace(tmp_path / "trials")
    problem = SmallPruned(train_steps=30, train_lr=0.01)
    artefact = problem._prepared(3, place)
    again = SmallPruned(train_steps=30, train_lr=0.01)._prepared(3, Workplace(tmp_path / "other" / "trials"))
    assert all(torch.equal(value, again.content[name]) for name, value in artefact.content.items())
    other = problem._prepared(4, place)
    assert not torch.equal(other.content["0.weight"], artefact.content["0.weight"])
    slower = SmallPruned(train_steps=30, train_lr=0.001)._prepared(3, place)
    assert not torch.equal(slower.content["0.weight"], artefact.content["0.weight"])
    model = problem._untrained(3)
    before = problem.task.evaluate(model).loss
    model.load_state_dict(artefact.content)
    assert problem.task.evaluate(model).loss < 0.95 * before


def test_a_network_that_cannot_be_trained_is_nobody_s_fault(tmp_path):
    problem, place = SmallPruned(train_steps=30, train_lr=1e30), Workplace(tmp_path / "trials")
    point = Point("small-pruned", "final", "halve", 0, {"finetune_lr": 0.01}, 0)

    def work(point, report):
        return problem.trial(halve, point, budget=None, report=report, place=place)

    message = (
        r"the network of small-pruned cannot be trained with seed 0 and train_lr=1e\+30: .* No candidate has failed"
    )
    with pytest.raises(UnfitWorkerError, match=message):
        attempt(work, point, never)  # as a worker does, which records no outcome


def test_a_candidate_is_tried_without_training(tmp_path):
    place = Workplace(tmp_path / "trials")
    point = Point("small-pruned", "check", "halve", 0, {"finetune_lr": 0.01}, 0)
    how = {"point": point, "budget": None, "place": place}
    SmallPruned().attempt(halve, **how)
    with pytest.raises(RuntimeError, match="the target was missed: 144 of 144 weights are not zero"):
        SmallPruned().attempt(lambda model, *_, **__: model, **how)
    with pytest.raises(InputError, match="steps=21: of the 20 steps"):
        SmallPruned().attempt(lambda model, *_, finetune, **__: finetune(model, 21), **how)


def test_facts_say_what_a_reader_has_to_know():
    facts = PrunedDigits(0.95).facts("pruned-digits(sparsity=0.95)", (), 640)
    assert (facts.objective.name, facts.objective.direction) == ("validation loss", "min")
    assert facts.quoted.name == "validation accuracy"
    assert (facts.rate, facts.rate_title, facts.step_cost) == ("finetune_lr", "learning rate of fine-tuning", 64)
    assert dict(facts.sizes) == {
        "steps of fine-tuning": "10 × 64 samples",
        "weights": "80,784",
        "weights that may stay": "4,039",
        "bytes of the whole network": "324,008",
    }
    assert [measure.heading for measure in facts.measures if measure.in_ranking] == [
        "test accuracy", "loss before fine-tuning", "stored", "seconds a run"
    ]  # fmt: skip
    assert [measure.price for measure in facts.measures if measure.price] == ["size", "time", "time of its own"]
    assert "At least 95 % of the 80,784 weights" in dict(facts.paragraphs)["Sparsity"]
    assert facts.length.endswith("a budget of 640 sample-gradients, which is 10 steps of fine-tuning on 64 samples")
    assert [scatter.x.name for scatter in facts.scatters] == ["loss before fine-tuning"]
    assert Facts.from_dict(facts.to_dict()) == facts


def test_large_digits_is_a_task_like_any_other():
    assert LargeDigits().label_smoothing == 0
    with pytest.raises(InputError, match=r"small-pruned is no|sparsity=2"):
        SmallPruned(2)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Toy().model(None).eval()


@pytest.mark.parametrize("layer", HIDING)
def test_a_weight_counts_wherever_a_layer_keeps_it(layer):
    original, inputs = network(), torch.randn(5, 6)
    requirement = Pruned(Toy(), 0.5).requirement(original)
    artefact = copy.deepcopy(original)
    artefact[0] = layer(artefact[0])
    assert torch.allclose(artefact(inputs), original(inputs), atol=1e-6)
    assert "weights are not zero" in requirement.missed(artefact)
    found = requirement.measured(artefact)
    assert found["sparsity"] <= 0
    assert found["stored bytes"] >= 4 * 144


def test_it_is_said_where_weights_are_that_no_state_dictionary_has():
    original = network()
    requirement = Pruned(Toy(), 0.5).requirement(original)
    artefact = copy.deepcopy(original)
    artefact[0] = InAttribute(artefact[0])
    assert requirement.missed(artefact).endswith(
        "72 more than the 72 that a sparsity of 0.5 leaves; 96 of them are outside of its state dictionary, in 0.kept.0"
    )


class Net(nn.Module):
    """Keeps a table and its last activations in attributes."""

    def __init__(self):
        super().__init__()
        self.table, self.last = torch.arange(6.0), None
        self.register_buffer("phase", torch.ones(6), persistent=False)
        self.first, self.second = nn.Linear(6, 16), nn.Linear(16, 3)

    def forward(self, inputs):
        self.last = self.first(inputs + self.table * self.phase).relu()
        return self.second(self.last)


class NetTask(Toy):
    name = "net"

    def model(self, generator):
        return Net()


def trial_of(tmp_path, build, task):
    problem = Pruned(task, 0.5, train_steps=2, finetune_steps=4)
    point = Point(problem.name, "final", "it", 0, {"finetune_lr": 0.01}, 7)
    return problem.trial(build, point, budget=None, report=never, place=Workplace(tmp_path / "trials"))


def test_a_run_keeps_nothing_behind_a_parametrization(tmp_path):
    def build(model, *args, **kwargs):
        model[0] = behind_a_parametrization(model[0])
        model[4] = zeroed(model[4])
        return model

    outcome = trial_of(tmp_path, build, Toy())
    assert outcome.status == "failed"
    assert "parametrizations" in outcome.error


@pytest.mark.parametrize("task", [Toy(), NetTask()])
def test_what_the_network_has_of_its_own_is_free_and_masks_may_stay(tmp_path, task):
    def build(model, calibration, target, *, finetune, generator):
        smaller = copy.deepcopy(model)
        prune(smaller, lamp_counts(smaller, target))
        finetune(smaller)
        return smaller

    outcome = trial_of(tmp_path, build, task)
    assert outcome.status == "complete", outcome.error
    assert outcome.measures["sparsity"] == 0.5


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
