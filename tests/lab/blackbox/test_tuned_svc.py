"""Tuning a classifier: who trains on what, and whose randomness it is."""

import numpy as np
import pytest

from trimtab.lab.blackbox.tuned_svc import FOLDED, TRAIN, VALIDATION, TunedSVC

GOOD = {"kernel": "rbf", "C": 10.0, "gamma": 1e-3, "degree": 3}


@pytest.fixture(scope="module")
def problem():
    return TunedSVC()


@pytest.fixture
def rows(problem, monkeypatch):
    seen = []

    def noted(params, train, score):
        every = np.arange(len(problem._labels))
        seen.append((set(every[train].tolist()), set(every[score].tolist())))
        return 0.5

    monkeypatch.setattr(problem, "_error", noted)
    return seen


def test_splits_are_disjoint_and_use_every_image(problem, rows):
    problem.truth(GOOD, "validation")
    problem.truth(GOOD, "test")
    (train, validation), (again, test) = rows
    assert train == again
    assert (len(train), len(validation), len(test)) == (TRAIN, VALIDATION, 697)
    assert len(train | validation | test) == 1797


def test_an_observation_sees_training_images_alone(problem, rows):
    for _ in range(3):
        problem.observe(GOOD, np.random.default_rng(0))
    (train, score), *others = rows
    assert (len(train), len(score)) == (FOLDED, TRAIN - FOLDED)
    assert not train & score
    assert train | score == set(range(TRAIN))
    assert others == [(train, score)] * 2  # noise is the generator's alone
    problem.observe(GOOD, np.random.default_rng(1))
    assert rows[-1] != rows[0]


def test_the_truth_is_always_the_same_and_settings_matter(problem):
    error = problem.truth(GOOD, "validation")
    assert error == problem.truth(GOOD, "validation") == TunedSVC().truth(GOOD, "validation")
    assert error < 0.06
    assert problem.truth({**GOOD, "gamma": 1.0}, "validation") > 0.5
    assert problem.truth(GOOD, "test") < 0.06


def test_it_can_be_used_as_it_is(problem):
    problem.check("tuned-svc")
    facts = problem.facts("tuned-svc", (), None)
    assert [measure.heading for measure in facts.measures] == ["test error", "ms a suggestion"]
    assert "touched once" in facts.ending
