"""The knowledge gradient over finitely many points, against noisy expected improvement, fantasies and BoTorch's own."""

import pytest
import torch
from botorch.acquisition import qKnowledgeGradient
from botorch.models import SingleTaskGP
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.sampling import manual_seed

from tests.search.bo_tutorial.known import CARD_X, CARD_Y, known, some
from trimtab.search import DiscreteKnowledgeGradient, PosteriorMeanImprovement
from trimtab.search.bo_tutorial.joint_posterior import _Asked

pytestmark = pytest.mark.filterwarnings("ignore:Data .outcome observations. is not standardized")  # as it is meant


def best(model, X):
    return model.posterior(X).mean[:, 0].max()


def test_over_the_evaluated_points_and_itself_it_is_noisy_expected_improvement():
    X, Y = some(8, 2)
    model = known(X, Y, noise=0.1)
    for new in some(12, 2, seed=3)[0]:
        points = torch.cat([X, new[None]])
        value = DiscreteKnowledgeGradient(model, points, log=False)(new[None])
        expected = PosteriorMeanImprovement(model, X, log=False)(new[None]) + best(model, X) - best(model, points)
        assert torch.allclose(value, expected, rtol=1e-9, atol=1e-13)


def test_over_more_points_it_is_worth_no_less_than_noisy_expected_improvement():
    X, Y = some(8, 2)
    model = known(X, Y, noise=0.1)
    others = some(100, 2, seed=5)[0]
    for new in some(12, 2, seed=3)[0]:
        everywhere = torch.cat([X, new[None], others])
        value = DiscreteKnowledgeGradient(model, everywhere, log=False)(new[None])
        improvement = PosteriorMeanImprovement(model, X, log=False)(new[None])
        assert improvement <= value + best(model, everywhere) - best(model, X) + 1e-12


@pytest.mark.parametrize("q", [1, 2])
def test_it_is_what_fantasies_come_to(q):
    X, Y = some(5, 2)
    model = SingleTaskGP(X, Y).eval()
    candidates = some(6, 2, seed=2)[0]
    new = some(q, 2, seed=3)[0]
    with torch.no_grad():
        model.posterior(X)
        fantasies = model.fantasize(new, SobolQMCNormalSampler(torch.Size([2**14 if q == 1 else 2**16]), seed=0))
        expected = fantasies.posterior(candidates).mean[..., 0].amax(-1).mean() - best(model, candidates)
        found = DiscreteKnowledgeGradient(model, candidates, log=False, q_mc_samples=4096)(new)
    assert float(found) == pytest.approx(float(expected), rel=1e-3)


def test_it_agrees_with_the_one_over_a_continuum():
    X, Y = some(6, 1)
    model = known(X, Y, length=0.2, noise=0.2)
    grid = torch.linspace(0, 1, 1000, dtype=torch.float64)[:, None]
    bounds = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    new = torch.tensor([0.05, 0.15, 0.3], dtype=torch.float64)[:, None, None]
    with manual_seed(0):
        sampler = SobolQMCNormalSampler(torch.Size([256]), seed=1)
        other = qKnowledgeGradient(model, num_fantasies=256, sampler=sampler, current_value=best(model, grid))
        expected = other.evaluate(new, bounds=bounds, num_restarts=2, raw_samples=32)
    with torch.no_grad():
        found = DiscreteKnowledgeGradient(model, grid, log=False)(new)
    assert torch.allclose(found, expected, rtol=0.02, atol=0)


def test_environments_are_averaged():
    X, Y = some(10, 2)
    model = known(X, Y, noise=0.1)
    designs, environments = torch.linspace(0, 1, 5).double(), torch.tensor([0.1, 0.5, 0.8]).double()
    probabilities = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    candidates = torch.cartesian_prod(designs, environments)
    weights = torch.block_diag(*[probabilities[None]] * 5)
    new = some(7, 2, seed=3)[0][:, None]
    found = DiscreteKnowledgeGradient(model, candidates, weights=weights, log=False)(new)
    # by hand: what is chosen from is five sums, whose means and covariances follow
    posterior = model.posterior(torch.cat([candidates.expand(7, -1, -1), new], 1))
    draws = SobolQMCNormalSampler(torch.Size([2**15]), seed=0)(model.posterior(new, observation_noise=True))
    covariance = posterior.distribution.covariance_matrix
    gain = covariance[:, :-1, -1] / (covariance[:, -1:, -1] + 0.1)
    moved = posterior.mean[:, :-1, 0] + gain * (draws[..., 0] - posterior.mean[:, -1])
    before, after = (
        (each.unflatten(-1, (5, 3)) * probabilities).sum(-1) for each in (posterior.mean[:, :-1, 0], moved)
    )
    expected = after.amax(-1).mean(0) - before.amax(-1)
    assert torch.allclose(found, expected, rtol=2e-3, atol=1e-6)


def test_rows_that_pick_one_candidate_each_are_no_weights():
    X, Y = some(8, 2)
    model = known(X, Y, noise=0.1)
    candidates = some(6, 2, seed=2)[0]
    for new in (some(7, 2, seed=3)[0][:, None], some(6, 2, seed=3)[0].reshape(3, 2, 2)):
        plain = DiscreteKnowledgeGradient(model, candidates)(new)
        identity = torch.eye(6, dtype=torch.float64)
        assert torch.allclose(DiscreteKnowledgeGradient(model, candidates, weights=identity)(new), plain, rtol=1e-10)


@pytest.mark.parametrize("weights", [None, torch.full((2, 8), 0.125, dtype=torch.float64)])
def test_both_ways_to_the_posterior_agree(weights):
    X, Y = some(8, 2)
    model = known(X, Y, noise=0.1)
    if weights is not None:
        weights = weights + torch.linspace(-0.1, 0.1, 8) * torch.tensor([[1.0], [-1.0]])
    for candidates in (X, some(8, 2, seed=2)[0]):
        acquisition = DiscreteKnowledgeGradient(model, candidates, weights=weights, log=False)
        new = some(7, 2, seed=3)[0][:, None]
        found = acquisition(new)
        ordered = torch.unique(candidates, dim=0) if weights is None else candidates
        acquisition._posterior = _Asked(model, ordered, weights)
        assert torch.allclose(found, acquisition(new), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("log", [False, True])
def test_gradients_are_those_of_differences(log):
    X, Y = some(6, 2)
    acquisition = DiscreteKnowledgeGradient(known(X, Y, noise=0.1), some(9, 2, seed=2)[0], log=log)
    new = some(3, 2, seed=9)[0][:, None].requires_grad_()
    assert torch.autograd.gradcheck(acquisition, (new,))


def test_what_is_small_can_be_good():
    X, Y = some(8, 2)
    new = some(5, 2, seed=1)[0][:, None]
    found = DiscreteKnowledgeGradient(known(X, -Y), X, maximize=False)(new)
    assert torch.allclose(found, DiscreteKnowledgeGradient(known(X, Y), X)(new), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"candidates": torch.tensor([[0], [1]])}, TypeError, "candidates is of type torch.int64"),
        ({"candidates": CARD_X[:0]}, ValueError, r"candidates has the shape \(0, 1\)"),
        ({"weights": torch.ones(1, 3, dtype=torch.float64) / 4}, ValueError, "a row that sums to 0.75"),
        ({"weights": torch.ones(1, 2, dtype=torch.float64) / 2}, ValueError, "2 columns for 3 candidates"),
        ({"weights": [[1.0, 0.0, 0.0]]}, TypeError, "weights is of type list"),
        ({"observation_noise": -1.0}, ValueError, "observation_noise=-1.0"),
        ({"q_mc_samples": 1}, ValueError, "q_mc_samples=1"),
        ({"log": 2}, ValueError, "log=2"),
        ({"maximize": "yes"}, ValueError, "maximize='yes'"),
    ],
)
def test_bad_input_is_named(changed, error, message):
    arguments = {"model": known(), "candidates": CARD_X, **changed}
    with pytest.raises(error, match=message):
        DiscreteKnowledgeGradient(**arguments)


def test_a_model_with_two_outputs_is_refused():
    with pytest.raises(ValueError, match="model has 2 outputs"):
        DiscreteKnowledgeGradient(SingleTaskGP(CARD_X, CARD_Y.expand(3, 2)), CARD_X)
