"""A network that was trained once searches faster and better than Gaussian processes (Yu, Picard and Ahmed, 2024)."""

import math
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import qmc

from trimtab.claims.claim import Claim, Contest, OwnTrial, Panel, Statement, seeds
from trimtab.lab.blackbox.engineering import engineering_design
from trimtab.primitives.global_randomness import seeded_globally
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter

if TYPE_CHECKING:  # the extra that has BoTorch is needed to run the claim, and not to read it
    from botorch.acquisition.analytic import AnalyticAcquisitionFunction

    from trimtab.search.pfn.network import PFN
    from trimtab.search.pfn.proposal import Observations

DESIGNS = ("gkxwc2", "three_truss", "compression_spring", "welded_beam")
TRANSFORMED = ("three_truss", "compression_spring")
"""Where Gaussian processes are tried on the network's scales too."""

INITIAL, STEPS = 10, 25
TEST_SEEDS = seeds(1000, 5)
RESTARTS, RAW_SAMPLES = 5, 128
FLOOR = 1e-4
CLAIMED_TIMES = 10.0

SHIPPED, PAPERS = "PFN-CEI", "PFN-CEI, not refined"
PROCESSES, ON_ITS_SCALES = "GP-CEI", "GP-CEI, on PFN's scales"
QUASI_RANDOM = "quasi-random"

REGRET = "log10 of the regret"
FEASIBLE = "runs with a feasible design"
SECONDS = "seconds a step"
TIMES, PAPERS_TIMES = "times as fast", "times as fast, not refined"

Ask: TypeAlias = "Callable[[Observations, int], Float[np.ndarray, 'd']]"
"""From observations and a seed to the next point of the unit cube."""


class Seen(NamedTuple):
    """The evaluations of a run: points of the unit cube, values to be minimised, constraints that hold where <= 0."""

    x: Float[np.ndarray, "n d"]
    value: Float[np.ndarray, "n"]
    constraints: Float[np.ndarray, "n constraints"]


def evaluated(name: str, x: Float[np.ndarray, "n d"]) -> Seen:
    """Evaluates a design at points of the unit cube."""
    design = engineering_design(name)
    low, high = design.bounds
    settings = low + x * (high - low)
    return Seen(x, design.objective(settings), design.constraints(settings))


def sequence(name: str, seed: int, count: int) -> Float[np.ndarray, "count d"]:
    """Returns the first points of a scrambled Sobol' sequence over a design's settings."""
    points = qmc.Sobol(engineering_design(name).dimension, rng=np.random.default_rng(seed))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of a count that is no power of two
        return np.asarray(points.random(count))


def regrets(name: str, seen: Seen) -> Float[np.ndarray, "feasible"]:
    """Returns how far each feasible design is from the best one that there is."""
    optimum = engineering_design(name).optimal_value
    if optimum is None:
        raise ValueError(f"{name}: nothing is feasible")
    feasible = (seen.constraints <= 0).all(axis=1)
    return np.asarray(seen.value[feasible] - optimum)


@cache
def ordinary(name: str) -> tuple[float, float]:
    """Returns the median and the largest regret of feasible designs, all feasible ones of 131,072."""
    found = regrets(name, evaluated(name, sequence(name, 0, 2**17)))
    return float(np.median(found)), float(found.max())


def log_regret(name: str, seen: Seen) -> float:
    """Returns the logarithm of the least regret over that of an ordinary feasible design.

    Regrets below a ten-thousandth of that are alike. A run without a feasible design has the regret of the worst.
    """
    found, (median, worst) = regrets(name, seen), ordinary(name)
    least = float(found.min()) if len(found) else worst
    return math.log10(max(least / median, FLOOR))


@cache
def network(inputs: int) -> "PFN":
    """Returns the network that ships for so many inputs."""
    from trimtab.search.pfn.network import PFN

    return PFN.load(inputs=inputs)


def by_network(settings: Mapping[str, Any], seen: "Observations", seed: int) -> Float[np.ndarray, "d"]:
    """Asks the network, as the sampler does, whose defaults hold but for some settings."""
    from trimtab.search.pfn.proposal import Proposal

    generator = torch.Generator().manual_seed(seed)
    return Proposal(**settings).next_point(seen, network(seen.x.shape[1]), generator, initial=INITIAL)


def by_processes(on_its_scales: bool, seen: "Observations", seed: int) -> Float[np.ndarray, "d"]:
    """Asks Gaussian processes that are fitted to the observations, one an output."""
    from botorch.optim.optimize import optimize_acqf

    d = seen.x.shape[1]
    cube = torch.tensor([[0.0] * d, [1.0] * d], dtype=torch.float64)
    # of fits that end early, and of restarts that a search was in need of
    with seeded_globally(seed), warnings.catch_warnings(action="ignore"):
        function = improvement(seen, on_its_scales)
        found, _ = optimize_acqf(function, cube, q=1, num_restarts=RESTARTS, raw_samples=RAW_SAMPLES)
    return np.asarray(found[0].numpy())


def improvement(seen: "Observations", on_its_scales: bool) -> "AnalyticAcquisitionFunction":
    """Returns the logarithm of constrained expected improvement under Gaussian processes that are fitted.

    It is on the best feasible observation; without one it is the logarithm of the probability that all constraints
    hold. The first output is the objective, to be maximised, the others hold where they are at least a threshold.

    Args:
        seen: the observations.
        on_its_scales: whether outputs are first transformed as the network's are.
    """
    from botorch.acquisition.analytic import LogConstrainedExpectedImprovement, LogProbabilityOfFeasibility
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.model_list_gp_regression import ModelListGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import SumMarginalLogLikelihood

    from trimtab.search.pfn.transforms import OutputTransform

    outputs = [seen.objective, *(-seen.constraints.T)]
    thresholds = [0.0] * len(outputs)
    if on_its_scales:
        transforms = [OutputTransform(each, about_zero=i > 0) for i, each in enumerate(outputs)]
        outputs = [transform(each) for transform, each in zip(transforms, outputs, strict=True)]
        thresholds = [float(transform(np.zeros(1))[0]) for transform in transforms]
    x, y = torch.from_numpy(seen.x), torch.from_numpy(np.stack(outputs, 1))
    model = ModelListGP(*(SingleTaskGP(x, each[:, None], outcome_transform=Standardize(1)) for each in y.T))
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    limits: dict[int, tuple[float | None, float | None]] = {i: (thresholds[i], None) for i in range(1, y.shape[1])}
    feasible = torch.from_numpy((seen.constraints <= 0).all(axis=1))
    if not feasible.any():
        return LogProbabilityOfFeasibility(model, limits)
    return LogConstrainedExpectedImprovement(model, y[feasible, 0].max(), 0, limits)


METHODS: dict[str, Ask] = {
    SHIPPED: partial(by_network, {}),
    PAPERS: partial(by_network, {"refined": 0}),
    PROCESSES: partial(by_processes, False),
    ON_ITS_SCALES: partial(by_processes, True),
}
BESIDE = {TIMES: SHIPPED, PAPERS_TIMES: PAPERS}
"""Who is asked beside Gaussian processes, of the same observations, to see how long it takes."""
EVERY = 2
"""At which steps."""


def search(method: str, name: str, point: Point, _report: Reporter) -> Outcome:
    """Searches a design with a method, at the seed of a point."""
    from trimtab.search.pfn.proposal import Observations

    beside = BESIDE if method == PROCESSES else {}
    seen = evaluated(name, sequence(name, point.seed, INITIAL))
    observed = Observations(seen.x, -seen.value, seen.constraints)
    for each in (method, *beside.values()):
        METHODS[each](observed, 0)  # what is read and imported the first time is no part of a step
    seconds, ratios = list[float](), {measure: list[float]() for measure in beside}
    for step in range(STEPS):
        observed = Observations(seen.x, -seen.value, seen.constraints)
        asked = [method, *(beside.values() if step % EVERY == 0 else ())]
        found, took = _timed(asked if step // EVERY % 2 else asked[::-1], observed, 1000 * point.seed + step)
        seconds.append(took[method])
        for measure, other in beside.items():
            ratios[measure] += [took[method] / took[other]] if other in took else []
        seen = _joined(seen, evaluated(name, found[method][None]))
    measured = {SECONDS: statistics.mean(seconds), **{key: statistics.median(each) for key, each in ratios.items()}}
    return Outcome("complete", measures=reached(name, seen) | measured)


def _timed(
    asked: Sequence[str], seen: "Observations", seed: int
) -> tuple[dict[str, Float[np.ndarray, "d"]], dict[str, float]]:
    """Returns what methods answer, and their processor seconds."""
    found, took = {}, {}
    for each in asked:
        start = time.process_time()
        found[each] = METHODS[each](seen, seed)
        took[each] = time.process_time() - start
    return found, took


def _joined(seen: Seen, new: Seen) -> Seen:
    return Seen(*(np.concatenate(pair) for pair in zip(seen, new, strict=True)))


def spread(name: str, point: Point, _report: Reporter) -> Outcome:
    """Goes on with the Sobol' sequence that all begin with."""
    return Outcome("complete", measures=reached(name, evaluated(name, sequence(name, point.seed, INITIAL + STEPS))))


def reached(name: str, seen: Seen) -> dict[str, float]:
    """Returns what a run is judged by."""
    feasible = (seen.constraints <= 0).all(axis=1)
    return {REGRET: log_regret(name, seen), FEASIBLE: float(feasible.any())}


def lower(*logs: float) -> float:
    """Returns by how many powers of ten the first half's regrets are below the second half's, on average."""
    half = len(logs) // 2
    return statistics.mean(logs[half:]) - statistics.mean(logs[:half])


def ranked_before(*logs: float) -> float:
    """Returns by how much the first half's mean rank of two is before the second half's; equal regrets share a rank."""
    half = len(logs) // 2
    return statistics.mean((b > a) - (b < a) for a, b in zip(logs[:half], logs[half:], strict=True))


def faster(*times: float) -> float:
    """Returns the powers of ten in the geometric mean of ratios."""
    return statistics.mean(map(math.log10, times))


def _name(method: str, design: str) -> str:
    return f"{method}, {design}"


def _names(*methods: str, designs: tuple[str, ...] = DESIGNS) -> tuple[str, ...]:
    return tuple(_name(method, design) for method in methods for design in designs)


def _arms() -> tuple[OwnTrial, ...]:
    places = [(method, name) for method in METHODS for name in (TRANSFORMED if method == ON_ITS_SCALES else DESIGNS)]
    return (
        *(OwnTrial(_name(*place), partial(search, *place), TEST_SEEDS) for place in places),
        *(OwnTrial(_name(QUASI_RANDOM, name), partial(spread, name), TEST_SEEDS) for name in DESIGNS),
    )


ACCURACY, SPEED = f"regret of {SHIPPED} below {PROCESSES}'s", f"{SHIPPED} faster than {PROCESSES}"
POWERS = "powers of ten"


def _comparisons() -> tuple[Statement, ...]:
    both = _names(SHIPPED, PROCESSES)
    least = math.log10(CLAIMED_TIMES)
    return (
        Statement(ACCURACY, REGRET, both, lower, 0.0, POWERS),
        Statement(SPEED, TIMES, _names(PROCESSES), faster, least, POWERS),
        Statement(f"rank of {SHIPPED} before {PROCESSES}'s", REGRET, both, ranked_before, 0.0, "ranks", decides=False),
        Statement(
            f"regret of {PAPERS}, below {PROCESSES}'s",
            REGRET,
            _names(PAPERS, PROCESSES),
            lower,
            0.0,
            POWERS,
            decides=False,
        ),
        Statement(
            f"{PAPERS}, faster than {PROCESSES}", PAPERS_TIMES, _names(PROCESSES), faster, least, POWERS, decides=False
        ),
        Statement(
            f"regret of {SHIPPED} below that of {ON_ITS_SCALES}",
            REGRET,
            _names(SHIPPED, ON_ITS_SCALES, designs=TRANSFORMED),
            lower,
            0.0,
            POWERS,
            decides=False,
        ),
    )


def _panel(title: str, measure: str, unit: str, methods: tuple[str, ...]) -> Panel:
    return Panel(title, measure, unit, DESIGNS, {method: _names(method) for method in methods})


CLAIM = Claim(
    id="pfn",
    paper=(
        "A transformer that was trained once on functions of a prior, in the place of Gaussian processes that are "
        "fitted anew at each step, makes constrained Bayesian optimisation of engineering designs an order of "
        "magnitude faster, and more accurate in finding feasible optima."
    ),
    reported=(
        "About ten times as fast as Gaussian processes with constrained expected improvement or a penalty, over "
        "fifteen designs, and the best accuracy of all with constrained expected improvement by the network. The "
        "tables of each design could not be checked."
    ),
    statement=(
        f"After {STEPS} steps from the same {INITIAL} points, constrained expected improvement by the network ends "
        "with a lower regret than by Gaussian processes, as the mean of its logarithm over four designs; and a step "
        f"of it is {CLAIMED_TIMES:g} times as fast or more, as the geometric mean over the designs."
    ),
    protocol=(
        f"Four designs with 2 to 4 settings and 1 to 5 constraints: {', '.join(DESIGNS)}. All methods begin with the "
        f"same {INITIAL} points of a scrambled Sobol' sequence at a seed, and evaluate {STEPS} more. "
        f"{len(TEST_SEEDS)} seeds; nothing is tuned.",
        f"{SHIPPED}: the network that ships, with the sampler's defaults: the best five of 1,000 random points are "
        f"refined. {PAPERS}: the paper's own loop, which takes the best of the 1,000; it is reported beside it.",
        f"{PROCESSES}: BoTorch's SingleTaskGP for each output, standardised and fitted anew at each step, and "
        "LogConstrainedExpectedImprovement over the best feasible value, or LogProbabilityOfFeasibility while there "
        f"is none, maximised from {RESTARTS} of {RAW_SAMPLES} raw points.",
        f"{ON_ITS_SCALES}: the same, with outputs on the scales that the network sees them on, on "
        f"{' and '.join(TRANSFORMED)}. It is reported, and tells a scale's part from the model's.",
        "The regret is that of the best feasible design, over the median regret of feasible designs that lie evenly "
        f"over the ranges; below {FLOOR:g} of that all are alike. A run without a feasible design has the regret of "
        "the worst feasible one. At a seed, the mean over designs of the difference of logarithms counts; no margin "
        "is granted, so that equal accuracy is not confirmed. Ranks, of which equal ones count as none, are reported.",
        "Time is processor time on one thread of fit, acquisition and its search. At every second step of the Gaussian "
        "processes the network is asked of the same observations, in turn before and after them; the median ratio of a "
        "run counts.",
    ),
    cut=(
        "Six of ten designs, eight seeds and 40 steps: what Gaussian processes take is nearly all of the time.",
        "Gaussian processes as the paper's files have them, with an incumbent on another scale than the model and "
        "one restart from three raw points: a weak baseline.",
        "The mean rank as what decides on accuracy: with two methods and four designs it takes few values. It is "
        "reported.",
        "A ratio of times below 5 as what refutes: here a ratio is refuted where its interval excludes 10.",
        "The regret over that of random search: on two of the designs most random runs find nothing feasible.",
    ),
    full_scale=(
        "A network 512 wide with 6 layers or more and 1,000 buckets, trained for 50,000 steps on eight graphics cards "
        "for up to 18 settings; fifteen designs, 20 initial points, 200 iterations, 20 seeds.",
        "Missing here: that network's weights, which no package brings.",
    ),
    arms=_arms(),
    comparisons=_comparisons(),
    panels=(
        _panel("Regret of the best feasible design", REGRET, "log10", (SHIPPED, PAPERS, PROCESSES, QUASI_RANDOM)),
        _panel("Runs with a feasible design", FEASIBLE, "share", (SHIPPED, PAPERS, PROCESSES, QUASI_RANDOM)),
        _panel("Processor time of a step", SECONDS, "s", (SHIPPED, PAPERS, PROCESSES)),
    ),
    measures=(REGRET, FEASIBLE, SECONDS, TIMES, PAPERS_TIMES),
    gist="a network trained once finds better designs than Gaussian processes, ten times as fast",
    contests=(
        Contest(
            "pfn",
            "constrained improvement by Gaussian processes",
            {"in regret": f"{ACCURACY}, {REGRET}", "in time": f"{SPEED}, {TIMES}"},
        ),
    ),
)
