"""What the site says of the whole field."""

import importlib.util
import json
import re
import statistics
import sys
from pathlib import Path

import field as benchmark
import pytest

from tests.docs.test_tables import DOCS


@pytest.fixture(scope="module")
def field():
    spec = importlib.util.spec_from_file_location("field_page", DOCS / "field.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def candidate(label, losses, **more):
    return {"label": label, "losses": losses, "winners_curse": 0.5, "trouble": {}, "note": "", **more}


def facts(**losses):
    protocol = {"trials": 16, "tuning_seeds": 3, "seeds": 4, "steps": 100}
    return {"protocol": protocol, "candidates": [candidate(label, found) for label, found in losses.items()]}


BASE = [1.0, 1.1, 0.9, 1.05]
NOISE = [0.001, -0.001, 0.002, -0.002]
BETTER, WORSE = ([base + by + noise for base, noise in zip(BASE, NOISE, strict=True)] for by in (-0.5, 0.5))
SAME = [base + 5 * noise for base, noise in zip(BASE, NOISE, strict=True)]
TASKS = {
    "digits": {
        "environment": {"date": "2026-01-02", "processor": "a processor", "torch": "2"},
        "schedules": [
            facts(adamw=BASE, lion=BETTER, sgd=WORSE),
            facts(adamw=BASE, lion=WORSE, sgd=[None, *WORSE[1:]]),
        ],
    },
    "wine": {
        "environment": {"date": "2026-01-03", "processor": "a processor", "torch": "2"},
        "schedules": [facts(adamw=BASE, lion=SAME, sgd=BETTER), facts(adamw=BASE, lion=WORSE, sgd=BETTER)],
    },
}


@pytest.fixture
def found(field):
    return field.read(TASKS)


def test_all_tasks_stand_under_the_first_schedule_and_then_under_the_next(found):
    assert [(each.task, each.schedule) for each in found] == [
        ("digits", "constant"), ("wine", "constant"), ("digits", "cosine"), ("wine", "cosine"),
    ]  # fmt: skip


def test_effects_are_in_standard_deviations_between_seeds(found):
    first = found[0]
    spread = statistics.median(statistics.stdev(losses) for losses in (BASE, BETTER, WORSE))
    assert first.spread == spread
    assert first.effect("lion") == pytest.approx(0.5 / spread)
    assert first.effect("sgd") == pytest.approx(-0.5 / spread)
    assert [first.role(label) for label in ("adamw", "lion", "sgd")] == ["reference", "helps", "hurts"]
    assert found[1].role("lion") == "same"
    assert found[2].effect("sgd") is None
    assert found[2].role("sgd") == "unranked"


def test_who_is_better_most_often(field, found):
    assert field.summary(found) == (
        "**In short.** Most often shown to be better than AdamW: at a constant rate `sgd` and `lion` (on 1 of 2 "
        "tasks); with cosine `sgd` (on 1 of 2 tasks). Never shown to be worse: nobody."
    )


def test_a_sentence_on_each(field, found):
    assert field.sentence(found, "lion").startswith(
        "At a constant rate it helps on digits and shows nothing on 1 task; with cosine it hurts on digits and wine. "
        "The median effect is -"
    )
    assert field.sentence(found, "sgd").startswith(
        "At a constant rate it helps on wine and hurts on digits; with cosine it helps on wine and could not be ranked "
        "on digits."
    )


def test_a_candidate_may_not_have_been_run_everywhere(field):
    tasks = TASKS | {"wine": TASKS["wine"] | {"schedules": [facts(adamw=BASE, sgd=BETTER)] * 2}}
    found = field.read(tasks)
    assert found[1].role("lion") == "not run"
    assert field.sentence(found, "lion").startswith(
        "At a constant rate it helps on digits and has not been run on wine; with cosine it hurts on digits and has "
        "not been run on wine."
    )
    assert sum(len(trace.x) for trace in field.figure(found).data) == 6
    assert "| `lion` |" not in field.details(found, "wine")
    assert field.not_run(found)[-1] == "Not run yet on `wine`: `lion`."
    assert [each for each in field.not_run(field.read(TASKS)) if "wine" in each] == []
    assert field.ordered(field.read(dict(reversed(tasks.items())))) == field.ordered(found)


def run_of(trials, **rows):
    return {"problem": "digits", "recipe": "", "protocol": {"trials": trials}, "candidates": [
        {"label": label, "losses": losses} for label, losses in rows.items()
    ]}  # fmt: skip


def test_candidates_that_are_run_alone_take_the_place_of_their_rows():
    there = [run_of(8, adamw=[1.0], lion=[2.0]), run_of(8, adamw=[3.0], lion=[4.0])]
    found = [run_of(8, adamw=[1.0], lion=[5.0], muon=[6.0]), run_of(8, adamw=[3.0], lion=[7.0], muon=[8.0])]
    assert benchmark.merged(there, found) == found
    assert benchmark.merged(there, [run_of(8, adamw=[1.0], muon=[6.0]), run_of(8, adamw=[3.0], muon=[8.0])]) == [
        run_of(8, adamw=[1.0], lion=[2.0], muon=[6.0]), run_of(8, adamw=[3.0], lion=[4.0], muon=[8.0]),
    ]  # fmt: skip


def test_rows_of_another_protocol_do_not_stand_beside_new_ones():
    found = [run_of(16, adamw=[1.0], muon=[6.0])]
    assert benchmark.merged([run_of(8, adamw=[1.0], lion=[2.0])], found) == found
    assert benchmark.merged([run_of(16, adamw=[1.0], lion=[2.0])] * 2, found) == found


def test_only_our_methods_have_a_sentence(field, found):
    lines = field.ours(found).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("* **[Lion](methods/lion.md)**. At a constant rate")


def test_the_order_is_that_of_the_median_effect(field, found):
    assert field.ordered(found) == ["sgd", "adamw", "lion"]
    rows = field.in_short(found).splitlines()[2:]
    assert [row.split(" | ")[:3] for row in rows] == [["| `sgd`", "1", "1"], ["| `lion`", "1", "0"]]


def test_the_winners_curse_is_a_mean_over_candidates(field, found):
    assert field.winners_curse(found).splitlines()[2:] == [
        "| `digits` | 3 | 0.50 (median 0.50) | 0.50 (median 0.50) |",
        "| `wine` | 3 | 0.50 (median 0.50) | 0.50 (median 0.50) |",
    ]


def test_a_figure_has_a_mark_for_each_candidate_but_the_reference(field, found):
    drawn = field.figure(found)
    assert sum(len(trace.x) for trace in drawn.data) == 8
    assert list(drawn.layout.xaxis.ticktext) == ["digits", "wine", "digits", "wine"]


def test_what_was_run_is_in_the_page(field):
    tasks = json.loads(Path(field.FACTS).read_text(encoding="utf-8"))["tasks"]
    page = field.field()
    assert [task for task in tasks if f'??? note "{task}"' not in page] == []
    text = (DOCS / field.PAGE).read_text(encoding="utf-8")
    assert page in field.filled(text)
    assert re.search(r"\*\*\[Lion\]\(methods/lion\.md\)\*\*", page)


def test_the_page_knows_the_tasks_of_the_benchmark(field):
    assert tuple(benchmark.TASKS) == field.TASKS


def test_all_optimizers_of_the_catalogue_take_part():
    found = benchmark.everybody()
    assert {"adamw", "lion", "muon", "clip(adamw)", "ema(adamw)"} <= set(found)
    assert not {"cosine", "autolrs", "cosine(adamw)", "ema"} & set(found)


@pytest.mark.parametrize("text", ["", "<!-- field -->"])
def test_a_page_without_its_markers_ends_the_build(field, text):
    with pytest.raises(ValueError, match=r"which-optimizer\.md must have <!-- field --> and <!-- /field -->"):
        field.filled(text)


def test_nothing_is_said_of_what_was_not_run(field, tmp_path, monkeypatch):
    monkeypatch.setattr(field, "FACTS", tmp_path / "none.json")
    assert field.field() == "Not run yet: `python benchmarks/field.py` does, in hours."
