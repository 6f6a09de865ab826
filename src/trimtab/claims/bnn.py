"""Which surrogate is ahead depends on the problem, and wide networks do well in many dimensions (Li et al., 2023)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from trimtab.claims.claim import Claim, Contest, OwnTrial, Panel, Statement, seeds
from trimtab.claims.functions import Function, branin, derived, hartmann, network, polynomial, quasi_random
from trimtab.primitives.global_randomness import seeded_globally
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter

TEST_SEEDS, DECIDING_SEEDS = seeds(1000, 5), seeds(1000, 8)
BATCH = 5
DRAWS, RESTARTS, RAW_SAMPLES, SEARCH_STEPS = 128, 2, 16, 50
WIDTHS = (64, 64)
KEPT, BURN_IN = 100, 200
DEPTH, WEIGHT_VAR = 3, 10.0
SPREAD_OVER = 1024
BEST, VALUE, MISSED = "best value", "its value", "rounds without a model"
AT_BOUNDS = "settings at a bound"
OLD, NEW, WIDE = "old GP", "new GP", "infinite width"
ENSEMBLE, LAPLACE, HMC = "ensemble", "Laplace", "HMC"
SPREAD, CORNERS = "quasi-random", "random corners"


@dataclass(frozen=True)
class Place:
    """Functions, one a seed, and what is given to a search there.

    Args:
        draw: returns the function of a number of dimensions and a seed.
        dimension: settings.
        first: quasi-random evaluations that all searches begin with.
        more: evaluations after these.
        prior_var: of the weights of finite networks; the official code's for such functions, as are the next two.
        noise_var: of standardised values, for these networks.
        bias_var: of infinitely wide ones.
    """

    draw: Callable[[int, int], Function]
    dimension: int
    first: int
    more: int
    prior_var: float
    noise_var: float
    bias_var: float


PLACES = {
    "Branin": Place(branin, 2, 10, 30, prior_var=10.0, noise_var=0.1, bias_var=1.3),
    "Hartmann": Place(hartmann, 6, 10, 30, prior_var=1.0, noise_var=0.1, bias_var=1.3),
    "polynomial": Place(polynomial, 100, 40, 40, prior_var=10.0, noise_var=1.0, bias_var=1.6),
    "random network": Place(network, 100, 40, 40, prior_var=10.0, noise_var=1.0, bias_var=1.6),
}
FEW, MANY = ("Branin", "Hartmann"), ("polynomial", "random network")

Fit: TypeAlias = Callable[[Place, Tensor, Tensor, int], Any]
"""Returns a fitted model, from a place, points, their values ``n x 1`` and a seed; models standardise the values."""


def made(name: str, points: Tensor, values: Tensor, seed: int, **settings: Any) -> Any:
    """Returns a fitted surrogate of a name."""
    from trimtab.search.bnn_surrogates.make import make_surrogate

    return make_surrogate(name, points, values, seed=seed, **settings)


def old_process(place: Place, points: Tensor, values: Tensor, seed: int) -> Any:
    """Fits a Gaussian process as BoTorch had it before 0.12: Matérn-5/2, and Gamma priors."""
    from botorch.models.utils.gpytorch_modules import (
        get_gaussian_likelihood_with_gamma_prior,
        get_matern_kernel_with_gamma_prior,
    )

    kernel = get_matern_kernel_with_gamma_prior(place.dimension)
    return made("gp", points, values, seed, covar_module=kernel, likelihood=get_gaussian_likelihood_with_gamma_prior())


def new_process(_: Place, points: Tensor, values: Tensor, seed: int) -> Any:
    """Fits BoTorch's default Gaussian process."""
    return made("gp", points, values, seed)


def infinitely_wide(place: Place, points: Tensor, values: Tensor, seed: int) -> Any:
    """Fits an infinitely wide network, whose variances stay as they are."""
    return made("infinite_width", points, values, seed, depth=DEPTH, weight_var=WEIGHT_VAR, bias_var=place.bias_var)


def finite(name: str, place: Place, points: Tensor, values: Tensor, seed: int, **settings: Any) -> Any:
    """Fits a surrogate with finite networks."""
    variances = {"prior_var": place.prior_var, "noise_var": place.noise_var}
    return made(name, points, values, seed, hidden=WIDTHS, **variances, **settings)


MODELS: dict[str, Fit] = {
    OLD: old_process,
    NEW: new_process,
    WIDE: infinitely_wide,
    ENSEMBLE: partial(finite, "ensemble"),
    LAPLACE: partial(finite, "laplace"),
    HMC: partial(finite, "hmc", num_samples=KEPT, burn_in=BURN_IN),
}


def proposed(model: Any, best: float, dimension: int, seed: int) -> Tensor:
    """Returns the points that are expected, together, to improve most on the best value.

    Draws of the posterior and starts of the search come from the seed, but for the choice among starts, which BoTorch
    makes by torch's global generator.
    """
    from botorch.acquisition.logei import qLogExpectedImprovement
    from botorch.optim.optimize import optimize_acqf
    from botorch.sampling.get_sampler import get_sampler

    bounds = torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, dimension)
    with torch.no_grad():
        sampler = get_sampler(model.posterior(bounds), torch.Size([DRAWS]), seed=seed)
    found, _ = optimize_acqf(
        qLogExpectedImprovement(model, best, sampler=sampler),
        bounds,
        q=BATCH,
        num_restarts=RESTARTS,
        raw_samples=RAW_SAMPLES,
        options={"maxiter": SEARCH_STEPS, "seed": seed},
    )
    return found


FLOORS: dict[str, Callable[[Tensor], Tensor]] = {SPREAD: torch.clone, CORNERS: torch.round}
"""What is made of quasi-random points where there is no model: nothing, or the nearest corner of the cube."""


def searched(place: Place, name: str, seed: int) -> tuple[Tensor, int]:
    """Returns the points of a search, and in how many rounds a model was missing.

    Where one cannot be fitted or searched, the round has the quasi-random points that are next.

    Args:
        place: where it takes place.
        name: a key of ``MODELS`` or of ``FLOORS``.
        seed: of the function and of the search.
    """
    fit, floor = MODELS.get(name), FLOORS.get(name, FLOORS[SPREAD])
    function = place.draw(place.dimension, seed)
    spread = quasi_random(place.dimension, place.first + place.more, seed)
    points, missed = spread[: place.first], 0
    while len(points) < len(spread):
        more = floor(spread[len(points) : len(points) + BATCH])
        if fit is not None:
            values, own = function(points), derived(seed, len(points))
            try:
                with seeded_globally(own):
                    more = proposed(fit(place, points, values[:, None], own), float(values.max()), place.dimension, own)
            except _failures():
                missed += 1
        points = torch.cat([points, more])
    return points, missed


def _failures() -> tuple[type[Exception], ...]:
    """What says that there is no model: numbers that cannot be factorised, or a chain that hardly moves."""
    from botorch.exceptions.errors import ModelFittingError
    from linear_operator.utils.errors import NanError, NotPSDError

    from trimtab.search.bnn_surrogates.tuning import RejectedChainError

    singular: type[Exception] = torch.linalg.LinAlgError  # type: ignore[attr-defined]  # torch has no type for it
    return ModelFittingError, NanError, NotPSDError, singular, RejectedChainError


def trial(place: str, name: str, point: Point, _report: Reporter) -> Outcome:
    """Measures the best value of a search, in standard deviations of its function above the mean."""
    where = PLACES[place]
    points, missed = searched(where, name, point.seed)
    function = where.draw(where.dimension, point.seed)
    usual, best = function(quasi_random(where.dimension, SPREAD_OVER, point.seed)), float(function(points).max())
    above = (best - float(usual.mean())) / float(usual.std())
    chosen = points[where.first :]
    at_bounds = float(((chosen == 0) | (chosen == 1)).double().mean())
    return Outcome("complete", measures={BEST: above, VALUE: best, AT_BOUNDS: at_bounds, MISSED: missed})


def ahead(method: float, baseline: float) -> float:
    """Returns by how much a best value is larger than another."""
    return method - baseline


def _runs(name: str, place: str) -> bool:
    return name != HMC or place == "Branin"


def _name(name: str, place: str) -> str:
    return f"{name}, {place}"


def _arm(name: str, place: str) -> OwnTrial:
    many = place in MANY and name in (*FLOORS, OLD, NEW, WIDE)
    return OwnTrial(_name(name, place), partial(trial, place, name), DECIDING_SEEDS if many else TEST_SEEDS)


def _versus(method: str, baseline: str, place: str, *, decides: bool) -> Statement:
    arms = (_name(method, place), _name(baseline, place))
    name = f"{method} against {baseline}, {place}"
    return Statement(name, BEST, arms, ahead, 0.0, "standard deviations", decides)


def _told(method: str, baseline: str, place: str) -> str:
    return f"{method} against {baseline}, {place}, {BEST}"


CLAIM = Claim(
    id="bnn",
    paper=(
        "Which surrogate is best depends strongly on the problem; infinitely wide networks are promising, above all in "
        "many dimensions; of networks whose weights are sampled or approximated, those of Hamiltonian Monte Carlo do "
        "best."
    ),
    reported=(
        "No numbers in the abstract. Curves of regret on fifteen problems with 2 to 400 settings, 5 trials each; the "
        "abstract of the second version adds that deep ensembles perform relatively poorly."
    ),
    statement=(
        "Of searches that differ in their surrogate alone, one with an infinitely wide network of fixed variances "
        "finds larger values than one with the Gaussian process that BoTorch had before 0.12, on a polynomial and on a "
        "random network of 100 settings; it finds larger ones than one with BoTorch's Gaussian process of today on the "
        "random network, and smaller ones on the polynomial."
    ),
    protocol=(
        "Four kinds of functions without noise: Branin's of 2 settings and Hartmann's of 6, with 10 quasi-random "
        "evaluations and 30 more; and of 100 settings, with 40 and 40 more, a sum of 25 products of four numbers x - c "
        "with normal c, and a network 100-256-256-1 with tanh whose weights are all standard normal; these two are "
        "drawn anew with each seed. The first points are the same for all at a seed.",
        f"In rounds of {BATCH} points, where the logarithm of their joint expected improvement is largest (BoTorch's "
        f"qLogEI, {DRAWS} draws that stay the same in a round; {RESTARTS} starts from {RAW_SAMPLES} points, "
        f"{SEARCH_STEPS} steps).",
        "Surrogates: BoTorch's Gaussian process before 0.12 (old GP: Matérn-5/2, Gamma priors) and since (new GP: "
        f"lengths grow with the dimension); an infinitely wide ReLU network of depth {DEPTH}, with variances "
        f"{WEIGHT_VAR:g} of weights and 1.3 of biases (1.6 in 100 dimensions); ensembles of 10, linearised Laplace "
        f"and, on Branin, HMC with {BURN_IN} + {KEPT} states, all three with networks of {len(WIDTHS)} layers of "
        f"{WIDTHS[0]} units with tanh. Variances are the official configurations'. All standardise the values.",
        "Beside them, searches without a model: quasi-random points, and the corners of the cube next to these. With "
        "other seeds infinitely wide networks chose corners of the cube most of the time; whether they gain more than "
        "corners at random is reported, and how many settings were at a bound.",
        f"What counts is the best value, in standard deviations of the function over {SPREAD_OVER} quasi-random points "
        "above its mean there.",
        f"{len(DECIDING_SEEDS)} fresh seeds for what decides, which is in 100 dimensions, and {len(TEST_SEEDS)} for "
        "the rest. Nothing is tuned.",
        "A round in which a model cannot be fitted takes quasi-random points; how many there were is measured.",
    ),
    cut=(
        "Deep kernels: 6,000 steps of training take 15 processor seconds a round, and a search two minutes.",
        "Finite networks of two layers of 64 units instead of three of 128 or two of 256. That the code takes its "
        "noise variances for standard deviations is not followed.",
        "SGHMC; and HMC in more than two dimensions, so that what the paper finds of HMC is reported on one function "
        "only, and does not decide.",
        "Variances chosen anew in each round from nine pairs, which takes ten fits instead of one.",
        "Of all models against the Gaussian process of today, what is compared is the infinitely wide one; figures "
        "have the rest. Every comparison more makes those that decide harder to confirm.",
        "Ackley's function, several objectives and the real problems.",
    ),
    full_scale=(
        "Fifteen problems, among them the design of optics, cell towers, pest control, lunar landing and distillation, "
        "with one objective or more and 200 to 600 evaluations; HMC with up to 500 + 500 states of networks of three "
        "layers of 128 units; 5 trials.",
        "Missing here: simulators of these problems, and graphics cards.",
    ),
    arms=tuple(_arm(name, place) for place in PLACES for name in (*FLOORS, *MODELS) if _runs(name, place)),
    comparisons=(
        *(_versus(WIDE, OLD, place, decides=True) for place in MANY),
        _versus(WIDE, NEW, "random network", decides=True),
        _versus(NEW, WIDE, "polynomial", decides=True),
        # the same once more, as the contest's other places are told
        _versus(WIDE, NEW, "polynomial", decides=False),
        *(_versus(WIDE, NEW, place, decides=False) for place in FEW),
        *(_versus(HMC, other, "Branin", decides=False) for other in (ENSEMBLE, LAPLACE)),
        *(_versus(WIDE, CORNERS, place, decides=False) for place in MANY),
    ),
    measures=(BEST,),
    panels=(
        Panel(
            "Best value after all evaluations",
            BEST,
            "standard deviations above the mean",
            tuple(PLACES),
            {name: tuple(_name(name, place) for place in PLACES) for name in (*FLOORS, *MODELS) if name != HMC},
        ),
        Panel(
            "Best value of networks on Branin's function",
            BEST,
            "standard deviations above the mean",
            ("Branin",),
            {name: (_name(name, "Branin"),) for name in (HMC, ENSEMBLE, LAPLACE, WIDE)},
        ),
    ),
    gist="in 100 dimensions wide networks beat the old Gaussian process, and the new one on one of two kinds",
    contests=(
        Contest(
            "bnn",
            "BoTorch's Gaussian process",
            {
                "on a random network": _told(WIDE, NEW, "random network"),
                "on a polynomial": _told(WIDE, NEW, "polynomial"),
                "on Branin's function": _told(WIDE, NEW, "Branin"),
                "on Hartmann's function": _told(WIDE, NEW, "Hartmann"),
            },
        ),
        Contest(
            "bnn",
            "BoTorch's Gaussian process before 0.12",
            {f"on a {place}": _told(WIDE, OLD, place) for place in MANY},
        ),
    ),
)
