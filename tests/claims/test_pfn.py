"""What exists for the claim on prior-data fitted networks only."""

import itertools
import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy import stats

from trimtab.claims import pfn as claim
from trimtab.claims.claim import described
from trimtab.lab.blackbox.engineering import engineering_design
from trimtab.lab.problem import Workplace
from trimtab.search.pfn.proposal import Observations, Proposal
from trimtab.search.pfn.sampler import PFNSampler
from trimtab.search.pfn.transforms import OutputTransform
from trimtab.study.point import Point


def observed(name="three_truss", count=12, seed=3):
    seen = claim.evaluated(name, claim.sequence(name, seed, count))
    return Observations(seen.x, -seen.value, seen.constraints)


def infeasible():
    seen = observed()
    return Observations(seen.x, seen.objective, abs(seen.constraints))


def run(arm, seed=3, tmp_path=None):
    point = Point("pfn", "final", arm, 0, {}, seed)
    return claim.CLAIM.arm(arm).outcome(point, lambda *_: False, Workplace(tmp_path)).measures


def fitted(x, y):
    model = SingleTaskGP(torch.from_numpy(x), torch.from_numpy(y)[:, None], outcome_transform=Standardize(1))
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


POINTS = torch.rand(6, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("on_its_scales", [False, True])
def test_the_baseline_is_botorchs_improvement_on_the_best_feasible_value_times_what_is_probable(on_its_scales):
    seen = observed()
    feasible = (seen.constraints <= 0).all(1)
    assert 0 < feasible.sum() < 12
    assert seen.objective.max() > seen.objective[feasible].max()
    outputs, thresholds = [seen.objective, *-seen.constraints.T], [0.0] * 4
    if on_its_scales:
        made = [OutputTransform(each, about_zero=i > 0) for i, each in enumerate(outputs)]
        thresholds = [transform(np.zeros(1))[0] for transform in made]
        outputs = [transform(each) for transform, each in zip(made, outputs, strict=True)]
    objective, *rest = (fitted(seen.x, each) for each in outputs)
    expected = LogExpectedImprovement(objective, outputs[0][feasible].max())(POINTS)
    for model, least in zip(rest, thresholds[1:], strict=True):
        posterior = model.posterior(POINTS)
        mean, deviation = (each.detach().numpy()[:, 0, 0] for each in (posterior.mean, posterior.variance.sqrt()))
        expected = expected + torch.from_numpy(stats.norm.logsf(least, mean, deviation))
    assert claim.improvement(seen, on_its_scales)(POINTS).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_while_nothing_is_feasible_the_baseline_asks_where_something_may_be():
    seen = infeasible()
    expected = 0.0
    for each in -seen.constraints.T:
        posterior = fitted(seen.x, each).posterior(POINTS)
        mean, deviation = (each.detach().numpy()[:, 0, 0] for each in (posterior.mean, posterior.variance.sqrt()))
        expected = expected + stats.norm.logsf(0.0, mean, deviation)
    assert claim.improvement(seen, False)(POINTS).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_the_baseline_goes_where_its_improvement_is_larger_than_at_random_points():
    seen = observed("gkxwc2")
    state = torch.get_rng_state()
    one, other = (claim.by_processes(False, seen, seed) for seed in (5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    assert (one != other).any()
    function = claim.improvement(seen, False)
    many = torch.rand(500, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert function(torch.from_numpy(one)[None, None]).item() > function(many).max().item()


def test_the_network_is_asked_as_the_sampler_asks_it():
    assert PFNSampler(seed=0)._proposal == Proposal()
    seen = observed()
    for method, proposal in ((claim.SHIPPED, Proposal()), (claim.PAPERS, Proposal(refined=0))):
        generator = torch.Generator().manual_seed(5)
        expected = proposal.next_point(seen, claim.network(2), generator, initial=claim.INITIAL)
        assert (claim.METHODS[method](seen, 5) == expected).all()


@pytest.mark.parametrize("name", claim.DESIGNS)
def test_all_methods_of_a_seed_begin_with_the_same_points(name, monkeypatch, tmp_path):
    begun = []

    def middle(seen, _seed):
        begun.append(seen)
        return np.full(seen.x.shape[1], 0.5)

    monkeypatch.setattr(claim, "STEPS", 2)
    monkeypatch.setattr(claim, "METHODS", dict.fromkeys(claim.METHODS, middle))
    ticks = itertools.count()
    monkeypatch.setattr(claim.time, "process_time", lambda: float(next(ticks)))
    for method in (claim.SHIPPED, claim.PAPERS, claim.PROCESSES):
        run(f"{method}, {name}", 3, tmp_path)
    first = claim.sequence(name, 3, claim.INITIAL + 5)
    assert {len(seen.x) for seen in begun} == {claim.INITIAL, claim.INITIAL + 1}
    for seen in begun:
        assert (seen.x[: claim.INITIAL] == first[: claim.INITIAL]).all()
        assert (seen.x[claim.INITIAL :] == 0.5).all()
        design = engineering_design(name)
        low, high = design.bounds
        assert seen.objective == pytest.approx(-design.objective(low + seen.x * (high - low)))
    assert (first[:1] != claim.sequence(name, 4, 1)).any()


def test_regrets_are_those_of_feasible_designs_over_that_of_an_ordinary_one(monkeypatch):
    best = engineering_design("three_truss").optimal_value
    monkeypatch.setattr(claim, "ordinary", lambda _: (40.0, 120.0))

    def reached(values, constraints):
        seen = claim.Seen(np.zeros((len(values), 2)), np.array(values), np.array(constraints))
        return claim.reached("three_truss", seen)

    holds, fails = [0.0, -1.0, -2.0], [-1.0, 1e-9, -1.0]
    assert reached([best + 4, best + 0.4, best + 8], [holds, fails, holds]) == {
        claim.REGRET: pytest.approx(-1.0),
        claim.FEASIBLE: 1.0,
    }
    assert reached([best], [holds])[claim.REGRET] == pytest.approx(math.log10(claim.FLOOR))
    assert reached([best], [fails]) == {claim.REGRET: pytest.approx(math.log10(3)), claim.FEASIBLE: 0.0}


def test_an_ordinary_design_is_feasible():
    middle, worst = claim.ordinary("three_truss")
    rng = np.random.default_rng(1)
    other = claim.regrets("three_truss", claim.evaluated("three_truss", rng.random((20_000, 2))))
    assert middle == pytest.approx(np.median(other), rel=0.05)
    assert other.max() <= worst * 1.05
    assert min(other) > 0


def test_times_are_compared_on_the_same_observations_in_turn(monkeypatch, tmp_path):
    clock, order = SimpleNamespace(now=0.0), []

    def asked(name, takes):
        def ask(seen, _seed):
            order.append((name, len(seen.x)))
            # every second ask of the network counts, and the first of all does not
            clock.now += takes * (100 if len(order) <= 3 else 1)
            return np.full(seen.x.shape[1], 0.5)

        return ask

    takes = {claim.SHIPPED: 1.0, claim.PAPERS: 0.5, claim.PROCESSES: 10.0}
    monkeypatch.setattr(claim, "STEPS", 4)
    monkeypatch.setattr(claim, "METHODS", {name: asked(name, each) for name, each in takes.items()})
    monkeypatch.setattr(claim.time, "process_time", lambda: clock.now)
    measured = run(f"{claim.PROCESSES}, gkxwc2", 3, tmp_path)
    assert {key: measured[key] for key in (claim.SECONDS, claim.TIMES, claim.PAPERS_TIMES)} == {
        claim.SECONDS: 10.0,
        claim.TIMES: 10.0,
        claim.PAPERS_TIMES: 20.0,
    }
    trio = [claim.PROCESSES, claim.SHIPPED, claim.PAPERS]
    assert order[3:] == [
        *((name, 10) for name in trio[::-1]),
        (claim.PROCESSES, 11),
        *((name, 12) for name in trio),
        (claim.PROCESSES, 13),
    ]
    assert claim.TIMES not in run(f"{claim.SHIPPED}, gkxwc2", 3, tmp_path)


def test_improvements():
    assert claim.lower(-2.0, -1.0, -1.5, -0.5) == pytest.approx(0.5)
    assert claim.ranked_before(-2.0, -1.0, -4.0, -1.5, -1.0, -4.0) == pytest.approx(1 / 3)  # and two that are equal
    assert claim.ranked_before(-2.0, -1.0, -2.5, -1.5) == pytest.approx(-1)
    assert claim.faster(1.0, 100.0) == pytest.approx(1.0)
    assert claim.faster(*[claim.CLAIMED_TIMES] * 4) == pytest.approx(claim.CLAIM.comparisons[1].claimed)


@pytest.mark.parametrize("method", [claim.SHIPPED, claim.PROCESSES, claim.QUASI_RANDOM])
def test_a_run_follows_from_its_seed(method, monkeypatch, tmp_path):
    for name, value in {"STEPS": 1, "RESTARTS": 1, "RAW_SAMPLES": 4}.items():
        monkeypatch.setattr(claim, name, value)
    ends = []
    monkeypatch.setattr(claim, "reached", lambda _, seen: ends.append(seen) or {})
    for seed in (3, 3, 4):
        run(f"{method}, gkxwc2", seed, tmp_path)
    assert all((a == b).all() for a, b in zip(ends[0], ends[1], strict=True))
    assert (ends[0].x[-1] != ends[2].x[-1]).any()


def test_two_comparisons_decide_and_both_are_told():
    deciding = [each for each in claim.CLAIM.comparisons if each.decides]
    assert [each.measure for each in deciding] == [claim.REGRET, claim.TIMES]
    (contest,) = claim.CLAIM.contests
    assert list(contest.places.values()) == [described(each.name, each.measure) for each in deciding]
    assert min(claim.TEST_SEEDS) >= 1000


def test_the_claim_can_be_read_without_botorch():
    lines = "import sys\nfor name in ('botorch', 'gpytorch', 'safetensors'): sys.modules[name] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{lines}from trimtab.claims.pfn import CLAIM; print(CLAIM.id)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "pfn\n", done.stderr
