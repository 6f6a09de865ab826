"""A run of a transform is measured, and believes nobody."""

import copy

import pytest
import torch
from torch import nn

from tests.lab.transforms.problems import SmallPruned, halve, nothing
from trimtab.lab.measures import PREPARATION_SECONDS, STEPS, TEST_LOSS, TEST_METRIC
from trimtab.lab.problem import Workplace
from trimtab.lab.transforms.pruned import SPARSITY, STORED
from trimtab.lab.transforms.run import BEFORE, OWN_SECONDS
from trimtab.study.point import Point
from trimtab.study.tunable import LogUniform


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Workplace(tmp_path_factory.mktemp("study") / "trials")


def trial(place, build, *, phase="final", seed=7, lr=0.01, report=lambda _cost, _loss: False, sparsity=0.5, budget=200):
    point = Point("small-pruned", phase, "it", 0, {"finetune_lr": lr}, seed, {"finetune_lr": LogUniform(1e-4, 1e-2)})
    return SmallPruned(sparsity).trial(build, point, budget=budget, report=report, place=place)


def test_what_is_measured_of_a_run(place):
    outcome = trial(place, halve)
    assert outcome.status == "complete", outcome.error
    assert outcome.cost == 200
    assert outcome.measures[STEPS] == 20
    assert outcome.measures[SPARSITY] == 0.5
    # 72 of 96 + 48 weights are left: 24 of the first layer, all of the second; the rest is dense
    dense = 4 * (16 + 4 * 16 + 3) + 8
    assert outcome.measures[STORED] == (12 + 4 * 24) + 4 * 48 + dense
    assert outcome.measures.keys() == {
        STEPS, SPARSITY, STORED, BEFORE, OWN_SECONDS, TEST_LOSS, TEST_METRIC, PREPARATION_SECONDS
    }  # fmt: skip
    assert [point.cost for point in outcome.curve] == list(range(0, 201, 10))
    assert outcome.measures[BEFORE] == outcome.curve[0].loss != outcome.loss
    assert (outcome.curve[-1].loss, outcome.curve[-1].metric) == (outcome.loss, outcome.metric)
    assert outcome.curve[0].train_loss is None
    assert outcome.curve[-1].train_loss > 0


def test_test_data_are_seen_in_final_runs_alone(place):
    assert TEST_LOSS not in trial(place, halve, phase="tune").measures


def test_it_is_the_same_again_and_follows_seed_and_learning_rate(place):
    one, other = trial(place, halve), trial(place, halve)
    assert (one.curve, one.loss) == (other.curve, other.loss)
    assert trial(place, halve, seed=8).loss != one.loss
    slower = trial(place, halve, lr=0.0001)
    assert slower.curve[0] == one.curve[0]
    assert slower.loss != one.loss


def test_a_run_without_fine_tuning_is_scored_by_what_it_made(place):
    def untrained(*args, finetune, **kwargs):
        return halve(*args, finetune=lambda model: None, **kwargs)

    outcome = trial(place, untrained)
    assert (outcome.status, outcome.cost, len(outcome.curve)) == ("complete", 0, 1)
    assert outcome.measures[BEFORE] == outcome.loss == trial(place, halve).curve[0].loss


def test_a_target_that_is_missed_fails_the_run_and_says_by_how_much(place):
    outcome = trial(place, nothing)
    assert outcome.status == "failed"
    assert outcome.error == (
        "the target was missed: 144 of 144 weights are not zero, 72 more than the 72 that a sparsity of 0.5 leaves"
    )
    assert outcome.loss is None


def test_what_a_transform_says_of_itself_is_not_believed(place):
    class Boastful(nn.Module):
        sparsity = 0.99

        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, inputs):
            return self.inner(inputs)

    def boast(model, *args, **kwargs):
        return Boastful(model)

    # under other names, even biases count as weights
    assert "more than the 72" in trial(place, boast).error


def test_a_mask_that_is_only_promised_does_not_count(place):
    def promised(model, *args, **kwargs):
        for layer in (model[0], model[4]):
            layer.register_buffer("mask", torch.zeros(3))
        return model

    assert "144 of 144 weights are not zero" in trial(place, promised).error


@pytest.mark.parametrize("returned", [None, {"weight": 1}, 0.5])
def test_what_is_no_network_is_refused_in_a_sentence(place, returned):
    outcome = trial(place, lambda *args, **kwargs: returned)
    assert outcome.status == "failed"
    assert outcome.error == f"the candidate returned a {type(returned).__name__}; a torch.nn.Module is needed"


def test_what_a_transform_raises_is_the_outcome_of_its_run(place):
    def raises(*args, **kwargs):
        raise RuntimeError("no way")

    outcome = trial(place, raises)
    assert outcome.status == "failed"
    assert outcome.error.endswith("RuntimeError: no way\n")


def test_a_transform_that_trains_beyond_the_budget_is_stopped(place):
    def greedy(model, calibration, target, *, finetune, generator):
        while True:
            finetune(model, 8)

    outcome = trial(place, greedy)
    assert outcome.status == "failed"
    assert outcome.cost == 160
    assert "steps=8: of the 20 steps of fine-tuning that a run has, 4 are left" in outcome.error


def test_what_diverges_has_diverged(place):
    def explodes(model, calibration, target, **kwargs):
        with torch.no_grad():
            for param in model.parameters():
                param.zero_()
            model[4].bias.copy_(torch.tensor([float("nan"), 0, 0]))
        return model

    assert trial(place, explodes).status == "diverged"


def test_a_run_can_be_given_up(place):
    seen = []

    def report(cost, loss):
        seen.append(cost)
        return len(seen) == 3

    def stubborn(*args, finetune, **kwargs):
        def tolerant(model):
            try:
                finetune(model)
            except Exception:
                raise AssertionError("a transform could catch it") from None

        return halve(*args, finetune=tolerant, **kwargs)

    outcome = trial(place, stubborn, phase="tune", report=report)
    assert outcome.status == "pruned"
    assert seen == [10, 20, 30]
    assert outcome.cost == 30
    assert [point.cost for point in outcome.curve] == [0, 10, 20, 30]


def test_the_curve_holds_what_meets_the_target_alone(place):
    def in_two_rounds(model, calibration, target, *, finetune, generator):
        class Half:
            left = 10

            def __call__(self, model):
                finetune(model, 10)

        once = halve(model, calibration, target / 2, finetune=Half(), generator=generator)
        from trimtab.primitives.masks import remove_masks

        remove_masks(once)
        return halve(once, calibration, target, finetune=Half(), generator=generator)

    seen = []
    outcome = trial(place, in_two_rounds, report=lambda cost, _loss: bool(seen.append(cost)))
    assert outcome.status == "complete", outcome.error
    assert seen == list(range(10, 201, 10))
    assert [point.cost for point in outcome.curve] == [100, *range(110, 201, 10)]
    assert outcome.measures[BEFORE] == outcome.curve[0].loss


def test_every_run_gets_the_network_as_it_was_trained(place):
    seen = []

    def spoil(model, *args, **kwargs):
        seen.append(copy.deepcopy(model.state_dict()))
        with torch.no_grad():
            for param in model.parameters():
                param.zero_()
        return model

    assert trial(place, spoil).status == "complete"
    trial(place, spoil)
    trial(place, spoil, sparsity=0.9)
    assert all(torch.equal(one, seen[1][name]) for name, one in seen[0].items())
    assert all(torch.equal(one, seen[2][name]) for name, one in seen[0].items())


def test_what_a_transform_is_given(place):
    given = {}

    def look(model, calibration, target, *, finetune, generator):
        given.update(
            training=model.training,
            sizes=[len(inputs) for inputs, _ in calibration],
            outputs=[tuple(calibration.outputs(model, batch).shape) for batch in calibration],
            target=target,
            left=finetune.left,
            draw=float(torch.rand((), generator=generator)),
            ambient=float(torch.rand(())),
            inputs=torch.cat([inputs for inputs, _ in calibration]),
        )
        return halve(model, calibration, target, finetune=finetune, generator=generator)

    state = torch.get_rng_state()
    trial(place, look)
    first = dict(given)
    assert torch.equal(torch.get_rng_state(), state)
    assert (first["training"], first["sizes"], first["outputs"]) == (False, [30], [(30, 3)])
    assert (first["target"], first["left"]) == (0.5, 20)
    trial(place, look)
    assert (given["draw"], given["ambient"]) == (first["draw"], first["ambient"])
    assert torch.equal(given["inputs"], first["inputs"])
    # of the training data, which are jittered as they are read
    train = SmallPruned().task.train.inputs
    assert float(torch.cdist(given["inputs"], train).min(1).values.max()) < 1
    trial(place, look, seed=8)
    assert given["draw"] != first["draw"]


def test_what_is_prepared_takes_none_of_a_run_s_time(place, monkeypatch):
    from trimtab.lab.transforms.problem import TransformProblem

    trained = TransformProblem._trained

    def slow(self, seed, place):
        import time

        time.sleep(0.5)
        return trained(self, seed, place)

    monkeypatch.setattr(TransformProblem, "_trained", slow)
    outcome = trial(place, halve, seed=99)
    assert outcome.measures[PREPARATION_SECONDS] >= 0.5
    again = trial(place, halve, seed=99)
    assert again.measures[PREPARATION_SECONDS] == outcome.measures[PREPARATION_SECONDS]
    # what was spent inside run_transform alone
    monkeypatch.setattr("time.perf_counter", lambda: 5.0)
    assert trial(place, halve, seed=100).seconds == 0
