"""The batch size controller in a session."""

import math

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.lab.toy import Toy
from trimtab import Metric, Session, Task
from trimtab.catalog.parsing import parse_expression
from trimtab.schedule.adadagrad.adaptive_batch import AdaptiveBatch


class Plain(Task):
    """Rows of six numbers in three classes; dropout is all the randomness that there is."""

    name = "plain"
    metric = Metric("accuracy", "max")
    batch_size = 4
    steps = 60

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(120, 6, generator=generator)
        targets = (inputs @ torch.randn(6, 3, generator=generator)).argmax(1)
        self.train, self.validation, self.test = (
            TensorDataset(inputs[rows], targets[rows]) for rows in (slice(64), slice(64, 90), slice(90, 120))
        )

    def model(self, generator):
        return nn.Sequential(nn.Linear(6, 16), nn.GroupNorm(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))

    def losses(self, outputs, batch):
        return nn.functional.cross_entropy(outputs, batch[1], reduction="none")

    def score(self, outputs, batch):
        return (outputs.argmax(1) == batch[1]).float().mean()


class Still(Plain):
    """Without dropout."""

    def model(self, generator):
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def session_of(text, task=None, seed=3, **settings):
    return Session(
        task or Plain(), lambda model: parse_expression(text).build(model, {"lr": 0.1, **settings}), seed=seed
    )


def wrapped(inner, task=None, **settings):
    """A session with settings that an expression has no words for."""

    def made(model):
        return AdaptiveBatch(parse_expression(inner).build(model, {"lr": 0.1}), **settings)

    return Session(task or Plain(), made, seed=3)


def test_the_batch_grows_and_the_meter_counts_each_gradient_once():
    run = session_of("adagrad+adadagrad(eta=0.5)")
    sizes, used = [], []
    while not run.meter.exhausted:
        assert math.isfinite(run.step())
        sizes.append(run.samples)
        used.append(run.meter.used)
    assert sizes == sorted(sizes)
    assert sizes[0] == 4
    assert 4 < sizes[-1] <= 64
    check = -(-8 // 3)  # four samples passed forward twice, to see that they are independent
    assert used == [check + sum(sizes[: step + 1]) for step in range(len(sizes))]
    history = run.controllers[0].history
    assert [record["batch_size"] for record in history] == sorted(set(sizes[1:]) - {4})
    assert run.batch_size == history[-1]["batch_size"]


@pytest.mark.parametrize("inner", ["sgd", "adamw", "adagrad", "lion", "adagradnorm", "clip(adamw)"])
def test_where_the_batch_cannot_grow_it_is_the_inner_optimizer(inner):
    plain, tested = session_of(inner, Still()), wrapped(inner, Still(), eta=1e9)
    for _ in range(5):
        assert tested.step() == pytest.approx(plain.step(), rel=1e-5)
    assert tested.samples == 4
    for ours, theirs in zip(tested.model.parameters(), plain.model.parameters(), strict=True):
        # Lion's signs and clipping's quantiles may go either way where rounding decides
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_inner_products_that_fit_into_memory_cost_nothing_more(monkeypatch):
    run = session_of("adagrad+adadagrad(test='augmented', theta=1e9, nu=1e9)", Still())
    run.step()
    first = run.meter.used
    run.step()
    assert run.meter.used == first + 4
    monkeypatch.setattr("trimtab.primitives.sample_gradients.IN_MEMORY", 1)
    monkeypatch.setattr("trimtab.primitives.sample_gradients.FEWEST_TOGETHER", 2)
    run.step()
    assert run.meter.used == first + 3 * 4


def test_between_tests_it_costs_what_the_inner_optimizer_costs():
    run = wrapped("adagrad", Still(), eta=1e9, interval=3)
    run.step()
    first = run.meter.used
    for _ in range(3):
        run.step()
    assert run.meter.used == first + 12


def test_around_an_optimizer_that_needs_more_a_test_is_a_gradient_more():
    run = wrapped("adahessian", Still(), eta=1e9)
    run.step()
    first = run.meter.used
    run.step()
    assert run.meter.used == first + 3 * 4


def test_a_closure_that_is_called_again_computes_again():
    def made(model):
        return AdaptiveBatch(torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3), eta=1e9)

    run = Session(Still(), made, seed=0)
    before = [param.detach().clone() for param in run.model.parameters()]
    run.step()
    assert run.meter.used > 8 + 3
    assert any(not torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))


@pytest.mark.parametrize("test", ["norm", "coordinate", "augmented"])
def test_it_resumes_bit_for_bit(test, tmp_path):
    text = f"adagrad+adadagrad(test='{test}', eta=0.8, theta=0.2, nu=0.8, growth_cap=1.3, interval=2)"
    whole, begun, resumed = (session_of(text) for _ in range(3))
    expected = [whole.step() for _ in range(12)]
    first = [begun.step() for _ in range(5)]
    torch.save(begun.snapshot(), tmp_path / "run.pt")
    resumed.restore(torch.load(tmp_path / "run.pt", weights_only=True), refund=True)
    assert first + [resumed.step() for _ in range(7)] == expected
    assert resumed.meter.used == whole.meter.used
    assert resumed.controllers[0].history == whole.controllers[0].history != []
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_going_back_takes_the_batch_size_back():
    run = session_of("adagrad+adadagrad(eta=0.5)")
    run.step()
    saved = run.snapshot()
    ahead = [run.step() for _ in range(5)]
    assert run.batch_size > saved["batch_size"]
    run.restore(saved)
    assert [run.step() for _ in range(5)] == ahead


def test_the_largest_batch_can_be_set_and_is_not_tested():
    run = wrapped("adagrad", Still(), eta=0.01, max_batch_size=10)
    sizes = []
    for _ in range(6):
        run.step()
        sizes.append(run.samples)
    assert sizes[0] == 4
    assert sizes[-1] == 10
    assert not run.controllers[0].controller.due(10)


class Coupled(Still):
    def losses(self, outputs, batch):
        return super().losses(outputs, batch) / (1 + batch[1].float().mean())


def test_losses_that_depend_on_each_other_are_refused_at_the_first_step():
    with pytest.raises(ValueError, match="depend on its own sample alone"):
        session_of("adagrad+adadagrad", Coupled()).step()


def test_batch_normalisation_is_refused():
    with pytest.raises(ValueError, match=r"BatchNorm1d in training mode.*GroupNorm"):
        session_of("adagrad+adadagrad", Toy()).step()


def test_a_first_batch_that_is_too_large_or_too_small_is_refused():
    with pytest.raises(ValueError, match="batch_size=4 must be at most max_batch_size=3"):
        session_of("adagrad+adadagrad(max_batch_size=3)", Still()).step()
    single = Still()
    single.batch_size = 1
    with pytest.raises(ValueError, match="batch_size=1 must be a whole number >= 2"):
        session_of("adagrad+adadagrad", single).step()


def test_a_comparison_takes_it(tmp_path):
    from trimtab.lab.measures import BATCH_SIZE, STEPS
    from trimtab.lab.trial import run_trial

    outcome = run_trial(
        lambda: session_of("adagrad+adadagrad(eta=0.5)"), evaluations=3, test=True, report=lambda *_: False
    )
    assert outcome.status == "complete", outcome.error
    assert outcome.measures[STEPS] < Plain.steps
    assert outcome.traces[BATCH_SIZE][0][1] == 4
    assert outcome.traces[BATCH_SIZE][-1][1] > 4


def test_its_code_names_the_controller():
    code = parse_expression("adagrad+adadagrad").code({"lr": 0.1, "adadagrad.eta": 0.25, "weight_decay": 0.0})
    assert "from trimtab.schedule import AdaptiveBatchSampler, BatchSizeController" in code
    assert "eta=0.25" in code
