"""Blocks of functions, and their search."""

import numpy as np
import pytest
import torch
from botorch.test_functions.synthetic import Branin, Hartmann
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from tests.search.bo_tutorial.known import known
from trimtab.claims.bo import functions, policies
from trimtab.search import PosteriorMeanImprovement


@pytest.mark.parametrize("objective", functions.OBJECTIVES)
def test_a_block_is_the_same_for_all_who_search_it(objective):
    one, again, other = (functions.block(objective, 3, seed) for seed in (7, 7, 8))
    for name, drawn in vars(one).items():
        assert torch.equal(drawn, getattr(again, name))
        if name != "prior":
            assert not torch.equal(drawn, getattr(other, name))
    points = 101 if objective == "GP draws" else functions.POINTS
    assert one.prior.shape == (3, points, points)
    assert one.values.shape == (3, points)
    assert one.noise.shape == (3, functions.EVALUATIONS)
    assert all(len(set(each)) == functions.INITIAL for each in one.first.tolist())
    assert not torch.equal(one.values[0], one.values[1])


@pytest.mark.parametrize("objective", ["Branin", "Hartmann-3"])
def test_test_functions_are_standardised_and_larger_is_better(objective):
    values = functions.block(objective, 3, 0).values
    torch.testing.assert_close(values.mean(-1), torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(values.std(-1, correction=0), torch.ones(3, dtype=torch.float64))
    assert (values.amax(-1) < -values.amin(-1)).all() == (objective == "Branin")  # a deep valley there, a peak here


def test_draws_have_the_covariance_of_their_prior():
    block = functions.block("GP draws", 4000, 0)
    found = block.values.T @ block.values / 4000
    assert float((found - block.prior[0]).abs().max()) < 0.08
    assert float(block.prior[0, 50, 60]) == pytest.approx(np.exp(-0.5))


@pytest.mark.parametrize(
    ("function", "lengths"),
    [
        (Branin(negate=True), functions.BRANIN_LENGTHS),
        (Hartmann(dim=3, negate=True), functions.HARTMANN_LENGTHS),
    ],
)
def test_lengths_are_the_likeliest_without_noise(function, lengths):
    points = functions.points_of(len(lengths), 5)
    start = Matern(np.array(lengths) * 0.7, (1e-2, 1e2), nu=2.5)
    fitted = GaussianProcessRegressor(start, alpha=1e-6).fit(points, functions.standardised(function, points))
    assert fitted.kernel_.length_scale == pytest.approx(lengths, rel=0.05)


def test_a_search_by_ours_is_botorchs_loop_with_it(monkeypatch):
    monkeypatch.setattr(functions, "EVALUATIONS", 14)
    block, chosen = functions.block("GP draws", 2, 3), []

    def watched(belief, generator):
        scores = policies.decision_theoretic(belief, generator)
        chosen.append(scores.argmax(-1))
        return scores

    regrets = functions.regrets(block, watched, 0.5, np.random.default_rng(0))
    grid = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    for number in range(2):
        points, values = block.first[number].tolist(), block.values[number]
        while True:
            told = values[points] + 0.5 * block.noise[number, : len(points)]
            model = known(grid[points], told[:, None], length=functions.LENGTH, noise=0.25)
            if len(points) == 14:
                break
            with torch.no_grad():
                points.append(int(PosteriorMeanImprovement(model, grid[points])(grid[:, None]).argmax()))
        assert points[4:] == [int(each[number]) for each in chosen]
        with torch.no_grad():
            best = points[int(model.posterior(grid[points]).mean.argmax())]
        assert float(regrets[number]) == pytest.approx(float(values.max() - values[best]))


def test_who_has_seen_all_without_noise_has_no_regret(monkeypatch):
    monkeypatch.setattr(functions, "EVALUATIONS", 101)
    block = functions.block("GP draws", 3, 0)
    assert functions.regrets(block, policies.at_random, 1e-3, np.random.default_rng(0)).tolist() == [0, 0, 0]
    monkeypatch.setattr(functions, "EVALUATIONS", functions.INITIAL)
    assert (functions.regrets(block, policies.at_random, 1e-3, np.random.default_rng(0)) > 0).all()
