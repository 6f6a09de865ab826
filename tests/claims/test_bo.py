"""The claim on Bayesian optimisation: what is compared with what."""

import math

import numpy as np
import pytest

from trimtab.claims import bo
from trimtab.claims.bo import functions, policies
from trimtab.lab.problem import Workplace
from trimtab.study.point import Point


def outcome(arm, seed, tmp_path):
    return bo.CLAIM.arm(arm).outcome(Point("bo", "final", arm, 0, {}, seed), lambda *_: False, Workplace(tmp_path))


def test_means_over_objectives_are_compared():
    assert bo.mean_less(0.0, 1.0, 2.0, 3.0, 2.0, 3.0, 7.0) == pytest.approx(2)
    assert bo.mean_less(0.02, 1.0, 2.0) == pytest.approx(1.02)
    assert bo.mean_less(0.02, 2.0, 1.0) == pytest.approx(-0.98)


def split(arm):
    """Who it is, and where."""
    return tuple(arm.split(", ", 1)) if ", " in arm else tuple(arm.split(" ", 1))


def test_statements_are_about_the_same_places_and_name_the_method_first():
    for statement in bo.CLAIM.comparisons:
        half = len(statement.arms) // 2
        (method, *places), (baseline, *others) = (
            (*{who for who, _ in map(split, arms)}, *(where for _, where in map(split, arms)))
            for arms in (statement.arms[:half], statement.arms[half:])
        )
        assert places == others
        assert len(places) in (1, 3)
        assert statement.name.startswith(f"{method} ")
        assert f" against {baseline}" in statement.name
    assert sum(statement.decides for statement in bo.CLAIM.comparisons) == 6
    both = [each for each in bo.CLAIM.comparisons if each.name.endswith("noise 0.01")]
    assert both[0].arms[:3] == both[1].arms[3:]


def test_a_trial_is_the_mean_of_a_block_at_the_seed_of_its_point(monkeypatch, tmp_path):
    monkeypatch.setattr(bo, "FUNCTIONS", 2)
    monkeypatch.setattr(functions, "EVALUATIONS", 8)
    found = outcome("fantasy EI, GP draws, noise 0.5", 3, tmp_path)
    block = functions.block("GP draws", 2, 3)
    regrets = functions.regrets(block, policies.fantasised, 0.5, np.random.default_rng([3, 0, 1]))
    assert found.status == "complete"
    assert found.measures == {bo.REGRET: pytest.approx(float(regrets.mean()))}
    other = outcome("fantasy EI, GP draws, noise 0.5", 4, tmp_path)
    assert other.measures != found.measures


def test_loops_are_measured_in_decades_and_may_end_early(monkeypatch, tmp_path):
    def stops(extended, seed):
        raise RuntimeError("a variance below zero")

    seen = []
    found = {"fidelity": stops, "gradients": lambda *given: seen.append(given) or 0.01, "constraint": lambda *_: -1e-9}
    monkeypatch.setattr(bo, "EXTENSIONS", found)
    assert outcome("with gradients", 3, tmp_path).measures == {bo.DECADES: pytest.approx(-2)}
    assert outcome("without gradients", 4, tmp_path).measures == {bo.DECADES: pytest.approx(-2)}
    assert seen == [(True, 3), (False, 4)]
    assert outcome("without constraint", 3, tmp_path).measures == {bo.DECADES: pytest.approx(math.log10(bo.LEAST))}
    ended = outcome("with fidelity", 3, tmp_path)
    assert (ended.status, ended.error) == ("diverged", "a variance below zero")
