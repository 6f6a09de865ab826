"""What goes around all candidates alike."""

import pytest
import torch
from torch import nn

from trimtab.catalog.candidates import candidates_again, parse_candidates, with_recipe
from trimtab.catalog.recipes import SCHEDULES, Recipe, keeps_its_schedule, schedules, share_of_run, with_its_warmup
from trimtab.lab.controller import SessionController
from trimtab.primitives.wrapping import OptimizerWrapper
from trimtab.study.errors import InputError

ALL = Recipe("cosine", 0.05, clip_norm=1.0, ema=0.99, no_decay=True)


def candidate(text, recipe, tune=()):
    (found,) = parse_candidates(text, tune)
    return with_recipe(found, recipe)


@pytest.mark.parametrize(
    ("text", "recipe", "whole"),
    [
        ("adamw", Recipe(), "adamw"),
        ("adamw", Recipe("linear"), "adamw+linear"),
        ("adamw", Recipe("none", 0.1), "adamw+constant(warmup=0.1)"),
        ("adamw", ALL, "ema(clip_norm(adamw, max_norm=1.0), decay=0.99)+cosine(warmup=0.05)"),
        ("clip(lion)", Recipe("wsd", clip_norm=2.0), "clip_norm(clip(lion), max_norm=2.0)+wsd"),
        ("agvm(adamw)", Recipe(clip_norm=2.0), "agvm(clip_norm(adamw, max_norm=2.0))"),
        ("adamw+linear(warmup=0.2)", ALL, "ema(clip_norm(adamw, max_norm=1.0), decay=0.99)+linear(warmup=0.2)"),
        ("adamw+autolrs", Recipe("cosine"), "adamw+autolrs"),
        ("schedulefree", ALL, "clip_norm(schedulefree, max_norm=1.0)"),
        ("ema(adamw, decay=0.5)", Recipe("cosine", ema=0.9), "ema(adamw, decay=0.5)+cosine"),
        ("clip_norm(adamw, max_norm=0.5)", ALL, "ema(clip_norm(adamw, max_norm=0.5), decay=0.99)+cosine(warmup=0.05)"),
        ("agvm(clip_norm(adamw))+wsd", Recipe(clip_norm=2.0), "agvm(clip_norm(adamw))+wsd"),
        ("agc(adamw)", Recipe(clip_norm=2.0), "clip_norm(agc(adamw), max_norm=2.0)"),
        ("adamw", Recipe("inverse-sqrt"), "adamw+inverse_sqrt"),
        ("adamw", Recipe("onecycle", 0.4), "adamw+onecycle(warmup=0.4)"),
    ],
)
def test_what_is_built(text, recipe, whole):
    found = candidate(text, recipe)
    assert found.whole.label == whole
    assert found.label == text
    assert set(found.tunables) >= {"lr"} or "autolrs" in text


def test_it_is_built_and_its_lines_make_the_same():
    found = candidate("adamw", ALL)
    tuned = {"lr": 0.01, "weight_decay": 0.1}
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    made = found.build(tuned)(model)
    assert isinstance(made, SessionController)
    assert isinstance(made.optimizer, OptimizerWrapper)
    names = {"model": model}
    exec(found.code(tuned, 40), names)
    for optimizer in (made.optimizer, names["optimizer"]):
        groups = {group["weight_decay"]: len(group["params"]) for group in optimizer.param_groups}
        assert groups == {0.1: 1, 0.0: 3}
        assert {group["ema_decay"] for group in optimizer.param_groups} == {0.99}
        assert {group["clip_norm_max_norm"] for group in optimizer.param_groups} == {1.0}
    assert "warmup=0.05)" in found.code(tuned, 40)


def test_its_settings_are_without_those_of_the_recipe():
    assert candidate("adamw", ALL).settings({"lr": 0.01, "weight_decay": 0.1}) == {"lr": 0.01, "weight_decay": 0.1}


def test_groups_by_role_go_without_decay_too():
    found = candidate("muon", Recipe(no_decay=True))
    tuned = {"lr": 0.01, "weight_decay": 0.1}
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    names = {"model": model}
    exec(found.code(tuned), names)
    for optimizer in (found.build(tuned)(model), names["optimizer"]):
        groups = {(group["role"], group["weight_decay"]) for group in optimizer.param_groups}
        assert groups == {("matrix", 0.1), ("head", 0.1), ("vector", 0.0)}


def test_a_study_that_is_kept_has_its_recipe_again():
    found = candidate("adamw", ALL)
    (again,) = candidates_again(["adamw"], {"adamw": found.definition()})
    assert again == found
    assert candidate("adamw", Recipe()).definition() == {}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_has_words(name):
    assert Recipe(name).words
    assert Recipe(name, 0.25).words.endswith("after a warm-up over 25 % of the run")


def test_the_warmup_that_a_schedule_has_by_itself_is_said():
    assert Recipe("onecycle").words == "one cycle after a warm-up over 30 % of the run"
    assert Recipe("inverse-sqrt").words == "decay as the inverse square root after a warm-up over 5 % of the run"
    assert Recipe("onecycle", 0.0).words == "one cycle"
    assert Recipe("cosine").words == "cosine decay to zero"


def test_what_somebody_gave_stands_as_it_was_given():
    made = Recipe("cosine", share_of_run("1234", 100_000), clip_norm=1234.5, ema=0.9999999)
    assert made.words == (
        "cosine decay to zero after a warm-up over 1.234 % of the run; gradients clipped to a norm of 1234.5; "
        "weights averaged with a decay of 0.9999999"
    )
    found = candidate("adamw(eps=1.23456e-07)", made, ["adamw.weight_decay=0.123456,0.5"])
    code = found.code({"lr": 0.00123456, "weight_decay": 0.123456}, 100_000)
    assert "lr=0.00123, " in code  # found within a range
    assert "weight_decay=0.123456)" in code
    assert "eps=1.23456e-07, " in code
    assert "max_norm=1234.5" in code
    assert "decay=0.9999999)" in code
    assert "warmup=0.01234)" in code


def test_a_warm_up_in_steps_is_no_longer_share_than_one_can_read():
    assert (
        Recipe("cosine", share_of_run("5", 300)).words == "cosine decay to zero after a warm-up over 1.667 % of the run"
    )


def test_whether_biases_decay_is_true_or_false():
    with pytest.raises(InputError, match="no_decay='no' must be True or False"):
        Recipe(no_decay="no")


def test_all_of_it_in_a_line():
    assert ALL.words == (
        "cosine decay to zero after a warm-up over 5 % of the run; gradients clipped to a norm of 1; weights averaged "
        "with a decay of 0.99; no weight decay of biases and norms"
    )


def test_what_a_reader_should_know():
    found = [each.expression for each in parse_candidates("adamw,lion,schedulefree,adamw+autolrs")]
    first, averages, second = ALL.remarks(found)
    assert averages == "schedulefree averages its weights itself, and has no other average."
    assert first == "schedulefree and adamw+autolrs keep their own schedules."
    assert second.startswith("Clipping shortens no step of lion: its direction is normalised")
    assert Recipe().remarks(found) == []
    assert Recipe(no_decay=True).remarks(found) == [
        first
    ]  # who is said to be trained alike is not, whatever the rest is
    clipped = [each.expression for each in parse_candidates("adamw,clip_norm(adamw, max_norm=0.5),clip_norm(sgd)")]
    assert ALL.remarks(clipped[:2]) == ["clip_norm(adamw, max_norm=0.5) clips by its own norm, and by no other."]
    assert ALL.remarks(clipped) == [
        "clip_norm(adamw, max_norm=0.5) and clip_norm(sgd) clip by their own norms, and by no other."
    ]
    assert Recipe("cosine").remarks(clipped) == []
    assert [keeps_its_schedule(each) for each in found] == [False, False, True, True]


@pytest.mark.parametrize(
    ("warmup", "steps", "share"),
    [
        ("5%", None, 0.05),
        (0.05, None, 0.05),
        ("0.25", 10, 0.25),
        (5, 20, 0.25),
        ("5", 20, 0.25),
        (0, 5, 0),
        (None, 5, None),
    ],
)
def test_a_warmup_is_a_share_or_a_number_of_steps(warmup, steps, share):
    assert share_of_run(warmup, steps) == share


@pytest.mark.parametrize(
    ("warmup", "steps", "words"),
    [
        ("5.5", 10, "a share of the run such as 5% or 0.05, or a whole number of steps"),
        ("100%", 10, "'100%' is the whole run, or more"),
        (1, 1, "a run has 1 step, and a warm-up has to end before"),
        (10, 10, "a run has 10 steps, and a warm-up has to end before"),
        (10, None, "how many steps a run has is not known here; give a share"),
        ("-1", 10, "a share of the run such as 5% or 0.05, or a whole number of steps, is needed"),
        ("soon", 10, "a share of the run such as 5%"),
        (True, 10, "a share of the run such as 5%"),
        ("nan%", 10, "a share of the run such as 5%"),
    ],
)
def test_a_warmup_that_cannot_be_is_named(warmup, steps, words):
    with pytest.raises(InputError, match=words):
        share_of_run(warmup, steps)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule": "cosin"}, "schedule='cosin': did you mean cosine"),
        ({"warmup": 1.0}, r"warmup=1.0 must lie in \[0, 1\)"),
        ({"clip_norm": 0}, r"clip_norm=0 must lie in \(0, inf\)"),
        ({"ema": 1.5}, r"ema=1.5 must lie in \(0, 1\)"),
        ({"schedule": "wsd", "warmup": 0.9}, "schedule='wsd': warmup=0.9 and decay=0.2 of the run are more than all"),
        ({"schedule": "inverse-sqrt", "warmup": 0}, "inverse-sqrt decays from the end of a warm-up"),
    ],
)
def test_what_cannot_be_is_named(settings, words):
    with pytest.raises(InputError, match=words):
        Recipe(**settings)


def test_schedules_in_a_list():
    assert schedules("none, cosine") == ["none", "cosine"]
    with pytest.raises(InputError, match="cosine is there twice"):
        schedules("cosine,cosine")
    assert schedules("constant, wsd") == ["constant", "wsd"]
    assert with_its_warmup("constant") == ("none", None)
    with pytest.raises(InputError, match="none is there twice"):
        schedules("none,constant")
    for text in ("", ",", "cosine,"):
        with pytest.raises(InputError, match="known are none, cosine, linear, wsd, onecycle, inverse-sqrt, one or sev"):
            schedules(text)
    assert schedules("none, cosine(warmup=5%)") == ["none", "cosine(warmup=5%)"]
    with pytest.raises(InputError, match="cosine is there twice"):
        schedules("cosine,cosine(warmup=5%)")


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        ("cosine", ("cosine", None)),
        ("cosine(warmup=5%)", ("cosine", "5%")),
        ("wsd( warmup = 20 )", ("wsd", "20")),
    ],
)
def test_a_warm_up_with_its_schedule(schedule, found):
    assert with_its_warmup(schedule) == found


@pytest.mark.parametrize(
    "schedule", ["cosine()", "cosine(5%)", "cosine(warmup=5%", "cosine(decay=1)", "cosine(warmup=)"]
)
def test_nothing_but_a_warm_up_stands_in_brackets(schedule):
    with pytest.raises(InputError, match=r"in brackets stands a warm-up and nothing else: cosine\(warmup=5%\)"):
        schedules(schedule)


def test_what_needs_more_than_gradients_cannot_be_clipped():
    with pytest.raises(InputError, match=r"clip_norm=1\.0 cannot go around sso: clip_norm changes the gradients"):
        candidate("sso", Recipe(clip_norm=1.0))


def test_a_candidate_moves_as_its_parts_do():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    found = candidate("sgd", Recipe(clip_norm=0.5))
    optimizer = found.build({"lr": 1.0, "weight_decay": 0.0})(model)
    before = model.weight.detach().clone()
    model.weight.grad, model.bias.grad = torch.full((2, 2), 3.0), torch.zeros(2)
    optimizer.step()
    assert (before - model.weight.detach()).norm() == pytest.approx(0.5 * 1.9, rel=1e-3)  # Nesterov's first step
