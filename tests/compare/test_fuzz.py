"""Every public argument of comparisons, given arbitrary values; what is written can be read again."""

import contextlib
import inspect
import json
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.testing import CliRunner

import trimtab.catalog
import trimtab.compare
import trimtab.diagnose
from tests.fuzzing import (
    Call,
    anything,
    check_argument,
    fuzz,
    is_interface,
    names,
    never,
    public_objects,
    texts,
    unclear,
)
from tests.lab.test_fuzz import flag, optional, plain_text, seconds, whole
from trimtab.catalog import entries
from trimtab.catalog.candidates import parse_candidates
from trimtab.catalog.command_candidates import named_commands
from trimtab.catalog.commands import CommandCandidate
from trimtab.catalog.ranges import parse_range, parse_tunes, range_text
from trimtab.cli import app
from trimtab.compare.budget import parse_duration
from trimtab.compare.building import build_comparison
from trimtab.compare.comparison import Comparison
from trimtab.compare.frames import read
from trimtab.compare.imported.outcomes import analyse
from trimtab.compare.options import Options
from trimtab.compare.pairs import compare_losses
from trimtab.compare.plan import Plan
from trimtab.compare.stored import load_any
from trimtab.compare.template import write_template
from trimtab.diagnose.diagnosis import LONGEST, Diagnosis
from trimtab.lab.commands.template import Command, Template
from trimtab.lab.tasks.digits import Digits
from trimtab.study.checks import MANY, MANY_WORKERS
from trimtab.study.errors import InputError, NoStudyError
from trimtab.study.lease import Limits
from trimtab.study.tunable import Choice, LogUniform, Uniform

LINE = f"{sys.executable} -c 'print(1)' {{optimizer}} {{lr}} {{seed}}"
ADAMW = tuple(parse_candidates("adamw"))
PRUNERS = ("median", "successive-halving")
limits = optional(lambda value: isinstance(value, Limits))


def one_of(*allowed):
    return optional(lambda value: isinstance(value, str) and value in allowed)


def not_given(value):
    return value is None or value is False or value == []


def a_device(value):
    return isinstance(value, str) and value in ("cpu", "cpu:0")


SHARED = {
    "out": unclear, "trials": whole(1, MANY), "reference": one_of("adamw", "lion"), "pruner": one_of(*PRUNERS),
    "jobs": optional(whole(1, MANY_WORKERS)), "store": unclear, "limits": limits,
    "executor": lambda value: isinstance(value, str) and value in ("local", "ray"), "ray_address": optional(never),
    "device": a_device, "against_reference": flag, "race": flag, "no_decay": flag, "schedule": unclear,
    "warmup": unclear, "clip_norm": unclear, "ema": unclear,
}  # fmt: skip


def template_in(path="mine.py", slot="optimizer"):
    if isinstance(path, str):  # whatever is tried, it stays in a directory of its own
        with tempfile.TemporaryDirectory() as directory:
            write_template(f"{directory}/{path.replace('..', '_').lstrip('/')}", slot)
    else:
        write_template(path, slot)


def comparison(**given):
    made = Comparison(**{"problems": "digits", "candidates": "sgd(lr=0.1)", "trials": 1, **given})
    assert made.first.plan.total_trials >= 1
    return made


def read_problem(place="nowhere", problem=None):
    """There is nothing to be read; what is wrong with the name of a problem is said before that."""
    try:
        read(place, problem)
    except NoStudyError:
        if not (problem is None or plain_text(problem)):
            raise
        raise InputError(f"place={place!r}, problem={problem!r}: nothing is there") from None


def one_seed(value):
    return value is None or (isinstance(value, tuple) and len(value) == 1 and type(value[0]) is int)


def no_problems(value):
    return isinstance(value, list | tuple | dict | set | range) and not value


def over_problems(**given):
    made = Comparison(**{"problems": ["digits", "breast-cancer"], "candidates": "sgd(lr=0.1)", "trials": 1, **given})
    assert made.points({})
    return made


BUILT = {
    "problems": [], "candidates": "adamw", "command": LINE, "own_commands": [], "takeover": 60.0, "patience": 60.0,
    "options": {"tune": ["lr=1e-3..1:log"]}, "for_commands": {"metric": "loss"},
}  # fmt: skip

RUNS = [
    {"candidate": name, "problem": "p", "seed": seed, "score": seed, "cost": 1, "curve": f"0:1;1:{seed}"}
    for name in ("a", "b")
    for seed in range(2)
]

CALLS = {
    "budget:parse_duration": Call(parse_duration, {}, {"text": unclear}),
    "pairs:compare_losses": Call(
        compare_losses, {"losses": {"a": [1.0, 2.0, 4.0], "b": [2.0, 2.5, 3.0]}},
        {"losses": unclear, "reference": optional(one_of("a", "b")), "unpaired": flag},
    ),
    "imported.outcomes:analyse": Call(
        analyse, {"source": RUNS, "direction": "max"},
        {"source": unclear, "direction": lambda value: isinstance(value, str) and value in ("max", "min"),
         **{column: one_of(column) for column in ("candidate", "seed", "score")},
         **{column: one_of(column, "") for column in ("problem", "cost", "curve")},
         "metric_name": unclear, "reference": one_of("a", "b"), "against_reference": flag, "unpaired": flag,
         "where": unclear},
    ),
    "frames:read": Call(read_problem, {}, {"place": unclear, "problem": never}),
    "building:build_comparison": Call(
        build_comparison,
        BUILT,
        {"problems": no_problems, "candidates": unclear, "target": optional(never), "command": unclear,
         "own_commands": unclear,
         "takeover": seconds(0.1, 1e6), "patience": seconds(0, float("inf"))},
    ),
    "catalog.candidates:parse_candidates": Call(
        parse_candidates, {"text": "adamw"}, {"text": unclear, "tune": unclear}
    ),
    "catalog.command_candidates:named_commands": Call(
        named_commands, {"names": "a", "own": []}, {"names": unclear, "own": unclear}
    ),
    "catalog.ranges:parse_tunes": Call(parse_tunes, {}, {"texts": unclear}),
    "catalog.ranges:parse_range": Call(parse_range, {}, {"text": unclear}),
    "catalog.ranges:range_text": Call(range_text, {}, {"tunable": never}),
    "comparison:Comparison": Call(
        comparison,
        {},
        {**SHARED, "reference": one_of("sgd(lr=0.1)"), "problems": unclear, "candidates": unclear,
         "target": optional(never), "options": optional(never), "trials": optional(whole(1, MANY)),
         "seeds": optional(whole(1, MANY)), "steps": optional(whole()),
         "budget": unclear, "tune": unclear},
    ),
    "diagnose.diagnosis:Diagnosis": Call(
        Diagnosis,
        {"task": "breast-cancer", "candidates": "sgd(lr=0.1)"},
        {"task": unclear, "candidates": unclear, "along": unclear, "steps": optional(whole(1, LONGEST)),
         "points": whole(1, MANY), "batches": whole(1, 11), "seed": whole(0)},
    ),
    "plan:Plan": Call(
        Plan,
        {"problem": "toy", "fingerprint": "", "candidates": ADAMW, "trials": 1, "seeds": 1},
        {"problem": unclear, "fingerprint": plain_text, "candidates": never, "trials": whole(1, MANY),
         "seeds": whole(1, MANY), "budget": optional(whole()), "pruning": optional(plain_text), "definition": unclear,
         "final_seeds": one_seed, "race": optional(never), "tuning_seeds": whole(1, 1000), "goes_on": unclear,
         "ranges": unclear},
    ),
    "options:Options": Call(
        Options,
        {},
        {**SHARED, "trials": optional(whole(1, MANY)), "reference": optional(plain_text),
         "seeds": optional(whole(1, MANY)), "steps": optional(whole()), "budget": unclear, "tune": unclear,
         "tuning_seeds": optional(whole(1, 1000))},
    ),
    "stored:load_any": Call(load_any, {"out": "nowhere"}, {"out": never, "store": never}),
    "template:write_template": Call(template_in, {}, {"path": unclear, "slot": unclear}),
}  # fmt: skip

LEFT_OUT = {
    "made by trimtab alone, from what was checked": {
        "race:Departure", "race:Race", "race:Terms", "result:RaceResult",
        "work:Work", "part:Part", "candidate_analysis:Judged", "posing:Posed", "asking:Asked", "sizing:Sizing",
        "result:Interval", "result:Pair", "result:CandidateResult", "result:TrialResult",
        "result:Protocol", "result:ComparisonResult", "budget:Budget", "prices:Price", "budget:Numbers",
        "deadline:Deadline", "deadline:Smallest",
        "frames:Frames", "over_problems.result:CandidateProfile", "over_problems.result:ResultOverProblems",
        "over_problems.places:Places",
        "target:Target", "diagnose.result:Measurement",
        "within:Within", "catalog.listing:Listed",
        "imported.table:Row", "imported.table:Table", "imported.conditions:Condition",
        "imported.columns:Columns", "imported.runs:ImportedRun", "imported.outcomes:ImportedCandidate",
        "diagnose.result:DiagnosisResult", "bounds:Ranges", "cautions:Standing", "advice:Advice",
        "tuning:Extension", "tuning:Tuning", "tuning:Standing",
    },
    "called by trimtab alone, with objects of its own": {
        "analysis:analyse", "cautions:few_seeds", "cautions:late_rise", "cautions:named",
        "cautions:not_before", "cautions:seedless", "cautions:warning", "conclusion:conclude",
        "cautions:gone_on", "cautions:alike", "cautions:doubles_in_words",
        "advice:advise", "over_problems.advice:advise", "pairs:between", "pairs:compared_pairs", "pairs:groups",
        "pairs:ranks", "pairs:raced_pairs", "pairs:raced_ranks", "race:race", "waves:open_settings",
        "waves:wave_before", "waves:cannot_win", "tuning:may_go_on", "tuning:containing", "part:tuning_of",
        "part:tuned_ranges", "amounts:winners_curse", "amounts:means", "amounts:prices", "amounts:interval",
        "amounts:median_reached", "amounts:rate_decades", "candidate_analysis:candidate_result",
        "candidate_analysis:final_outcomes", "candidate_analysis:plain_steps",
        "plan:check_label", "options:chosen_reference", "durations:AtDuration", "durations:at_durations",
        "durations:in_words", "stored:stored_result", "stored:stored_plan",
        "stored:analyse_stored", "budget:written", "budget:starting_numbers", "prices:predicted_seconds",
        "fitting:fitting", "shortfall:too_short", "shortfall:least_too_long", "shortfall:shown",
        "changes:manifest_changes", "changes:definition_changes", "changes:remedies",
        "comparison:directory_name", "measuring:measure", "measuring:run_measurements", "measuring:run_checks",
        "over_problems.analysis:analyse_over_problems", "over_problems.conclusion:conclude",
        "over_problems.places:places_of", "over_problems.places:scheduled", "over_problems.places:headings",
        "over_problems.schedules:by_schedule", "over_problems.schedules:called",
        "over_problems.schedules:whatever_the_schedule",
        "diagnose.diagnosis:measurement", "diagnose.diagnosis:measured_steps",
        "agreement:manifest", "agreement:annotation", "agreement:agree", "asking:asked", "posing:posed_problems",
        "pricing:first_point", "pricing:measured_prices", "pricing:piloted_prices", "pricing:known_prices",
        "pricing:each_has_run", "catalog.slots:Slot", "catalog.slots:slot_of", "catalog.slots:candidates_for",
        "catalog.slots:candidates_on_each",
        "catalog.fillings:samplers", "catalog.fillings:sampler_example", "catalog.fillings:samplers_again",
        "catalog.fillings:transforms", "catalog.fillings:transform_example", "catalog.fillings:transforms_again",
        "catalog.fillings:optimizers", "catalog.fillings:optimizer_example", "catalog.fillings:optimizers_again",
        "catalog.fillings:optimizer_with_recipe", "catalog.fillings:optimizer_remarks", "catalog.fillings:commands",
        "catalog.fillings:commands_again", "catalog.fillings:typed_settings",
        "catalog.slots:restored", "catalog.fillings:in_one_string", "catalog.candidates:Candidate",
        "catalog.commands:Filled", "catalog.commands:CommandCandidate", "catalog.commands:command_candidates",
        "catalog.commands:check_targets", "catalog.ranges:readable_tunes",
        "imported.table:read_table", "imported.table:with_points", "imported.conditions:kept_rows",
        "imported.columns:find_columns", "imported.runs:read_runs", "imported.values:cut",
        "imported.direction:chosen_direction", "imported.direction:direction_of",
        "imported.direction:option_of", "imported.conditions:is_nan",
        "imported.table:in_words", "imported.optuna_storage:own_store",
        "imported.place:directory_for", "imported.own_results:is_json", "imported.optuna_storage:is_storage",
        "imported.optuna_storage:read_storage", "imported.mlflow_runs:is_tracking_directory",
        "imported.mlflow_runs:read_tracking_directory", "imported.tensorboard_runs:is_event_directory",
        "imported.tensorboard_runs:read_event_directory", "imported.table:as_cell", "imported.own_results:read_results",
        "bounds:on_one_side", "notes:stored_facts", "result:measure_names", "result:column_name", "within:within",
        "within:written", "within:read", "catalog.candidates:candidates_again", "catalog.slots:example",
        "catalog.slots:slot_named", "catalog.slots:check_candidates", "catalog.slots:with_settings",
        "catalog.listing:search_problems", "catalog.ranges:text_values", "catalog.ranges:texts_tried",
        "catalog.ranges:ends_of",
        "catalog.candidates:with_recipe", "catalog.candidates:remarks", "catalog.slots:with_recipe",
        "catalog.slots:remarks",
        "catalog.listing:listed", "catalog.listing:problems_that_ship", "diagnose.page:diagnosis_page",
        "diagnose.page:conclusion", "diagnose.page:sharpness",
        "catalog.command_candidates:commands_of", "catalog.command_candidates:candidates_of", "catalog.ranges:Tune",
    },
}  # fmt: skip

SHOWN = {
    "own_commands": "candidate", "names": "candidate", "own": "candidate", "texts": "tune", "tunable": "",
    "definition": "", "store": "nowhere",
}  # fmt: skip
"""What an argument is called in messages, where that is something else; empty where the value says it all."""


@pytest.fixture(autouse=True, scope="module")
def _elsewhere(tmp_path_factory):
    with contextlib.chdir(tmp_path_factory.mktemp("fuzz")):
        yield
        assert not [path for path in Path().iterdir() if path.name != ".hypothesis"]


@pytest.fixture(autouse=True, scope="module")
def _a_task_that_ships_is_looked_at_once():
    # it is the same each time, which others test, and to run each of its parts took half of a comparison's time here
    check, seen = Digits.check, []

    def once(task, place):
        if not seen:
            check(task, place)
            seen.append(place)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Digits, "check", once)
        yield


def test_every_public_argument_is_here():
    left_out = set().union(*LEFT_OUT.values())
    read = (
        "slots:",
        "fillings:",
        "listing:",
        "candidates:",
        "commands:",
        "command_candidates:",
        "ranges:",
    )  # what is typed
    catalog = {
        f"catalog.{name}": each for name, each in public_objects(trimtab.catalog).items() if name.startswith(read)
    }
    diagnose = {f"diagnose.{name}": each for name, each in public_objects(trimtab.diagnose).items()}
    objects = public_objects(trimtab.compare) | catalog | diagnose
    assert left_out <= objects.keys()
    assert CALLS.keys() <= objects.keys()
    for name, value in objects.items():
        if name in left_out or is_interface(value):
            continue
        assert name in CALLS, f"{name} has no line in CALLS"
        wanted = inspect.signature(value).parameters.keys() - {"options", "for_commands", "more"}
        assert wanted <= CALLS[name].arguments.keys(), f"{name} has arguments that are not tried"


ARGUMENTS = [(name, argument) for name, call in CALLS.items() for argument in call.arguments]
containers = st.one_of(
    anything,
    st.lists(texts, max_size=3),
    st.lists(texts, max_size=3).map(tuple),
    st.dictionaries(texts, texts, max_size=3),
)


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_an_argument_works_or_is_refused_by_name(name, argument):
    def said(error, value):
        called = {argument, SHOWN.get(argument, argument)}
        return any(names(error, each, value) for each in called) or "--" in str(error)

    check_argument(CALLS[name], argument, containers, said)


OPTIONS = [
    "trials",
    "seeds",
    "steps",
    "budget",
    "jobs",
    "reference",
    "pruner",
    "store",
    "takeover",
    "patience",
    "executor",
]
OPTIONS += [
    "ray-address",
    "command",
    "candidates",
    "candidate",
    "tune",
    "metric",
    "metric-file",
    "metric-name",
    "timeout",
]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_command_line_works_or_is_refused_in_a_message(option):
    options = {"command": LINE, "candidates": "adamw,lion", "metric": "loss", "tune": "lr=1e-3..1:log", "out": "out"}

    @fuzz
    @given(texts.filter(plain_text))
    def check(value):
        arguments = [f"--{name}={text}" for name, text in {**options, option: value}.items()]
        done = CliRunner().invoke(app, ["compare", "--dry-run", *arguments])
        assert done.exit_code in (0, 2), done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert done.exit_code == 0 or done.stderr.strip()

    check()


# what is written can be read


floats = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@fuzz
@given(floats, floats)
def test_ranges_come_back_from_their_text(first, second):
    for kind in (Uniform, LogUniform):
        try:
            made = kind(*sorted((first, second)))
        except InputError:
            continue
        assert parse_range(range_text(made)) == made


@fuzz
@given(st.lists(st.one_of(floats, st.integers(), words), min_size=1, max_size=4))
def test_choices_come_back_from_their_text(values):
    text = ",".join(map(str, values))
    try:
        made = parse_range(text)
    except InputError:
        assume(False)
    assume(isinstance(made, Choice))
    assert parse_range(range_text(made)) == made


constants = st.one_of(floats, st.integers(), st.booleans(), st.none(), words, st.tuples(floats, floats))


@fuzz
@given(st.sampled_from(list(entries())), st.data())
def test_candidates_come_back_from_their_labels(name, data):
    settings = ["eps", "foreach", "betas", "momentum", "weight_decay", "lr"]
    drawn = data.draw(st.dictionaries(st.sampled_from(settings), constants, max_size=3))
    text = f"{name}({', '.join(f'{key}={value!r}' for key, value in drawn.items())})"
    try:
        (candidate,) = parse_candidates(text)
    except InputError:
        assume(False)
    assert parse_candidates(candidate.label) == [candidate]
    assert dict(candidate.expression.fixed) == drawn


@fuzz
@given(texts, st.dictionaries(st.sampled_from(["lr", "seed", "n"]), st.one_of(floats, st.integers(), words)))
def test_templates_give_back_what_is_around_their_places(text, values):
    try:
        template = Template(text)
    except InputError:
        assume(False)
    doubled = Template(text.replace("{", "{{").replace("}", "}}"))
    assert doubled.filled({}) == text
    assume(set(template.names) <= values.keys())
    with contextlib.suppress(InputError):  # a value does not have the format that is asked for
        filled = template.filled(values)
        assert template.names or filled == text.replace("{{", "{").replace("}}", "}")


@fuzz
@given(words, words)
def test_a_value_is_one_argument(before, value):
    try:
        command = Command(f"{before.replace('{', '').replace('}', '')} {{x}} end")
    except InputError:
        assume(False)
    *_, argument, end = command.arguments({"x": value})
    assert (argument, end) == (value, "end")


RANGES, FILES = (("lr", "0..1"),), (("a.py", "1"),)


@fuzz
@given(words, floats, st.booleans())
def test_candidates_of_commands_come_back_from_a_store(label, value, shell):
    made = CommandCandidate(
        label, Command("run {lr} {seed}", shell), (("lr", "0..1"),), (("n", value),), (("a.py", "1"),)
    )

    assert CommandCandidate.from_definition(label, json.loads(json.dumps(made.definition()))) == made


def test_a_directory_stays_clean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        Comparison("digits", "lion", trials=True)
    assert list(Path.cwd().iterdir()) == []
