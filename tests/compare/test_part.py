"""Problems that are posed with a recipe around every candidate."""

import re

import pytest

from trimtab import CommandProblem
from trimtab.compare.comparison import Comparison
from trimtab.compare.stored import load_any
from trimtab.report.console import print_summary
from trimtab.report.page import render_page
from trimtab.study.errors import InputError, StudyMismatchError

SMALL = {"trials": 1, "seeds": 2, "steps": 20, "jobs": 1}


def test_several_schedules_are_compared_side_by_side(tmp_path):
    recipe = {"schedule": "none,cosine", "warmup": 5, "clip_norm": 1.0}
    comparison = Comparison("diabetes", "adamw,muon,schedulefree", tmp_path, **SMALL, **recipe)
    result = comparison.run()
    assert list(result.problems) == ["diabetes", "diabetes+cosine"]
    plain, decayed = result.problems.values()
    assert (
        plain.problem.recipe == "a constant rate after a warm-up over 25 % of the run; gradients clipped to a norm of 1"
    )
    assert decayed.problem.recipe.startswith("cosine decay to zero after a warm-up over 25 % of the run; ")
    words = dict(decayed.problem.paragraphs)["Recipe"]
    assert words.startswith("All candidates are trained alike: cosine decay to zero")
    assert "schedulefree keeps its own schedule." in words
    assert "Clipping shortens no step of muon" in words
    assert "Of the parameters, muon moves 320 by Muon and 65 by AdamW." in words
    ends = [{c.label: c.final_losses for c in found.candidates} for found in (plain, decayed)]
    assert ends[0]["schedulefree"] == ends[1]["schedulefree"]
    assert ends[0]["adamw"] != ends[1]["adamw"]
    code = next(c.code for c in decayed.candidates if c.label == "adamw")
    assert "NormClip(torch.optim.AdamW(" in code
    assert "cosine_with_warmup(optimizer, total_steps, warmup=0.25)" in code
    assert load_any(tmp_path) == result
    page = render_page(decayed)
    assert "<dt>recipe</dt>" in page
    assert "cosine decay to zero after a warm-up" in page

    again = Comparison("diabetes", "adamw,muon,schedulefree", tmp_path, **SMALL, **{**recipe, "clip_norm": 2.0})
    with pytest.raises(
        StudyMismatchError, match=r"the recipe is warmup=25% \(5 steps\) clip_norm=1.0 there, .* clip_norm=2.0 here"
    ):
        again.run()


def test_one_schedule_has_a_warm_up_of_its_own(tmp_path):
    recipe = {"schedule": "none,cosine(warmup=5),linear", "warmup": "10%"}
    comparison = Comparison("diabetes", "adamw", tmp_path, **SMALL, **recipe)

    assert list(comparison.parts) == ["diabetes", "diabetes+cosine", "diabetes+linear"]
    assert [part.facts.recipe for part in comparison.parts.values()] == [
        "a constant rate after a warm-up over 10 % of the run",
        "cosine decay to zero after a warm-up over 25 % of the run",
        "linear decay to zero after a warm-up over 10 % of the run",
    ]
    with pytest.raises(InputError, match="warmup='20': a run has 20 steps"):
        Comparison("diabetes", "adamw", tmp_path, **SMALL, schedule="none,cosine(warmup=20)")
    with pytest.raises(InputError, match="warmup='1%': a run has 20 steps, and that is not one of them"):
        Comparison("diabetes", "adamw", tmp_path, **SMALL, schedule="cosine", warmup="1%")


def test_a_rate_decays_as_the_recipe_says(tmp_path):
    result = Comparison("diabetes", "adamw", tmp_path, **SMALL, schedule="linear", no_decay=True, ema=0.9).run()
    assert result.problem.name == "diabetes+linear"
    trace = next(dict(map(tuple, t.traces["learning rate"])) for t in result.trials if t.phase == "final")
    rates = list(trace.values())
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(rates[0] / 20)
    assert "EMA(torch.optim.AdamW(parameter_groups(model, weight_decay=" in result.candidates[0].code


@pytest.mark.parametrize(
    ("problem", "options", "words"),
    [
        ("branin", {"schedule": "cosine"}, "schedule='cosine' is for training runs: branin compares samplers"),
        ("branin", {"no_decay": True}, "no_decay=True is for training runs"),
        (
            "diabetes",
            {"schedule": "cosine", "warmup": 100},
            "warmup=100: a run has 100 steps, and a warm-up has to end",
        ),
        ("diabetes", {"schedule": "cosine", "warmup": 20, "steps": 20}, "warmup=20: a run has 20 steps"),
        ("diabetes", {"schedule": "step"}, "schedule='step': "),
        ("diabetes", {"clip_norm": 1.0, "candidates": "adamw,sso"}, "cannot go around sso"),
        ("diabetes", {"warmup": "50", "schedule": "none,cosine", "steps": 50}, "a run has 50 steps"),
    ],
)
def test_what_cannot_be_is_named_before_anything_runs(problem, options, words, tmp_path):
    candidates = options.pop("candidates", None)
    with pytest.raises(InputError, match=words):
        Comparison(problem, candidates, tmp_path, **options)


def test_a_terminal_says_the_recipe(tmp_path, capsys):
    from rich.console import Console

    from trimtab.report import write_all

    result = Comparison("diabetes", "adamw", tmp_path, **SMALL, clip_norm=1.0).run()
    print_summary(Console(width=100), result, write_all(result, tmp_path))
    assert (
        "All candidates are trained alike: a constant rate; gradients clipped to a norm of 1."
        in capsys.readouterr().out
    )


OWN = """
from trimtab.lab.tasks.tabular import Diabetes


class Mine(Diabetes):
    name = "mine"
    recipe = {recipe}
"""


def test_a_task_may_bring_its_recipe_and_options_say_otherwise(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(OWN.format(recipe={"schedule": "cosine", "warmup": 10, "clip_norm": 1.0}))
    own = Comparison(f"{path}:Mine", "adamw", tmp_path / "own", **SMALL)
    assert list(own.parts) == ["mine"]
    words = own.first.facts.recipe
    assert words == "cosine decay to zero after a warm-up over 50 % of the run; gradients clipped to a norm of 1"
    other = Comparison(f"{path}:Mine", "adamw", tmp_path / "other", **SMALL, schedule="none,linear", clip_norm=2.0)
    assert list(other.parts) == ["mine", "mine+linear"]
    first, second = (part.facts.recipe for part in other.parts.values())
    assert first == "a constant rate after a warm-up over 50 % of the run; gradients clipped to a norm of 2"
    assert second.startswith("linear decay to zero after a warm-up over 50 %")


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"dropout": 0.1}, "'dropout' is none of schedule, warmup, clip_norm, ema, no_decay"),
        ("cosine", "a dictionary such as {'schedule': 'cosine', 'warmup': 0.05} is needed"),
        (["cosine"], "a dictionary such as"),
        (None, "a dictionary such as"),
        ({"schedule": "cosin"}, "schedule='cosin': did you mean cosine"),
        ({"schedule": None}, "schedule=None: a text is needed"),
        ({"warmup": 20}, "warmup=20"),
    ],
)
def test_a_recipe_of_something_else_is_refused(tmp_path, recipe, message):
    path = tmp_path / "mine.py"
    path.write_text(OWN.format(recipe=repr(recipe)))
    with pytest.raises(InputError, match=re.escape(f"recipe={recipe!r}, which the problem has: {message}")):
        Comparison(f"{path}:Mine", "adamw", tmp_path / "out", **SMALL)


def test_averages_of_a_short_run_are_named(tmp_path):
    part = Comparison("diabetes", "adamw", tmp_path, **SMALL, ema=0.99).first
    (words,) = [text for title, text in part.facts.paragraphs if title == "Recipe"]
    assert "to 0.69 in a run of 20: that of the recipe is never reached" in words


def test_a_study_does_not_go_on_with_another_schedule(tmp_path):
    Comparison("diabetes", "adamw", tmp_path, **SMALL, schedule="linear").run()
    with pytest.raises(StudyMismatchError, match=r"another problem, diabetes\+linear, and not diabetes\+cosine"):
        Comparison("diabetes", "adamw", tmp_path, **SMALL, schedule="cosine").run()


def test_ranges_go_on_but_those_that_somebody_has_typed(tmp_path):
    part = Comparison("digits", "adam,adamw,clip(adam)", tmp_path, tune=["adam.lr=1e-4..1e-2:log"]).first
    both = ("lr", "weight_decay")
    assert part.plan.goes_on == {"adam": ("weight_decay",), "adamw": both, "clip(adam)": ("weight_decay",)}
    commands = CommandProblem("sh -c {optimizer} {lr} {seed}", metric="loss")
    part = Comparison(commands, "adam,nadam", tmp_path, tune=["adam.lr=1e-4..1e-2:log"]).first
    assert part.plan.goes_on == {"adam": (), "nadam": ("lr",)}


def test_a_command_keeps_the_ranges_of_the_catalogue_that_it_was_begun_with(tmp_path):
    commands = CommandProblem("sh -c {optimizer} {lr} {seed}", metric="loss")
    part = Comparison(commands, "adam,nadam", tmp_path, tune=["adam.lr=1e-4..1e-2:log"]).first
    known = part.annotation({})["definitions"]
    before = {label: {**known[label], "ranges": {"lr": "0.001..0.5:log"}} for label in known}
    with pytest.raises(StudyMismatchError, match=r"adam: lr is 0\.001\.\.0\.5:log there, 1e-4\.\.1e-2:log here"):
        part.annotation({"definitions": before})
    kept = part.annotation({"definitions": {"nadam": before["nadam"]}})["definitions"]
    assert kept["nadam"]["ranges"] == {"lr": "0.001..0.5:log"}
