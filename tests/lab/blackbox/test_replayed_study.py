"""Finished studies as problems: what their forests say, with which noise, and what is refused before anything runs."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler, TPESampler
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score

from tests.lab.blackbox.studies import (
    SPACE,
    conditional_trials,
    journal,
    plain,
    plain_trials,
    written,
)
from trimtab.lab.blackbox.replayed_study import ReplayedStudy
from trimtab.lab.blackbox.search import FEASIBLE, Search
from trimtab.lab.loading import absolute_reference, fingerprint, load_problem, parameters
from trimtab.primitives.unit_cube import UnitCube
from trimtab.study.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Several studies in a file."""
    place = tmp_path_factory.mktemp("studies")
    storage = journal(place / "old.log")
    written(storage, plain_trials())
    written(storage, conditional_trials(), name="conditional")
    told = {"constraints": lambda params: {"size": params["x"] - 0.5, "late": -params["n"]}}
    written(storage, plain_trials(**told), name="constrained", direction="maximize")
    return place


@pytest.fixture(scope="module")
def log(folder):
    return f"{folder}/old.log"


@pytest.fixture(scope="module")
def old(log):
    return load_problem(f"study:{log}#old")


@pytest.fixture(scope="module")
def conditional(log):
    return load_problem(f"study:{log}#conditional")


def random_sampler(seed):
    return RandomSampler(seed=seed)


def searched(problem, build=random_sampler, *, seed=0, budget=12):
    search = Search(problem, build, seed=seed, budget=budget)
    losses = []
    while not search.meter.exhausted:
        losses.append(search.step())
    return search, losses


def test_the_truth_is_a_forests_prediction_and_the_noise_its_errors_out_of_bag(old, log):
    trials = plain_trials()
    cube = UnitCube(dict(sorted(SPACE.items())))
    inputs, values = cube.to_unit([trial.params for trial in trials]), np.array([trial.value for trial in trials])
    forest = RandomForestRegressor(100, oob_score=True, random_state=0).fit(inputs, values)
    problem = old
    assert problem.distributions == SPACE
    params = {"x": 0.3, "rate": 0.01, "n": 4}
    truth = problem.true_value(params, "validation")
    assert truth.value == forest.predict(cube.to_unit([params]))[0]
    assert (truth.constraints, problem.direction, problem.constraints) == ((), "minimize", 0)
    residuals = values - forest.oob_prediction_
    noise = [problem.evaluate(params, np.random.default_rng(seed)).value - truth.value for seed in range(40)]
    nearest = np.abs(np.array(noise)[:, None] - (residuals - residuals.mean())).min(1)
    assert nearest.max() < 1e-12
    assert len(set(noise)) > 20
    assert problem._forest.residuals.mean() == pytest.approx(0, abs=1e-12)
    assert problem._forest.fit == r2_score(values, forest.oob_prediction_)
    fit = f"out-of-bag R² is {problem._forest.fit:.2f}"
    assert f"80 complete trials of the study 'old' in old.log stands for its objective; its {fit}" in problem.summary
    assert problem.introduction == f"old is a random forest of 80 trials, whose {fit}."
    words = dict(problem.facts(f"study:{log}#old", (), 12).paragraphs)["Problem"]
    assert fit in words


def test_it_is_searched_as_the_study_was(log):
    problem = load_problem(f"study:{log}#old(evaluations=12, workers=2)")
    problem.check("here")
    assert (problem.name, problem.steps, problem.workers) == ("old(evaluations=12, workers=2)", 12, 2)
    one, other = searched(problem), searched(problem)
    assert one[1] == other[1]
    assert searched(problem, lambda seed: TPESampler(seed=seed))[1][:3] == one[1][:3]
    assert searched(problem, seed=1)[1] != one[1]
    found = one[0].recommended().params
    assert one[0].evaluate().loss == problem.true_value(found, "validation").value
    assert one[0].evaluate().loss != min(one[1])
    assert [each.name for each in parameters(f"study:{log}#old")] == ["evaluations", "workers"]


def test_a_good_forest_finds_what_is_good(old):
    problem = old
    good, bad = ({"x": x, "rate": 1.0, "n": 5} for x in (0.05, 0.95))
    assert problem.true_value(good, "validation").value < problem.true_value(bad, "validation").value - 5
    assert plain(good) < plain(bad)


def test_conditional_parameters_are_suggested_where_they_appeared(conditional):
    problem = conditional
    problem.check("here")
    assert list(problem.distributions) == ["degree", "gamma", "kernel", "x"]
    assert "gamma and degree appear where they did in the trials" in problem.summary
    search, _ = searched(problem, budget=40)
    trials = search._study.trials
    for trial in trials:
        params = trial.params
        assert ("gamma" in params) == (params["kernel"] != "linear")
        if params["kernel"] != "poly" or abs(params["gamma"] - 0.5) > 0.1:  # trials are not closer than that
            assert ("degree" in params) == (params["kernel"] == "poly" and params["gamma"] > 0.5)
    assert {len(trial.params) for trial in trials} == {2, 3, 4}
    params = {"x": 0.5, "kernel": "linear"}
    plain_value = problem.true_value(params, "validation")
    assert problem.true_value({**params, "gamma": 0.9, "degree": 5}, "validation") == plain_value
    assert problem.true_value({**params, "kernel": "rbf", "gamma": 0.9}, "validation").value > plain_value.value + 4


def test_the_first_points_are_the_same_for_all_with_their_conditional_parameters(conditional):
    problem = conditional
    runs = [
        searched(problem, build, budget=40)[0] for build in (random_sampler, lambda seed: TPESampler(seed=seed + 9))
    ]
    firsts = [[trial.params for trial in run._study.trials[:10]] for run in runs]
    assert firsts[0] == firsts[1]
    assert any("gamma" in params for params in firsts[0])


def test_constraints_have_forests_of_their_own_and_no_noise(log):
    problem = load_problem(f"study:{log}#constrained")
    problem.check("here")
    assert (problem.constraints, problem.direction) == (2, "maximize")
    assert "Constraints have forests of their own, and no noise: size (R² 1.00), late (R² 1.00)." in problem.summary
    cube, settings = UnitCube(dict(sorted(SPACE.items()))), [trial.params for trial in plain_trials()]
    by_hand = [
        RandomForestRegressor(100, oob_score=True, random_state=0).fit(cube.to_unit(settings), values)
        for values in ([each["x"] - 0.5 for each in settings], [-each["n"] for each in settings])
    ]
    for x in (0.1, 0.9):
        params = {"x": x, "rate": 0.1, "n": 4}
        found = problem.true_value(params, "validation")
        assert found.names == ("size", "late")
        assert found.constraints == tuple(forest.predict(cube.to_unit([params]))[0] for forest in by_hand)
        assert (found.constraints[0] > 0) == (x > 0.5)
        assert problem.evaluate(params, np.random.default_rng(0)).constraints == found.constraints
    search, _ = searched(problem, budget=16)
    search.evaluate()
    assert {tuple(trial.constraints) for trial in search._study.trials} == {("size", "late")}
    params = search.recommended().params
    assert search.measures()[FEASIBLE] == 1
    assert problem.true_value(params, "validation").constraints[0] <= 0


def test_the_fingerprint_goes_with_the_trials_and_the_brackets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = written(journal("old.log"), plain_trials(60))
    reference = "study:old.log#old"
    before, source = fingerprint(reference), load_problem(reference).source()
    assert fingerprint(f"study:{tmp_path}/old.log#old") == fingerprint("study:old.log") == before
    assert fingerprint(f"{reference}(workers=2)") != before
    assert absolute_reference(f"{reference}(workers=2)") == f"study:{tmp_path}/old.log#old(workers=2)"
    study.add_trials(plain_trials(1, seed=3))
    assert fingerprint(reference) != before
    assert load_problem(reference).source() != source


def test_names_with_brackets_are_written_with_brackets_behind(tmp_path):
    path = tmp_path / "dir (1)"
    path.mkdir()
    written(journal(path / "a.log"), plain_trials(60), name="run (2)")
    reference = f"study:{path}/a.log#run (2)()"
    assert load_problem(reference).name == "run (2)"
    assert absolute_reference(reference) == reference
    assert load_problem(f"study:{path}/a.log").name == "run (2)"
    assert load_problem(f"study:{path}/a.log#run (2)(evaluations=5)").steps == 5
    with pytest.raises(
        InputError, match=r"a.log#run \(2\): too many positional arguments; it takes evaluations, workers"
    ):
        load_problem(f"study:{path}/a.log#run (2)")


def test_ranges_that_changed_are_searched_as_widely_as_they_were(tmp_path):
    trials = plain_trials(60)
    for trial in trials[:30]:
        trial.params["x"] *= 2
        trial.distributions = {**SPACE, "x": FloatDistribution(0, 2)}
    written(journal(tmp_path / "a.log"), trials)
    assert load_problem(f"study:{tmp_path}/a.log").distributions["x"] == FloatDistribution(0, 2)


def noise(_params):
    return next(DRAWS)


DRAWS = iter(np.random.default_rng(0).normal(size=1000).tolist())


def few_constraints(params):
    return {"size": 1.0} if params["x"] < 0.3 else {}


REFUSED = {
    r"the study 'old' in a.log has 49 complete trials with a finite value, and a forest needs 50": lambda: plain_trials(
        49
    ),
    "has 0 complete trials with a finite value": lambda: plain_trials(60, lambda params: math.inf),
    r"foretells too little of the study 'old' .* R² is -0\.\d\d, and at least 0\.3": lambda: plain_trials(60, noise),
    "have the value 2: there is nothing to search": lambda: plain_trials(60, lambda params: 2.0),
    "has no parameter with more than one value": lambda: [optuna.trial.create_trial(value=n) for n in range(60)],
    r"the constraint 'size' is told by \d\d complete trials of": lambda: plain_trials(60, constraints=few_constraints),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_forest_cannot_replay_is_refused_before_anything_runs(tmp_path, message):
    written(journal(tmp_path / "a.log"), REFUSED[message]())
    with pytest.raises(InputError, match=message):
        load_problem(f"study:{tmp_path}/a.log#old")


@pytest.mark.parametrize(
    ("brackets", "message"),
    [
        ("(evaluations=0)", "evaluations=0: at least one"),
        ("(evaluation=3)", r"has no setting 'evaluation'; did you mean evaluations\?"),
        ("(place=x)", "multiple values for argument 'place'|has no setting 'place'"),
    ],
)
def test_what_it_does_not_take_is_refused(log, brackets, message):
    with pytest.raises(InputError, match=message):
        load_problem(f"study:{log}#old{brackets}")


def test_workers_are_looked_at_by_its_check(log):
    with pytest.raises(InputError, match=r"here\.workers=0"):
        load_problem(f"study:{log}#old(workers=0)").check("here")


def test_a_password_is_not_in_the_report(log, monkeypatch):
    pytest.importorskip("psycopg")
    problem = ReplayedStudy(f"{log}#old")
    problem._place = "postgresql://me:secret@host/optuna#old"
    facts = problem.facts(f"study:{problem._place}(workers=2)", (), 12)
    assert facts.reference == "study:postgresql://me:***@host/optuna#old(workers=2)"
    assert "secret" not in str(facts.to_dict())
