"""What the terminal shows fits it, says the same as the result, and can be pasted."""

import dataclasses
import io
import re
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from tests.report import synthetic
from tests.report.synthetic import SHAPES, comparison
from trimtab.catalog.candidates import parse_candidates
from trimtab.compare.budget import Numbers
from trimtab.compare.comparison import Comparison
from trimtab.compare.options import Options
from trimtab.compare.plan import Plan
from trimtab.compare.result import Interval
from trimtab.report import ReportPaths
from trimtab.report.console import print_dry_run, print_few_seeds, print_summary
from trimtab.report.tables import ranking_table
from trimtab.study.beside import Beside

PATHS = ReportPaths(Path("runs/digits/report.html"), Path("runs/digits/results.json"), Path("runs/digits/results.csv"))


def shown(draw, **options):
    file = io.StringIO()
    draw(Console(file=file, width=80, **options))
    return file.getvalue()


def test_the_ranking_fits_eighty_columns(result):
    text = shown(lambda console: console.print(ranking_table(result)))

    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    first = lines[1].split()
    loss = result.candidates[0].loss
    assert first[:4] == ["1", "adabelief", f"{loss.mean:.4f}", f"±{(loss.high - loss.low) / 2:.4f}"]
    assert f"helps by {result.candidates[0].against_reference.improvement:.4f}" in lines[1]
    assert "no diff. shown" in text
    assert "(reference)" in text
    assert "hurts by 0.0320" in text
    label = [re.split(r"\s\s|\s\S+ ±", line[5:])[0] for line in lines[6:]]
    assert label == ["radam(betas=(", "0.95, 0.999),", "weight_", "decay=0.01)"]


def test_names_end_a_line_only_where_their_parts_do_and_the_least_needed_columns_make_room():
    text = shown(lambda console: console.print(ranking_table(synthetic.pruned())))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "against lamp" in lines[0]
    assert [line.split(" ")[-1] for line in (lines[0], lines[1])] == ["s/run", "7.88"]
    assert [line[5:16].strip() for line in lines[3:]] == [
        "mine.py:my_",
        "pruning",
        "mine.py:my_",
        "pruning(",
        "first=0.8)",
    ]
    long = synthetic.pruned(("a_transform_with_a_long_name", "other.py:another_long_name(first=0.8)"))
    lines = shown(lambda console: console.print(ranking_table(long))).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[-4:] == ["against", "a_transform…", "stored", "s/run"]
    words = "".join(line[5:].split(" ")[0] for line in lines[1:])
    assert words == "a_transform_with_a_long_nameother.py:another_long_name(first=0.8)"
    assert all(line[5:].split(" ")[0][-1] in "_(:e)" for line in lines[1:])
    wide = synthetic.pruned(("reference_candidate", "my.py:constellation(unstructured=0.8)"))
    lines = shown(lambda console: console.print(ranking_table(wide))).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[-3:] == ["against", "reference_c…", "stored"]  # and no seconds a run


def test_several_problems_have_their_rankings_the_scores_and_the_places_of_all_reports(over_problems):
    paths = ReportPaths(Path("o/report.html"), Path("o/results.json"), None, {"digits": PATHS, "diabetes": PATHS})

    text = shown(lambda console: print_summary(console, over_problems, paths))

    assert max(map(len, text.splitlines())) <= 80
    for sentence in over_problems.conclusion:
        assert sentence in " ".join(text.split())
    lines = [line.split() for line in text.splitlines()]
    assert ["lion", "0.56", "2.00", "×", "1.00", "×", "never"] in lines
    assert sum(line[:2] == ["1", "adabelief"] for line in lines) == 3
    assert ["digits", "runs/digits/report.html"] in lines
    assert ["report", "o/report.html"] in lines


def test_what_is_kept_and_left_out_is_said_before_the_ranking(result, over_problems):
    words = "Kept, and not shown here: sgd and 2 more seeds. Name them as well and give --seeds 4 to have all of it."
    paths = ReportPaths(Path("o/report.html"), Path("o/results.json"), None, {"digits": PATHS})
    for found in (result, over_problems):
        more = dataclasses.replace(found, beside=Beside((), ("sgd",), 2, 4))
        text = " ".join(shown(lambda console, more=more: print_summary(console, more, paths)).split())
        assert words in text
        assert text.index("Kept") < text.index("candidate")
        assert "Kept" not in shown(lambda console, found=found: print_summary(console, found, paths))


def test_brackets_are_not_markup():
    result = comparison((SHAPES[3], dataclasses.replace(SHAPES[0], label="lion(b=[red])")), broken=())

    assert "lion(b=[red])" in shown(lambda console: print_summary(console, result, PATHS))


def test_the_summary_has_the_conclusion_the_code_and_the_place_of_the_report(result):
    text = shown(lambda console: print_summary(console, result, PATHS))

    for sentence in result.conclusion:
        assert sentence in " ".join(text.split())
    assert result.candidates[0].code in text
    assert result.candidates[1].code in text  # lion shares the first rank
    assert result.candidates[2].code not in text
    assert "runs/digits/report.html" in text
    assert "sgd: the best lr is the most extreme that was tried" in text
    assert "\x1b" not in text


def test_lines_of_a_candidate_whose_seeds_differ_widely_come_last_and_say_so(result):
    first, *others = result.candidates
    assert not first.erratic
    assert "says little" not in shown(lambda console: print_summary(console, result, PATHS))
    result = dataclasses.replace(result, candidates=(dataclasses.replace(first, erratic=True), *others))

    text = shown(lambda console: print_summary(console, result, PATHS))

    assert f"# {first.label}, rank 1?: its seeds differ so much that this says little\n{first.code}" in text
    assert text.index(f"# {others[0].label}, rank 1\n") < text.index(f"# {first.label}, rank 1?")


def test_long_lines_of_code_and_long_paths_stay_in_one_piece(result):
    code = f"optimizer = Lion(model.parameters(), {', '.join(f'setting{i}={i}' for i in range(12))})"
    first = dataclasses.replace(result.candidates[0], code=code)
    result = dataclasses.replace(result, candidates=(first, *result.candidates[1:]))
    paths = dataclasses.replace(PATHS, page=Path("runs") / ("long" * 30) / "report.html")

    text = shown(lambda console: print_summary(console, result, paths))

    assert code in text
    assert str(paths.page) in text


def test_only_a_few_of_many_that_share_the_first_rank_are_printed():
    result = comparison(
        tuple(dataclasses.replace(SHAPES[3], label=f"c{i}") for i in range(5)), broken=(), reference="c0"
    )
    result = dataclasses.replace(result, candidates=tuple(dataclasses.replace(c, rank=1) for c in result.candidates))

    text = shown(lambda console: print_summary(console, result, PATHS))

    assert text.count("optimizer = ") == 3
    assert "2 more share the first rank" in text


@pytest.mark.parametrize("name", ["lonely", "unfinished"])
def test_summaries_of_what_is_nearly_empty(name, request):
    result = request.getfixturevalue(name)

    text = shown(lambda console: print_summary(console, result, PATHS))

    assert result.conclusion[0] in " ".join(text.split())
    assert "None" not in text
    assert max(map(len, text.splitlines())) <= 80


def with_errors(result, *errors):
    trials = tuple(
        dataclasses.replace(trial, status="failed", error=errors[i % len(errors)])
        for i, trial in enumerate(result.trials)
    )
    return dataclasses.replace(result, trials=trials)


def test_where_every_trial_failed_the_last_line_is_the_reason(result, over_problems):
    one = with_errors(result, "Traceback:\nFileNotFoundError: no [data] in /d")
    text = shown(lambda console: print_summary(console, one, PATHS))
    assert text.splitlines()[-1] == "FileNotFoundError: no [data] in /d"
    assert f"Every trial failed. This is how {result.trials[0].candidate} ended with seed 0:" in text

    some = with_errors(result, "KeyError: 'x'", "KeyError: 'x'", "OSError: full")
    lines = shown(lambda console: print_summary(console, some, PATHS)).splitlines()
    assert (lines[-1], "OSError: full" in lines) == ("KeyError: 'x'", True)

    problems = {name: with_errors(found, "KeyError: 'y'") for name, found in over_problems.problems.items()}
    paths = ReportPaths(Path("o/report.html"), Path("o/results.json"), None, {"digits": PATHS})
    several = dataclasses.replace(over_problems, problems=problems)
    assert shown(lambda console: print_summary(console, several, paths)).splitlines()[-1] == "KeyError: 'y'"


def test_the_plan_fits_eighty_columns_and_counts_the_trials(monkeypatch, tmp_path):
    monkeypatch.setattr(Comparison, "estimate", lambda _: Numbers(12, 10, 3800.0))
    candidates = "sgd,adamw(weight_decay=0.1, betas=(0.9, 0.95))"
    made = Comparison("digits", candidates, tmp_path, trials=12, seeds=10, steps=200, jobs=2)

    text = shown(lambda console: print_dry_run(console, made))

    assert max(map(len, text.splitlines())) <= 80
    assert "60 runs of 12,800 sample-gradients, 12 settings once, the best 4 with 2 " in text
    assert "further seeds, final runs on 10 fresh seeds; 2 at a time" in text
    assert text.split()[:3] == ["candidate", "runs", "tuned"]
    assert "Recipe" not in text
    assert "trained alike" not in text
    assert "About 1 h 3 min with 2 workers. Nothing was run." in text


def test_the_plan_of_one_setting_has_no_further_seeds(monkeypatch, tmp_path):
    monkeypatch.setattr(Comparison, "estimate", lambda _: Numbers(1, 2, 3800.0))
    made = Comparison("digits", "sgd,adamw", tmp_path, trials=1, seeds=2, steps=200)
    assert "6 runs of 12,800 sample-gradients, 1 setting once, final runs on 2 fresh" in shown(
        lambda console: print_dry_run(console, made)
    )


def test_the_plan_names_who_is_trained_otherwise(monkeypatch, tmp_path):
    monkeypatch.setattr(Comparison, "estimate", lambda _: Numbers(1, 2, 3800.0))
    recipe = {"ema": 0.9, "schedule": "cosine"}
    made = Comparison("diabetes", "adamw,ema(adamw),schedulefree", tmp_path, trials=1, seeds=2, steps=20, **recipe)

    text = " ".join(shown(lambda console: print_dry_run(console, made)).split())

    assert "All candidates are trained alike: cosine decay to zero; weights averaged with a decay of 0.9." in text
    assert "schedulefree keeps its own schedule." in text
    assert "ema(adamw) and schedulefree average their weights themselves, and have no other average." in text


def test_a_lopsided_interval_is_shown_by_its_ends():
    result = comparison(SHAPES[:3], broken=(), reference="lion")
    loss = Interval(0.0207, 0.0083, 0.0541)
    candidates = (dataclasses.replace(result.candidates[0], loss=loss), *result.candidates[1:])

    text = shown(lambda console: console.print(ranking_table(dataclasses.replace(result, candidates=candidates))))

    assert "0.0207 0.0083–0.0541" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        (1, "With one seed no difference can be shown"),
        (2, "only if it is 12 times its standard deviation"),
        (3, None),
    ],
)
def test_so_few_seeds_come_with_a_warning(seeds, said):
    class Part:
        plan = Plan("toy", "hash", tuple(parse_candidates("adamw,lion")), trials=4, seeds=seeds, budget=1000)

    class Made:
        chosen = True
        parts: ClassVar = {"toy": Part}
        options = Options()

    text = " ".join(shown(lambda console: print_few_seeds(console, Made)).split())

    assert text == "" if said is None else said in text
    Made.chosen = False
    assert shown(lambda console: print_few_seeds(console, Made)) == ""


@pytest.mark.parametrize(("alone", "times"), [(False, "4.4"), (True, "3.6")])
def test_fewer_pairs_need_smaller_differences(alone, times):
    class Part:
        plan = Plan("toy", "hash", tuple(parse_candidates("adamw,lion,sgd,nadam")), trials=4, seeds=2, budget=1000)

    class Made:
        chosen = True
        parts: ClassVar = {"toy": Part}
        options = Options(against_reference=alone)

    assert f"only if it is {times} times" in " ".join(shown(lambda console: print_few_seeds(console, Made)).split())


def test_why_trials_of_a_candidate_failed_is_said_in_a_line(result, over_problems):
    error = "Traceback\n  somewhere\nRuntimeError: boom " + "o" * 200
    first = next(i for i, trial in enumerate(result.trials) if trial.candidate == "lion")
    trials = list(result.trials)
    trials[first] = dataclasses.replace(trials[first], status="failed", error=error)
    found = dataclasses.replace(result, trials=tuple(trials))
    line = "lion: its first error was RuntimeError: boom oooo"
    text = " ".join(shown(lambda console: print_summary(console, found, PATHS)).split())
    assert line in text
    assert "o" * 200 not in text.replace(" ", "")
    assert line not in " ".join(shown(lambda console: print_summary(console, result, PATHS)).split())
    several = dataclasses.replace(over_problems, problems={**over_problems.problems, "digits": found})
    paths = ReportPaths(Path("o/report.html"), Path("o/results.json"), None, {"digits": PATHS})
    assert line in " ".join(shown(lambda console: print_summary(console, several, paths)).split())
