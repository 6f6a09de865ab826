import pytest
import torch

from trimtab.catalog.candidates import candidates_again, parse_candidates, with_recipe
from trimtab.catalog.ranges import parse_range
from trimtab.catalog.recipes import Recipe
from trimtab.study.errors import InputError
from trimtab.study.tunable import Choice, LogOneMinus, LogUniform


def test_a_range_takes_the_place_of_the_default_and_others_stay():
    adamw, lion = parse_candidates("adamw,lion", ["adamw.lr=1e-5..1e-2:log"])
    assert adamw.tunables == {**parse_candidates("adamw")[0].tunables, "lr": LogUniform(1e-5, 1e-2)}
    assert lion == parse_candidates("lion")[0]
    assert adamw.label == "adamw"


@pytest.mark.parametrize("order", [1, -1])
def test_a_range_for_one_candidate_goes_before_that_for_a_name_whichever_comes_first(order):
    tune = ["galore(adamw).lr=1e-3..1e-2:log", "adamw.lr=1e-5..1e-1:log"][::order]
    adamw, galore = parse_candidates("adamw,galore(adamw)", tune)
    assert (adamw.tunables["lr"], galore.tunables["lr"]) == (LogUniform(1e-5, 0.1), LogUniform(1e-3, 1e-2))


def test_one_of_a_pair_is_tuned_and_the_other_stays():
    (adamw,) = parse_candidates("adamw", ["adamw.beta2=0.9..0.9999:log1m"])
    assert list(adamw.tunables) == ["lr", "weight_decay", "beta2"]
    assert adamw.tunables["beta2"] == LogOneMinus(0.9, 0.9999)
    tuned = {"lr": 0.1, "weight_decay": 0.1, "beta2": 0.99}
    assert adamw.settings(tuned) == {"lr": 0.1, "weight_decay": 0.1, "betas": (0.9, 0.99)}
    assert adamw.build(tuned)(torch.nn.Linear(1, 1)).param_groups[0]["betas"] == (0.9, 0.99)
    assert "betas=(0.9, 0.99)" in adamw.code(tuned)


def test_pairs_are_choices():
    (wrapped,) = parse_candidates("clip(adamw)", ["adamw.betas=(0.9,0.95),(0.9,0.999)", "clip.fraction=0.01..0.9:log"])
    assert wrapped.tunables["betas"] == Choice(("(0.9,0.95)", "(0.9,0.999)"))
    assert wrapped.tunables["clip.fraction"] == LogUniform(0.01, 0.9)
    tuned = {"lr": 0.1, "weight_decay": 0.1, "clip.fraction": 0.5, "betas": "(0.9,0.95)"}
    assert wrapped.build(tuned)(torch.nn.Linear(2, 2)).param_groups[0]["betas"] == (0.9, 0.95)


def test_momentum_that_is_else_fixed_is_tuned():
    (sgd,) = parse_candidates("sgd", ["sgd.momentum=0.5..0.99:log1m"])
    assert sgd.settings({"lr": 0.1, "momentum": 0.7})["momentum"] == 0.7


@pytest.mark.parametrize(
    ("candidate", "name"),
    [
        ("adamw", "adamw.amsgrad"),
        ("clip(adamw)", "clip.ignore_zeros"),
        ("ema(clip(adamw))", "clip.ignore_zeros"),
        ("ema(clip(adamw))", "ema.warmup"),
        ("adamw+adadagrad", "adadagrad.debias"),
    ],
)
def test_switches_are_tuned_as_0_and_1_and_classes_get_what_they_have(candidate, name):
    (found,) = parse_candidates(candidate, [f"{name}=0,1"])
    place = name.removeprefix("adamw.")
    assert found.tunables[place] == Choice((0, 1))
    middle = {each: range_.at(0.5) for each, range_ in found.tunables.items()}
    for value in (0, 1):
        settings = found.settings({**middle, place: value})
        assert settings[place] is bool(value)
        found.build({**middle, place: value})(torch.nn.Linear(2, 2))
    with pytest.raises(InputError, match=rf"{place} is a switch, \w+ by default; write {place}=0,1"):
        parse_candidates(candidate, [f"{name}=0.1..0.9"])


def test_one_that_is_a_number_and_no_switch_stays_one():
    (found,) = parse_candidates("sso", ["sso.inner_steps=1,5"])
    assert found.settings({"lr": 0.1, "inner_steps": 1})["inner_steps"] is not True


def test_candidates_are_made_again_with_their_ranges():
    found = parse_candidates("adamw,clip(lion)", ["adamw.beta2=0.9..0.999:log1m", "lion.lr=1e-5,1e-4"])
    definitions = {each.label: each.definition() for each in found}
    assert candidates_again([each.label for each in found], definitions) == tuple(found)
    assert parse_candidates("adamw")[0].definition() == {}


@pytest.mark.parametrize(
    ("candidate", "range_", "ends"),
    [
        ("adamw+autolrs", "1.2345e-3..1e-2:log", (1.2345e-3, 1e-2)),
        ("galore(adamw)+autolrs", "1e-3..1e-2:log", (1e-3, 1e-2)),
        ("adamw+autolrs", "1e-2,1e-3", (1e-3, 1e-2)),
        ("adamw+autolrs", "1e-3", (1e-3, 1e-3)),
    ],
)
def test_what_searches_a_setting_does_so_within_the_range_that_is_typed(candidate, range_, ends):
    found = parse_candidates(f"adamw,{candidate}", [f"adamw.lr={range_}"])
    adamw, paced = (with_recipe(each, Recipe("cosine", clip_norm=1.0)) for each in found)
    assert adamw.tunables["lr"] == parse_range(range_)
    assert "lr" not in paced.tunables
    tuned = {"weight_decay": 0.1}
    settings = paced.settings(tuned)
    assert (settings["autolrs.min_lr"], settings["autolrs.max_lr"]) == ends
    built = paced.build(tuned)(torch.nn.Linear(4, 4)).settings
    assert (built["min_lr"], built["max_lr"]) == ends
    assert f"AutoLRS(optimizer, model, {ends[0]}, {ends[1]}, " in paced.code(tuned)
    (again,) = candidates_again([paced.label], {paced.label: paced.definition()})
    assert again.settings(tuned) == settings
    (alone,) = parse_candidates("adamw+autolrs(min_lr=0.5)", ["adamw.lr=0.1..1"])
    assert alone.settings(tuned) == {"weight_decay": 0.1, "autolrs.min_lr": 0.5, "autolrs.max_lr": 1}


@pytest.mark.parametrize(
    ("candidates", "tune", "message"),
    [
        ("adamw", "adamw.bets=0.5..0.99", "adamw has no setting 'bets'; did you mean betas"),
        ("adamw", "adamw.beta3=0.5..0.99", "no setting 'beta3'; did you mean beta1 or beta2"),
        ("adamw,lion", "lino.lr=0.1..1", "is for nobody: lino takes no part; did you mean lion"),
        ("adamw", "lion.lr=0.1..1", "is for nobody: lion takes no part"),
        ("adamw", "adamw.beta2=0.5..1.5", r"beta2=1\.5 cannot be: Invalid beta"),
        ("adamw", "adamw.betas=0.9..0.99", r'betas=0\.9 cannot be: it is \(0.9, 0.999\) by default; write "betas=\('),
        ("adamw", "adamw.betas=(0.9,1.5),(0.9,0.99)", r"betas=\(0.9,1.5\) cannot be: Invalid beta"),
        ("adamw", "adamw.amsgrad=1..2", r"amsgrad is a switch, False by default; write amsgrad=0,1"),
        ("adamw", "adamw.amsgrad=True,False", r"amsgrad is a switch, False by default; write amsgrad=0,1"),
        ("adamw", "adamw.betas=0.9,0.95", r"betas=0\.9 cannot be"),
        ("adamw+autolrs", "adamw.lr=0..1", r"lr=0\.0 cannot be: autolrs_min_lr=0\.0 must lie in"),
        ("adamw+autolrs(min_lr=0.1, max_lr=1)", "adamw.lr=0.1..1", "lr is fixed, or set by something else"),
        ("adamw(lr=0.1)", "adamw.lr=0.1..1", "lr is fixed, or set by something else"),
        ("adamw(betas=(0.9, 0.95))", "adamw.beta2=0.9..0.99", "beta2 is fixed, or set by something else"),
        ("adamw", "adamw.lr=abc", "'abc' is no number, and lr is one"),
        ("adamw", "lr=0.1..1", r"and are named, as in adamw\.lr"),
    ],
)
def test_ranges_that_cannot_be_are_refused(candidates, tune, message):
    with pytest.raises(InputError, match=message):
        parse_candidates(candidates, [tune])


def test_a_pair_and_one_of_it_are_refused():
    with pytest.raises(InputError, match="betas is tuned as well; leave one of them out"):
        parse_candidates("adamw", ["adamw.beta2=0.5..0.9", "adamw.betas=(0.9,0.95)"])


def test_what_searches_a_setting_without_a_range_is_refused_before_anything_is_built():
    with pytest.raises(
        InputError, match=r"autolrs searches lr .* prodigy has none for it: say them, as in \.\.\.\+autolrs\(min_lr"
    ):
        parse_candidates("prodigy+autolrs")
    (said,) = parse_candidates("prodigy+autolrs(min_lr=0.1, max_lr=0.9)")
    assert "AutoLRS(optimizer, model, 0.1, 0.9, " in said.code({})
