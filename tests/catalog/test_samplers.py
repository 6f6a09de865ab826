"""Samplers as candidates: built of a seed, shown as code, never tuned."""

import io
import logging
import re

import optuna
import pytest

from tests.catalog.own_samplers import SOURCE
from trimtab.catalog.entries import Entry, find, of_slot
from trimtab.catalog.samplers import Sampler, read_samplers, samplers_again
from trimtab.study.errors import InputError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")  # of the code to paste, which is Optuna's
@pytest.mark.parametrize("name", of_slot("sampler"))
def test_each_of_the_catalogue_is_built_and_its_code_runs(name):
    (sampler,) = read_samplers(name)
    assert isinstance(sampler.build({})(7), optuna.samplers.BaseSampler)
    assert sampler.tunables == {}
    seen = []

    def objective(trial):
        seen.append(trial.suggest_float("x", 0, 1))
        return seen[-1]

    exec(sampler.code({}, 2), {"objective": objective})
    assert len(seen) == 2


def test_settings_reach_the_sampler_and_its_code():
    (sampler,) = read_samplers("tpe(n_startup_trials=5)")
    assert sampler.build({})(0)._n_startup_trials == 5
    assert "TPESampler(seed=0, n_startup_trials=5)" in sampler.code({})
    assert "n_trials=..." in sampler.code({})


def test_two_entries_of_one_class_differ_in_what_it_is_built_with():
    plain, wide, other = read_samplers("bo,bnn,bnn(surrogate=ensemble)")
    assert [each.build({})(0)._surrogate for each in (plain, wide, other)] == ["gp", "infinite_width", "ensemble"]
    assert [each.label for each in (plain, wide, other)] == ["bo", "bnn", "bnn(surrogate=ensemble)"]
    assert plain.code({}) != wide.code({})
    assert "BOSampler(seed=0, surrogate='infinite_width')" in wide.code({})
    assert "BOSampler(seed=0, surrogate='ensemble')" in other.code({})


def test_ones_own_is_a_candidate_like_any_other(file):
    (mine,) = read_samplers(f"{file}:Mine(width=2.5)")
    assert mine.label == f"{file}:Mine(width=2.5)"
    assert mine.build({})(0).width == 2.5
    assert mine.tunables == {}  # nothing is tuned, whatever its class says
    assert "from mine import Mine\n" in mine.code({})
    assert "sampler=Mine(seed=0, width=2.5)" in mine.code({})
    (inner,) = read_samplers(f"{file}:Outer.Inner")
    assert "from mine import Outer\n" in inner.code({})
    assert "sampler=Outer.Inner(seed=0)" in inner.code({})


def test_what_a_sampler_draws_by_another_is_not_told_at_each_evaluation(monkeypatch, file):
    said = io.StringIO()
    monkeypatch.setattr(logging.getLogger("optuna"), "handlers", [logging.StreamHandler(said)])
    file.write_text("from optuna.samplers import CmaEsSampler\n\n\nclass Own(CmaEsSampler):\n    pass\n")
    texts = ["cmaes", "tpe(multivariate=True)", "gp(n_startup_trials=1)", f"{file}:Own"]
    for text in (*texts, "cmaes(warn_independent_sampling=True)"):
        (sampler,) = read_samplers(text)
        said.truncate(0)
        study = optuna.create_study(sampler=sampler.build({})(0))
        study.optimize(
            lambda trial: trial.suggest_float("x", 0, 1) + len(trial.suggest_categorical("k", ["a", "b"])), 4
        )
        assert ("is sampled independently" in said.getvalue()) == ("warn" in text), text
        assert ("warn" in sampler.code({})) == ("warn" in text)


def test_settings_that_a_class_passes_on_are_taken(file):
    (sampler,) = read_samplers(f"{file}:Passes(n_startup_trials=3)")
    assert sampler.build({})(0)._n_startup_trials == 3
    with pytest.raises(InputError, match=r"Passes\(wrong=3\) cannot be built: TypeError"):
        read_samplers(f"{file}:Passes(wrong=3)")


def test_ones_own_is_shown_again_without_its_file(file):
    (mine,) = read_samplers(f"{file}:Mine(width=2.5)")
    file.unlink()
    (again,) = samplers_again([mine.label], {mine.label: mine.definition()})
    assert (again.label, again.title, again.code({})) == (mine.label, "Mine", mine.code({}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NoSampler", "NoSampler is no optuna.samplers.BaseSampler"),
        ("Unseeded", "Unseeded takes no seed=, from which all its randomness has to come"),
        ("Breaks", "Breaks cannot be built: RuntimeError: out of order"),
        ("Mine(seed=3)", "Mine(seed=3): the comparison gives each run a seed of its own; leave out seed="),
        ("Mine(wide=3)", "Mine has no setting 'wide'; did you mean width? It has width"),
    ],
)
def test_what_is_no_sampler_is_refused(file, text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_samplers(f"{file}:{text}")


def test_a_package_that_is_missing_is_named(monkeypatch):
    entry = find("cmaes")
    missing = Sampler(Entry(**{**vars(entry), "needs": "no_such_package"}))
    with pytest.raises(InputError, match=r"pip install 'trimtab\[search\]'"):
        missing.check()
