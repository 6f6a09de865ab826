"""The constrained improvement: products of what the bar distribution has, its two modes, and what it comes to."""

import math

import pytest
import torch
from botorch.exceptions.errors import UnsupportedError

from trimtab.search.pfn.acquisition import LogPFNConstrainedEI
from trimtab.search.pfn.surrogate import PFNSurrogate
from trimtab.study.errors import InputError


def model(untrained, outputs=3):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(8, 3, generator=generator, dtype=torch.float64)
    return PFNSurrogate(x, torch.randn(8, outputs, generator=generator, dtype=torch.float64), untrained)


POINTS = torch.rand(20, 1, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
THRESHOLDS = torch.tensor([-0.4, 0.7], dtype=torch.float64)


def parts(surrogate, thresholds=THRESHOLDS, best=0.2):
    """Improvements and probabilities, output by output."""
    posterior = surrogate.posterior(POINTS)
    logits, bars = posterior.logits[:, 0], posterior.distribution
    probabilities = [bars.prob_above(logits[:, j + 1], float(limit)) for j, limit in enumerate(thresholds)]
    return bars.ei(logits[:, 0], best), torch.stack([torch.ones(20), *probabilities], -1)[:, 1:]


def test_it_is_the_product_of_improvement_and_probabilities(untrained):
    surrogate = model(untrained)
    improvement, probabilities = parts(surrogate)
    found = LogPFNConstrainedEI(surrogate, 0.2, THRESHOLDS)(POINTS)
    assert torch.allclose(found.exp(), improvement * probabilities.prod(-1), rtol=1e-10)
    plus = LogPFNConstrainedEI(surrogate, 0.2, THRESHOLDS, "cei+")(POINTS)
    assert torch.allclose(plus.exp(), improvement * (2 * probabilities).clamp(max=1).prod(-1), rtol=1e-10)


def test_the_two_modes_meet_where_they_should(untrained):
    surrogate = model(untrained)
    for limit in (-2.9, -0.3, 0.1, 2.9):
        thresholds = torch.full((2,), limit, dtype=torch.float64)
        improvement, probabilities = parts(surrogate, thresholds)
        cei, plus = (LogPFNConstrainedEI(surrogate, 0.2, thresholds, mode)(POINTS) for mode in ("cei", "cei+"))
        assert (plus >= cei).all()
        unlikely, likely = (probabilities <= 0.5).all(-1), (probabilities >= 0.5).all(-1)
        assert torch.allclose(plus[unlikely], cei[unlikely] + 2 * math.log(2))
        assert torch.allclose(plus[likely].exp(), improvement[likely])
        assert {-2.9: likely.all(), 2.9: unlikely.all()}.get(limit, True)


@pytest.mark.parametrize("mode", ["cei", "cei+"])
def test_without_constraints_it_is_the_improvement(untrained, mode):
    surrogate = model(untrained, 1)
    found = LogPFNConstrainedEI(surrogate, 0.2, torch.zeros(0), mode)(POINTS)
    assert torch.allclose(found.exp(), parts(surrogate, [])[0])


@pytest.mark.parametrize("mode", ["cei", "cei+"])
def test_without_a_feasible_observation_it_is_the_probability(untrained, mode):
    surrogate = model(untrained)
    found = LogPFNConstrainedEI(surrogate, None, THRESHOLDS, mode)(POINTS)
    assert torch.allclose(found.exp(), parts(surrogate)[1].prod(-1), rtol=1e-10)


@pytest.mark.parametrize("mode", ["cei", "cei+"])
@pytest.mark.parametrize("best", [-1.0, 1.0, None])
@pytest.mark.parametrize("limits", [THRESHOLDS, torch.tensor([-5.0, -7.0])])
def test_the_largest_are_found_without_asking_all(untrained, mode, best, limits, monkeypatch):
    surrogate = model(untrained)
    points = torch.rand(700, 1, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    function = LogPFNConstrainedEI(surrogate, best, limits, mode)
    asked, original = [], PFNSurrogate.posterior
    monkeypatch.setattr(
        PFNSurrogate, "posterior", lambda self, X, which: asked.append(len(X)) or original(self, X, which)
    )
    values, found = function.largest(points, 5)
    assert asked[0] == 700
    if limits is not THRESHOLDS:  # what is feasible in any case hardly changes the order
        assert sum(asked[1:]) < 700
    monkeypatch.undo()
    every = function(points)
    assert torch.allclose(values, every.topk(5).values, atol=1e-12)
    assert torch.allclose(every[found], values, atol=1e-12)


def test_the_largest_without_constraints(untrained):
    function = LogPFNConstrainedEI(model(untrained, 1), 0.2, torch.zeros(0))
    values, found = function.largest(POINTS, 3)
    assert torch.equal(found, function(POINTS).topk(3).indices)
    assert torch.equal(values, function(POINTS).topk(3).values)


def test_it_can_be_differentiated_and_does_not_underflow(untrained):
    surrogate = model(untrained, 12)
    function = LogPFNConstrainedEI(surrogate, 3.5, torch.full((11,), 12.0))
    points = POINTS[:2].clone().requires_grad_()
    values = function(points)
    assert (values.isfinite() & (values < -100)).all()
    assert torch.autograd.gradcheck(function, points, eps=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.2, THRESHOLDS, "ei"), "mode='ei'"),
        ((0.2, THRESHOLDS[:1]), "2 numbers are needed"),
        ((0.2, THRESHOLDS * math.nan), "2 numbers are needed"),
        ((math.nan, THRESHOLDS), "best_f"),
        ((torch.zeros(2), THRESHOLDS), "best_f"),
    ],
)
def test_what_cannot_be_is_refused(untrained, arguments, message):
    with pytest.raises(InputError, match=message):
        LogPFNConstrainedEI(model(untrained), *arguments)


def test_nothing_to_improve_on_and_no_constraint_is_refused(untrained):
    with pytest.raises(InputError, match="best_f=None"):
        LogPFNConstrainedEI(model(untrained, 1), None, torch.zeros(0))


def test_several_points_at_once_are_refused(untrained):
    function = LogPFNConstrainedEI(model(untrained), 0.2, THRESHOLDS)
    with pytest.raises(UnsupportedError, match="q=1"):
        function(POINTS.reshape(10, 2, 3))
