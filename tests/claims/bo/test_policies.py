"""The policies of a batch of functions are the acquisition functions that they are called after."""

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement, LogNoisyExpectedImprovement
from sklearn.gaussian_process.kernels import RBF

from tests.search.bo_tutorial.known import known
from trimtab.claims.bo import policies
from trimtab.claims.bo.policies import Belief
from trimtab.primitives.envelope import expected_gain
from trimtab.search import DiscreteKnowledgeGradient, PosteriorMeanImprovement

X = torch.linspace(0, 1, 12, dtype=torch.float64)[:, None]
STATES = {
    "after two": ([3, 9], [8, 1]),
    "after six": ([3, 9, 5, 0, 11, 7], [8, 1, 4, 6, 2, 10]),
    "of different sizes": ([3, 9, 5, 9, 11, 9], [8, 1, 8, 8, 1, 8]),
}
"""Points by function, some of them again."""


def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=[(state, noise) for state in STATES for noise in (1e-4, 0.25, 2.25)], ids=str)
def state(request):
    """A belief of two functions, and for each the points and values that it is conditioned on."""
    chosen, noise = STATES[request.param[0]], request.param[1]
    prior = torch.from_numpy(RBF(0.3)(X.numpy()))
    belief = Belief(prior.expand(2, -1, -1), noise)
    values = torch.randn(2, len(chosen[0]), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for points, told in zip(torch.tensor(chosen).T, values.T, strict=True):
        belief.tell(points, told)
    return belief, [(X[points], told[:, None]) for points, told in zip(chosen, values, strict=True)]


def models(state):
    belief, data = state
    return [(known(points, values, noise=belief.noise), points) for points, values in data]


def test_a_belief_is_the_posterior(state):
    belief, _ = state
    for number, (model, points) in enumerate(models(state)):
        with torch.no_grad():
            posterior = model.posterior(X)
        torch.testing.assert_close(belief.mean[number], posterior.mean[:, 0], rtol=1e-6, atol=1e-7)
        expected = posterior.distribution.covariance_matrix
        torch.testing.assert_close(belief.covariance[number], expected, rtol=1e-6, atol=1e-7)
        found = belief.points()[number]
        assert set(X[found, 0].tolist()) == set(points[:, 0].tolist())
        best = posterior.mean[found, 0].argmax()
        assert belief.best()[number] == found[best]


def test_ours_is_the_improvement_of_the_largest_posterior_mean(state):
    scores = policies.decision_theoretic(state[0], rng())
    for own, (model, points) in zip(scores, models(state), strict=True):
        with torch.no_grad():
            expected = PosteriorMeanImprovement(model, points)(X[:, None])
        torch.testing.assert_close(own.exp(), expected.exp(), rtol=1e-5, atol=1e-9)
        assert int(own.argmax()) == int(expected.argmax())


def test_the_plug_in_is_botorchs_expected_improvement_over_the_largest_posterior_mean(state):
    scores = policies.plug_in(state[0], rng())
    for own, (model, points) in zip(scores, models(state), strict=True):
        with torch.no_grad():
            expected = LogExpectedImprovement(model, model.posterior(points).mean.max())(X[:, None])
        torch.testing.assert_close(own.exp(), expected.exp(), rtol=1e-5, atol=1e-8)


def test_the_knowledge_gradient_is_the_discrete_one(state):
    scores = policies.knowledge_gradient(state[0], rng())
    for own, (model, _) in zip(scores, models(state), strict=True):
        with torch.no_grad():
            expected = DiscreteKnowledgeGradient(model, X)(X[:, None])
        torch.testing.assert_close(own.exp(), expected.exp(), rtol=1e-5, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Very small noise values", "ignore:A not p.d.")  # a point twice has no root
def test_fantasies_are_botorchs(state):
    belief, data = state
    scores = policies.fantasised(belief, rng(), fantasies=2**12).exp()
    other = policies.plug_in(belief, rng()).exp()
    for number, (points, values) in enumerate(data):
        variances = torch.full_like(values, belief.noise)
        model = known(points, values, noise=None, train_Yvar=variances)
        torch.manual_seed(0)
        with torch.no_grad():
            expected = LogNoisyExpectedImprovement(model, points, num_fantasies=2**12)(X[:, None]).exp()
        torch.testing.assert_close(scores[number], expected, rtol=0.03, atol=2e-3)
        if belief.noise > 0.1:
            assert float((other[number] - expected).abs().max()) > 0.02


def test_improvements_are_those_of_the_envelope_however_small():
    mean = torch.tensor([-400.0, -39, -5, -1e-3, 0, 1e-3, 2, 50], dtype=torch.float64)
    zero = torch.zeros(8, 1, dtype=torch.float64)
    slopes = torch.cat([zero, zero + 1.5], -1)
    gain = expected_gain(torch.cat([zero, mean[:, None]], -1), slopes, log=True)
    expected = torch.logaddexp(gain, mean.clamp_min(0).log())
    found = policies.log_improvement(mean, torch.full_like(mean, 2.25), zero[0])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_random_points_are_new_ones(state):
    belief, _ = state
    generator = rng()
    while not belief.evaluated.all():
        chosen = policies.at_random(belief, generator).argmax(-1)
        fresh = ~belief.evaluated.gather(-1, chosen[:, None])[:, 0]
        assert (fresh | belief.evaluated.all(-1)).all()
        belief.tell(chosen, torch.zeros(2, dtype=torch.float64))
