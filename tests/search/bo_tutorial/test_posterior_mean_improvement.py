"""Noisy expected improvement: values that were computed by quadrature, its limits, and other ways to compute it."""

import numpy as np
import pytest
import torch
from botorch.acquisition import ExpectedImprovement, LogExpectedImprovement
from botorch.exceptions import UnsupportedError
from botorch.models import MultiTaskGP, SingleTaskGP
from botorch.models.transforms import Log, Normalize, Standardize
from botorch.models.transforms.input import AppendFeatures
from botorch.sampling import SobolQMCNormalSampler
from scipy.stats import norm

from tests.search.bo_tutorial.known import CARD_X, CARD_Y, known, some
from trimtab.search import PosteriorMeanImprovement
from trimtab.search.bo_tutorial.joint_posterior import _Asked

pytestmark = [
    pytest.mark.filterwarnings("ignore:Data .outcome observations. is not standardized"),  # as it is meant
    pytest.mark.filterwarnings("ignore:ExpectedImprovement has known numerical issues"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled"),  # of GPyTorch's task kernel
]


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


def asked(acquisition, points):
    """The same acquisition, by way of the joint posterior of fixed and new points."""
    acquisition._posterior = _Asked(acquisition.model, points, None)
    return acquisition


def test_the_values_that_quadrature_found():
    model = known()
    assert model.posterior(CARD_X).mean[:, 0].tolist() == pytest.approx([0.1996, 0.7002, -0.2001], abs=1e-4)
    expected = [0.0496256299, 0.0076272555, 0.0076763858, 0.0038785152]
    for acquisition in (
        PosteriorMeanImprovement(model, CARD_X, log=False),
        asked(PosteriorMeanImprovement(model, CARD_X, log=False), CARD_X),
    ):
        assert acquisition(column(0.25, 0.60, 0.75, 0.50)).tolist() == pytest.approx(expected, abs=1e-10)
    assert PosteriorMeanImprovement(model, CARD_X)(column(0.25, 0.6)).exp().tolist() == pytest.approx(expected[:2])


def test_it_is_not_expected_improvement_over_the_largest_mean():
    plug_in = ExpectedImprovement(known(), best_f=known().posterior(CARD_X).mean.max())
    found = plug_in(column(0.25, 0.60, 0.75, 0.50)).tolist()
    assert found == pytest.approx([0.16102, 0.14666, 0.07819, 0.17648], abs=1e-5)


@pytest.mark.filterwarnings("ignore:Negative variance values detected")  # by GPyTorch, in what we compare with
def test_without_noise_it_is_expected_improvement():
    model = known(noise=1e-18)
    acquisition = PosteriorMeanImprovement(model, CARD_X, log=False)
    X = column(*np.linspace(0.03, 0.97, 24))  # none of which was evaluated
    assert torch.allclose(acquisition(X), ExpectedImprovement(model, best_f=CARD_Y.max())(X), rtol=0, atol=1e-8)
    assert (acquisition(CARD_X[:, None]) < 1e-8).all()
    logarithm = LogExpectedImprovement(model, best_f=CARD_Y.max())(X)
    assert torch.allclose(PosteriorMeanImprovement(model, CARD_X)(X), logarithm, rtol=1e-6, atol=1e-6)


def test_with_a_look_that_shows_nothing_only_the_mean_of_now_counts():
    model = known()
    X = column(*np.linspace(0, 1, 21))
    acquisition = PosteriorMeanImprovement(model, CARD_X, observation_noise=1e24, log=False)
    mean = model.posterior(X[:, 0]).mean[:, 0]
    ahead = (mean - model.posterior(CARD_X).mean.max()).clamp_min(0)
    assert ahead.max() > 1e-3
    assert torch.allclose(acquisition(X), ahead, rtol=0, atol=1e-10)


def test_it_is_never_less_than_what_the_mean_of_now_promises():
    X, Y = some(12, 2)
    model = known(X, Y, noise=0.3)
    new = some(200, 2, seed=1)[0][:, None]
    ahead = model.posterior(new[:, 0]).mean[:, 0] - model.posterior(X).mean.max()
    value = PosteriorMeanImprovement(model, X, log=False)(new)
    assert (value >= ahead.clamp_min(0)).all()
    assert (value > 0).all()


@pytest.mark.parametrize("q", [1, 2])
def test_it_is_what_fantasies_come_to(q):
    X, Y = some(5, 2)
    model = SingleTaskGP(X, Y)  # standardised, and with the noise of its prior
    model.likelihood.noise = 0.3
    new = some(2 * q, 2, seed=3)[0].reshape(2, q, 2)
    with torch.no_grad():
        sampler = SobolQMCNormalSampler(torch.Size([2**16]), seed=0)
        fantasies = model.eval().posterior(X) and model.fantasize(new[0], sampler)
        after = fantasies.posterior(torch.cat([X, new[0]])).mean[..., 0].amax(-1).mean()
        expected = after - model.posterior(X).mean.max()
        found = PosteriorMeanImprovement(model, X, log=False, q_mc_samples=4096)(new)
    assert float(found[0]) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("q", [1, 2])
def test_gradients_are_those_of_differences(log, q):
    X, Y = some(6, 2)
    acquisition = PosteriorMeanImprovement(known(X, Y, noise=0.1), X, log=log, q_mc_samples=16)
    new = some(2 * q, 2, seed=9)[0].reshape(2, q, 2).requires_grad_()
    assert torch.autograd.gradcheck(acquisition, (new,))


def test_the_logarithm_has_a_gradient_where_the_value_underflows():
    X = CARD_X * 10
    model = known(X, CARD_Y * 50, noise=1e-6)
    new = column(3.0, 7.0).requires_grad_()
    value = PosteriorMeanImprovement(model, X)(new)
    assert (value < -745).all()
    (gradient,) = torch.autograd.grad(value.sum(), new)
    assert gradient.isfinite().all()
    assert gradient[0] > 0  # towards the best one, at 5
    assert gradient[1] < 0
    assert (PosteriorMeanImprovement(model, X, log=False)(new) == 0).all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"outcome_transform": Standardize(1)},
        {"input_transform": Normalize(2), "outcome_transform": Standardize(1)},
        {"train_Yvar": torch.linspace(0.01, 0.5, 12, dtype=torch.float64)[:, None], "noise": None},
    ],
    ids=["plain", "standardised", "normalised", "given variances"],
)
@pytest.mark.parametrize("reported", ["all", "some", "others"])
def test_both_ways_to_the_posterior_agree(options, reported):
    X, Y = some(12, 2)
    Y = 100 + 20 * Y
    model = known(X, Y, **{"noise": 0.2, **options})
    points = {"all": X, "some": X[3:7], "others": torch.cat([X, some(3, 2, seed=7)[0]])}[reported]
    for new in (some(20, 2, seed=1)[0][:, None], X[:4, None], some(8, 2, seed=2)[0].reshape(4, 2, 2)):
        found = PosteriorMeanImprovement(model, points, log=False)(new)
        other = asked(PosteriorMeanImprovement(model, points, log=False), torch.unique(points, dim=0))(new)
        assert torch.allclose(found, other, rtol=1e-6, atol=1e-9)


def test_noise_is_in_the_units_of_what_was_observed():
    X, Y = some(8, 2)
    new = some(10, 2, seed=1)[0][:, None]
    model = known(X, Y, noise=0.2, outcome_transform=Standardize(1))
    inferred = PosteriorMeanImprovement(model, X, log=False)(new)
    given = PosteriorMeanImprovement(model, X, observation_noise=0.2 * Y.var(), log=False)(new)
    assert torch.allclose(inferred, given, rtol=1e-12, atol=0)
    scaled = known(X, 1000 * Y, noise=0.2, outcome_transform=Standardize(1))
    assert torch.allclose(PosteriorMeanImprovement(scaled, X, log=False)(new), 1000 * inferred, rtol=1e-9, atol=0)


def test_of_given_variances_a_new_point_has_the_mean():
    X, Y = some(8, 2)
    variances = torch.linspace(0.01, 0.5, 8, dtype=torch.float64)[:, None]
    model = known(X, Y, noise=None, train_Yvar=variances)
    new = some(10, 2, seed=1)[0][:, None]
    given = PosteriorMeanImprovement(model, X, observation_noise=variances.mean())(new)
    assert torch.equal(PosteriorMeanImprovement(model, X)(new), given)


def test_points_that_were_evaluated_twice_count_once():
    X, Y = some(8, 2)
    model = known(torch.cat([X, X[:3]]), torch.cat([Y, Y[:3] - 0.1]), noise=0.2)
    new = some(10, 2, seed=1)[0][:, None]
    twice = PosteriorMeanImprovement(model, torch.cat([X, X[:3]]))(new)
    assert torch.equal(twice, PosteriorMeanImprovement(model, X)(new))


def test_what_is_small_can_be_good():
    X, Y = some(8, 2)
    new = some(10, 2, seed=1)[0].reshape(5, 2, 2)
    for each in (new, new[:, :1]):
        found = PosteriorMeanImprovement(known(X, -Y), X, maximize=False)(each)
        assert torch.allclose(found, PosteriorMeanImprovement(known(X, Y), X)(each), rtol=1e-12, atol=0)


def test_pending_points_are_points_of_the_same_batch():
    X, Y = some(8, 2)
    new = some(10, 2, seed=1)[0].reshape(5, 2, 2)
    pending = some(1, 2, seed=2)[0]
    acquisition = PosteriorMeanImprovement(known(X, Y), X)
    together = acquisition(torch.cat([new, pending.expand(5, 1, 2)], -2))
    acquisition.set_X_pending(pending)
    assert torch.equal(acquisition(new), together)


def test_a_batch_is_worth_more_than_its_first_point_and_no_more_than_both_apart():
    X, Y = some(8, 2)
    acquisition = PosteriorMeanImprovement(known(X, Y), X, log=False, q_mc_samples=1024)
    new = some(20, 2, seed=1)[0].reshape(10, 2, 2)
    both, first, second = acquisition(new), acquisition(new[:, :1]), acquisition(new[:, 1:])
    assert (both > torch.maximum(first, second) * (1 + 1e-6)).all()


def test_a_second_look_at_a_point_without_noise_adds_nothing():
    model = known(noise=1e-12)
    acquisition = PosteriorMeanImprovement(model, CARD_X, observation_noise=0.0, log=False)
    one = column(0.3, 0.7)
    assert torch.allclose(acquisition(one.expand(2, 2, 1)), acquisition(one), rtol=1e-4, atol=0)


def test_it_takes_any_batch_and_a_single_point():
    acquisition = PosteriorMeanImprovement(known(), CARD_X)
    X = column(*np.linspace(0.1, 0.9, 6))
    assert acquisition(X.reshape(2, 3, 1, 1)).shape == (2, 3)
    assert torch.equal(acquisition(X.reshape(2, 3, 1, 1)).flatten(), acquisition(X))
    assert torch.allclose(acquisition(X[0]), acquisition(X)[:1])


def test_of_two_tasks_the_model_of_one_can_be_asked():
    X, Y = some(10, 1)
    tasks = torch.tensor(5 * [0.0, 1.0], dtype=torch.float64)[:, None]
    model = MultiTaskGP(torch.cat([X, tasks], -1), Y, task_feature=-1, output_tasks=[0])
    acquisition = PosteriorMeanImprovement(model, X[::2], observation_noise=0.1, log=False)
    assert (acquisition(column(0.2, 0.4)) > 0).all()


def test_draws_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    X = some(4, 1, seed=1)[0].reshape(2, 2, 1)
    found = [PosteriorMeanImprovement(known(), CARD_X, seed=seed)(X) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"X_evaluated": torch.tensor([[0], [1]])}, TypeError, "X_evaluated is of type torch.int64"),
        ({"X_evaluated": [[0.0]]}, TypeError, "X_evaluated is of type list"),
        ({"X_evaluated": CARD_X[:0]}, ValueError, r"X_evaluated has the shape \(0, 1\)"),
        ({"X_evaluated": CARD_X[0]}, ValueError, r"as \(n, d\)"),
        ({"X_evaluated": CARD_X * torch.nan}, ValueError, "not finite"),
        ({"observation_noise": -1.0}, ValueError, "observation_noise=-1.0: one finite variance >= 0"),
        ({"observation_noise": torch.ones(2)}, ValueError, "one finite variance >= 0"),
        ({"q_mc_samples": 8}, ValueError, "q_mc_samples=8: a whole number >= 16"),
        ({"maximize": 1}, ValueError, "maximize=1 must be True or False"),
        ({"log": None}, ValueError, "log=None must be True or False"),
        ({"seed": -1}, ValueError, "seed=-1"),
    ],
)
def test_bad_input_is_named(changed, error, message):
    arguments = {"model": known(), "X_evaluated": CARD_X, **changed}
    with pytest.raises(error, match=message):
        PosteriorMeanImprovement(**arguments)


def test_a_model_whose_posterior_is_not_one_gaussian_variable_a_point_is_refused():
    with pytest.raises(ValueError, match="model has 2 outputs"):
        PosteriorMeanImprovement(SingleTaskGP(CARD_X, CARD_Y.expand(3, 2)), CARD_X)
    with pytest.raises(UnsupportedError, match="TransformedPosterior, which is not Gaussian"):
        PosteriorMeanImprovement(known(CARD_X, CARD_Y + 1, outcome_transform=Log()), CARD_X)
    appended = AppendFeatures(torch.tensor([[0.1], [0.9]], dtype=torch.float64))
    model = SingleTaskGP(torch.cat([CARD_X, CARD_X], -1), CARD_Y, input_transform=appended)
    with pytest.raises(UnsupportedError, match="several points of one"):
        PosteriorMeanImprovement(model, CARD_X)
    batches = SingleTaskGP(CARD_X.expand(2, 3, 1), CARD_Y.expand(2, 3, 1))
    with pytest.raises(UnsupportedError, match="without batches"):
        PosteriorMeanImprovement(batches, CARD_X)


def test_two_lines_by_hand():
    model = known(CARD_X[:1], CARD_Y[:1], noise=0.5)  # one evaluated point, and a new one
    new = 0.4
    k = np.exp(-(new**2) / (2 * 0.3**2))
    mean, mean_new = 0.2 / 1.5, 0.2 * k / 1.5
    variance, cross = 1 - k**2 / 1.5, k - k / 1.5
    root = np.sqrt(variance + 0.5)
    slope = abs(variance - cross) / root
    c = (mean - mean_new) / slope
    expected = slope * (norm.pdf(c) - c * norm.cdf(-c))
    found = PosteriorMeanImprovement(model, CARD_X[:1], log=False)(column(new))
    assert found.item() == pytest.approx(expected, rel=1e-9)
