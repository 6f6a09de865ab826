"""Tuning runs as a black box: its space, its seeds, what counts, and what is refused."""

import math
import sys
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from tests.lab.toy import Toy
from trimtab.catalog import tuning_problem
from trimtab.catalog.candidates import parse_candidates
from trimtab.catalog.tuning_problem import FIRST_SEED, Tuning
from trimtab.lab.blackbox import kept as kept_module
from trimtab.lab.blackbox.search import Search
from trimtab.lab.loading import absolute_reference, fingerprint, load_problem
from trimtab.lab.problem import Workplace
from trimtab.lab.session import Session
from trimtab.study.errors import DivergedError, InputError
from trimtab.study.point import Point
from trimtab.study.tunable import LogOneMinus, Uniform, Whole

OWN = '''
import torch
from trimtab.study.tunable import Choice, LogOneMinus, LogUniform, Uniform


class Mine(torch.optim.SGD):
    """Momentum."""

    tunables = {
        "lr": LogUniform(1e-3, 1e-1),
        "momentum": LogOneMinus(0.5, 0.999),
        "dampening": Uniform(0.0, 0.5),
        "nesterov": Choice((0, 1)),
    }

    def __init__(self, params, lr=0.1, momentum=0.9, dampening=0.0, nesterov=False):
        dampening = 0.0 if nesterov else dampening
        super().__init__(params, lr=lr, momentum=momentum, dampening=dampening, nesterov=bool(nesterov))
'''
TASK = """
from tests.lab.toy import Toy


class Short(Toy):
    name = "short"
    steps = 3
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "short.py").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def random_sampler(seed):
    return RandomSampler(seed=seed)


def by_hand(task, candidate, tuned, seed, steps):
    """The same run, without the problem."""
    run = Session(task, parse_candidates(candidate)[0].build(tuned), seed=seed, budget=steps * task.batch_size)
    for _ in range(steps):
        run.step()
    return run.evaluate().loss


def test_an_evaluation_is_a_run_and_its_seed_comes_from_the_generator():
    problem = Tuning(Toy(), "adamw", steps=2)
    tuned = {"lr": 0.01, "weight_decay": 0.1}
    assert problem.space.keys() == tuned.keys()
    seed = int(np.random.default_rng(5).integers(FIRST_SEED, 2**31 - 1, endpoint=True))
    assert seed >= FIRST_SEED
    value = problem.evaluate(tuned, np.random.default_rng(5))
    assert value == by_hand(Toy(), "adamw", tuned, seed, 2)
    assert value != problem.evaluate(tuned, np.random.default_rng(6))
    assert math.isclose(
        problem.true_value(tuned, "validation"), np.mean([by_hand(Toy(), "adamw", tuned, s, 2) for s in range(3)])
    )
    twice = Tuning(Toy(), "adamw", steps=2, repeats=1).true_value(tuned, "validation")
    assert twice == by_hand(Toy(), "adamw", tuned, 0, 2)


def test_a_run_is_as_long_as_the_tasks_unless_told_otherwise():
    tuned = {"lr": 0.01, "weight_decay": 0.1}
    assert Tuning(Toy(), "adamw", repeats=1).true_value(tuned, "validation") == by_hand(Toy(), "adamw", tuned, 0, 20)


def test_global_states_stay(files):
    problem = Tuning(Toy(), "adamw", steps=1)
    torch.manual_seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    problem.evaluate({"lr": 0.01, "weight_decay": 0.1}, np.random.default_rng(0))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_the_space_is_what_is_tuned_on_its_own_scales(files, monkeypatch):
    problem = Tuning(Toy(), "own.py:Mine(dampening=0.1)", steps=1)
    assert problem.distributions == {
        "lr": FloatDistribution(1e-3, 1e-1, log=True),
        "one_minus_momentum": FloatDistribution(1 - 0.999, 0.5, log=True),
        "nesterov": CategoricalDistribution((0, 1)),
    }
    params = {"lr": 0.01, "one_minus_momentum": 0.25, "nesterov": 1}
    assert problem.settings(params) == {"lr": 0.01, "momentum": 0.75, "nesterov": 1}
    ends = [problem.settings({**params, "one_minus_momentum": end})["momentum"] for end in (1 - 0.999, 0.5)]
    assert ends == [0.999, 0.5]
    assert problem.true_value(params, "validation") != problem.true_value({**params, "nesterov": 0}, "validation")
    whole = Tuning(Toy(), "own.py:Mine", steps=1)
    assert whole.distributions["dampening"] == FloatDistribution(0, 0.5)
    assert tuning_problem._range(Whole(1, 9, log=True)) == Whole(1, 9, log=True)  # as all black boxes have it
    clipped = Tuning(Toy(), "clip(adamw(weight_decay=0.1))", steps=1)
    assert next(iter(clipped.space)) == "lr"
    assert any(name.startswith("clip.") for name in clipped.space)
    assert "weight_decay" not in clipped.space


def test_what_wrappers_own_is_searched_under_their_name():
    assert tuning_problem._searched("clip.beta", LogOneMinus(0.5, 0.9)) == "clip.one_minus_beta"
    assert tuning_problem._searched("beta", LogOneMinus(0.5, 0.9)) == "one_minus_beta"
    assert tuning_problem._searched("clip.beta", Uniform(0.5, 0.9)) == "clip.beta"


def test_whole_numbers_stay_whole():
    class Ranked(Tuning):
        pass

    problem = Ranked(Toy(), "adamw", steps=1)
    problem.space = {**problem.space, "rank": Whole(1, 9, log=True)}
    assert problem.distributions["rank"] == IntDistribution(1, 9, log=True)


def test_only_what_is_recommended_in_the_end_is_judged(monkeypatch):
    problem, seeds = Tuning(Toy(), "adamw", steps=1, repeats=2), []
    loss = Tuning._loss

    def noted(self, params, seed, split="validation"):
        seeds.append(seed)
        return loss(self, params, seed, split)

    monkeypatch.setattr(Tuning, "_loss", noted)
    search = Search(problem, random_sampler, seed=0, budget=3)
    for _ in range(2):
        search.step()
        search.evaluate()
    assert len(seeds) == 2
    search.step()
    value = search.evaluate().loss
    assert seeds[3:] == [0, 1]
    assert min(seeds[:3]) >= FIRST_SEED
    assert len(set(seeds[:3])) == 3
    assert value == problem.true_value(search.recommended().params, "validation")
    again = Search(problem, random_sampler, seed=0, budget=3)
    again.step()
    assert seeds[-1] == seeds[0]  # the n-th evaluation has the same seed, whoever searches


def test_a_diverged_run_is_lost_and_the_search_is_not():
    class Diverging(Toy):
        def losses(self, outputs, batch):
            found = super().losses(outputs, batch)
            return found * (math.nan if next(self._rates) else 1.0)

        _rates = iter([False, True] * 1000)

    problem = Tuning(Diverging(), "adamw", steps=2)
    with pytest.raises(DivergedError):
        problem.evaluate({"lr": 0.01, "weight_decay": 0.1}, np.random.default_rng(0))
    calls = []

    class Once(Tuning):
        def _loss(self, params, seed, split="validation"):
            calls.append(seed)
            if len(calls) == 2:
                raise DivergedError(1, math.nan)
            return params["lr"]

    search = Search(Once(Toy(), "adamw"), random_sampler, seed=0, budget=4)
    while not search.meter.exhausted:
        search.step()
    assert [trial.state.name for trial in search._study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_a_loss_that_is_no_number_in_the_end_has_diverged():
    class Blind(Toy):
        def evaluate(self, model, split="validation"):
            found = super().evaluate(model, split)
            return type(found)(math.inf, found.metric)

    problem = Tuning(Blind(), "adamw", steps=1)
    point = Point("tuning", "final", "random", 0, {}, 1000)
    outcome = problem.trial(random_sampler, point, budget=1, report=lambda *_: False, place=Workplace(None))
    assert (outcome.status, outcome.metric) == ("diverged", None)


def test_files_in_brackets_belong_to_the_problem(files, monkeypatch, tmp_path_factory):
    for reference in (
        "tuning(short.py:Short, own.py:Mine)",
        "tuning(short.py, clip(own.py:Mine(lr=0.1), fraction=0.2))",
    ):
        before, absolute = fingerprint(reference), absolute_reference(reference)
        assert f"{files}/own.py:Mine" in absolute
        assert f"{files}/short.py:Short" in absolute
        first = load_problem(reference)
        source = first.source()
        (files / "own.py").write_text(f"{OWN}\n# {reference}\n")
        assert fingerprint(reference) != before
        assert load_problem(reference).source() != source
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(tmp_path_factory.mktemp("elsewhere"))
            there = load_problem(absolute)
            assert there.name == first.name == load_problem(absolute).name
            assert fingerprint(absolute) == fingerprint(absolute_reference(absolute))
    assert first.name == "tuning(short, clip(own.py:Mine(lr=0.1), fraction=0.2))"
    middle = {"one_minus_momentum": 0.1, "dampening": 0.1, "nesterov": 0}
    assert math.isfinite(there.evaluate(middle, np.random.default_rng(0)))


def test_a_directory_may_have_blanks_in_its_name(tmp_path, monkeypatch):
    place = tmp_path / "a b"
    place.mkdir()
    (place / "own.py").write_text(OWN)
    monkeypatch.chdir(place)
    reference = absolute_reference("tuning(diabetes, own.py:Mine, steps=1)")
    assert f"{place}/own.py" in reference
    assert load_problem(reference).name == "tuning(diabetes, own.py:Mine, steps=1)"


def test_classes_in_modules_are_part_of_the_definition(files, monkeypatch):
    monkeypatch.syspath_prepend(files)
    assert Tuning(Toy(), "adamw").definition() == {}
    assert Tuning(Toy(), "own.py:Mine").definition() == {}
    found = Tuning(Toy(), "own:Mine").definition()
    assert list(found["classes"]) == ["own:Mine"]
    monkeypatch.delitem(sys.modules, "own")


def test_what_was_paid_for_is_kept(files, monkeypatch, tmp_path):
    monkeypatch.setattr(kept_module, "DEAR", 0.0)
    problem, place = Tuning("short.py", "adamw"), Workplace(tmp_path / "runs" / "tuning")
    search = problem.start(random_sampler, seed=0, budget=2, place=place)
    losses = [search.step() for _ in range(2)]
    monkeypatch.setattr(Tuning, "_loss", None)
    again = problem.start(random_sampler, seed=0, budget=2, place=place)
    assert [again.step() for _ in range(2)] == losses


def test_it_is_trained_where_its_place_says():
    problem = Tuning(Toy(), "adamw", steps=1)
    search = problem.start(random_sampler, seed=0, budget=1, place=Workplace(None, device="nowhere"))
    with pytest.raises(InputError, match="device='nowhere' cannot be used"):
        search.step()
    problem.start(random_sampler, seed=0, budget=1, place=Workplace(None)).step()


def test_a_tasks_own_recipe_goes_around():
    class Scheduled(Toy):
        recipe: ClassVar = {"schedule": "cosine", "warmup": 2}

    tuned = {"lr": 0.01, "weight_decay": 0.1}
    found = Tuning(Scheduled(), "adamw", steps=4, repeats=1)
    assert found.space.keys() == tuned.keys()
    run = Session(Toy(), parse_candidates("adamw+cosine(warmup=0.5)")[0].build(tuned), seed=0, budget=40)
    for _ in range(4):
        run.step()
    assert found.true_value(tuned, "validation") == run.evaluate().loss


def test_a_look_at_it_takes_a_step_and_no_run(monkeypatch):
    problem = load_problem("tuning(diabetes, lion, steps=50, workers=2)")
    assert (problem.name, problem.workers) == ("tuning(diabetes, lion, steps=50)", 2)
    monkeypatch.setattr(Tuning, "_loss", None)
    problem.check("here")
    words = dict(problem.facts("tuning(diabetes, lion, steps=50)", (), 8).paragraphs)["Problem"]
    assert words.startswith(
        "tuning(diabetes, lion, steps=50): lr in [1e-05, 0.033], on a logarithmic scale, weight_decay"
    )
    assert "trains lion on diabetes for 50 steps" in words
    assert "trained with 3 other seeds" in words
    assert problem.steps == 40


def test_an_optimizer_that_takes_no_step_is_named(files):
    (files / "own.py").write_text(
        OWN.replace("class Mine", "class Broken").replace(
            "    def __init__",
            '    def step(self, closure=None):\n        raise RuntimeError("no")\n\n    def __init__',
        )
    )
    with pytest.raises(InputError, match=r"here: own.py:Broken takes no step on toy, .*: RuntimeError: no"):
        Tuning(Toy(), "own.py:Broken").check("here")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("tuning(branin, lion)", "branin is a problem for samplers; this needs a training task"),
        ("tuning(digitts, lion)", r"unknown problem 'digitts'; did you mean digits\?"),
        ("tuning(diabetes, lionn)", r"unknown method 'lionn'; did you mean lion\?"),
        ("tuning(diabetes, 'lion, adamw')", "candidate='lion, adamw': one optimizer is needed, and these are 2"),
        ("tuning(diabetes, 'lion(lr=0.1, weight_decay=0.1)')", "nothing of it is tuned"),
        ("tuning(diabetes, lion, steps=0)", "steps=0"),
        ("tuning(diabetes, lion, repeats=0)", "repeats=0"),
        ("tuning(diabetes, lion, repeats=1001)", "repeats=1001"),
        ("tuning(diabetes, 3)", "candidate"),
        ("tuning(3, lion)", "task=3: a trimtab.Task is needed"),
        ("tuning(diabetes, lion, seeds=3)", "has no setting 'seeds'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(reference, message):
    with pytest.raises((InputError, TypeError), match=message):
        load_problem(reference)


def test_a_trial_is_a_search_to_its_end(tmp_path):
    problem = Tuning(Toy(), "adamw", steps=1)
    point = Point("tuning", "final", "random", 0, {}, 1000)
    run = partial(problem.trial, random_sampler, point, budget=4, report=lambda *_: False)
    one, other = run(place=Workplace(tmp_path / "runs" / "a")), run(place=Workplace(tmp_path / "runs" / "b"))
    assert (one.status, one.cost) == ("complete", 4)
    assert one.loss == other.loss
