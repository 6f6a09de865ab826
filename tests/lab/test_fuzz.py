"""Every public argument of studies and of the lab, given arbitrary values."""

import contextlib
import inspect
import math
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import trimtab.lab
import trimtab.study
from tests.fuzzing import (
    Call,
    anything,
    check_argument,
    fuzz,
    is_interface,
    names,
    never,
    numbers,
    public_objects,
    unclear,
)
from tests.lab.tables.tables import houses, write
from tests.lab.toy import Toy, session, sgd
from tests.study.work import LoggedWork
from trimtab.lab.blackbox.functions import Branin, Hartmann6
from trimtab.lab.commands.file_metric import file_metric
from trimtab.lab.commands.output_metric import output_metric
from trimtab.lab.commands.problem import CommandProblem
from trimtab.lab.commands.template import Command, Template
from trimtab.lab.devices import as_the_only_one, described, usable_device, visibilities
from trimtab.lab.loading import absolute_reference, fingerprint, load_problem, load_task
from trimtab.lab.meter import CostMeter
from trimtab.lab.references import parse_reference
from trimtab.lab.session import Session
from trimtab.lab.tables.reading import read_source
from trimtab.lab.tables.task import TableTask
from trimtab.lab.task_check import check_task
from trimtab.lab.transforms.pruned import Pruned
from trimtab.lab.transforms.pruned_digits import PrunedDigits
from trimtab.lab.trial import run_trial
from trimtab.study.activity import look
from trimtab.study.checks import MANY, MANY_WORKERS
from trimtab.study.cores import threads_per_worker
from trimtab.study.errors import InputError, UnwritableError
from trimtab.study.files import try_directory, write_atomically
from trimtab.study.lease import Limits
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.location import parse_url
from trimtab.study.metric import Metric
from trimtab.study.outcome import LARGEST, Outcome
from trimtab.study.performance_profile import performance_profiles
from trimtab.study.point import Point
from trimtab.study.ray_executor import RayExecutor
from trimtab.study.statistics import (
    PairedDifference,
    decades_within,
    detectable_ratio,
    far_out,
    first_reaching,
    holm,
    mean_interval,
    paired_difference,
    ranks,
    risen_again,
    verdict,
)
from trimtab.study.store import Store
from trimtab.study.stored_study import read_store
from trimtab.study.tunable import Choice, LogOneMinus, LogUniform, Uniform, Whole, check_unit, quasi_random_settings


def whole(least=1, most=math.inf):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def optional(check):
    return lambda value: value is None or check(value)


def finite(value):
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def seconds(least, most):
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and least <= value <= most
    )


def flag(value):
    return isinstance(value, bool)


def plain_text(value):
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def between(low, high):
    return lambda value: finite(value) and low <= value <= high


def in_unit(value):
    return finite(value) and 0 < value < 1


def unit(value):
    return finite(value) and 0 <= value < 1


SPLITS = ("train", "validation", "test")
numeric_lists = st.lists(numbers, max_size=5)


def point(**change):
    return Point(**{**vars(Point("toy", "tune", "a", 0, {}, 0)), **change})


class Scratch:
    """A directory that is there for as long as the tests run."""

    path = Path(tempfile.mkdtemp(prefix="trimtab-fuzz-"))


TABLE = write(Scratch.path / "houses.csv", houses(60))


def store(location=None, manifest=None, limits=None, words=None):
    with tempfile.TemporaryDirectory() as directory:
        Store(Path(directory) if location is None else location, manifest or {}, limits, words).close()


def write_inside(path, content):
    if isinstance(path, str):  # whatever is tried, it stays in the scratch directory
        path = f"{Scratch.path}/written/{path.replace('..', '_').lstrip('/')}"
    with contextlib.suppress(UnwritableError):
        write_atomically(path, content)


def tried_directory(directory):
    with contextlib.suppress(UnwritableError):
        try_directory(directory)


def checked_task(**attributes):
    task = Plain()
    for name, value in attributes.items():
        setattr(task, name, value)
    check_task(task, "toy.py:Toy")


class Plain(Toy):
    """Without batch statistics, so that one row is enough."""

    def model(self, generator):
        return nn.Linear(6, 3)


def started(**given):
    def optimizer(model):
        try:
            return given["optimizer"](model)
        except (ValueError, TypeError) as error:  # what is called may say what it likes
            raise InputError(f"optimizer: {error}") from error

    callable_one = {"optimizer": optimizer} if callable(given["optimizer"]) else {}
    return Session(**{**given, **callable_one})


def gradients(**given):
    run = session(task=Plain())
    run.next_batch()
    with warnings.catch_warnings(action="ignore"):  # torch's, about graphs of gradients
        run.closure(**given)()


def outputs(**given):
    run = session(task=Plain())
    run.next_batch()
    run.outputs(**given)()


DIFFERENCE = paired_difference([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])
HOLM_MATRIX = [[1.0, 0.5], [0.5, 1.0]]
IN_RANGE = {"name": "lr", "value": 0.5}
WORK = LoggedWork(Scratch.path / "log")

CALLS = {
    "activity:look": Call(look, {}, {"location": never}),
    "performance_profile:performance_profiles": Call(
        performance_profiles,
        {"costs": {"a": [1.0, 2.0], "b": [2.0, 1.0]}},
        {"costs": unclear, "tau_max": lambda value: finite(value) and value > 1, "grid": optional(whole(2, MANY))},
    ),
    "local_executor:LocalExecutor": Call(
        LocalExecutor,
        {"work": WORK, "jobs": 1},
        {"work": callable, "jobs": optional(whole(1, MANY_WORKERS)), "threads": optional(whole(1, MANY_WORKERS)),
         "answers": flag, "visible": never},
    ),
    "devices:usable_device": Call(usable_device, {}, {"device": unclear}),
    "devices:visibilities": Call(visibilities, {}, {"device": unclear}),
    "devices:described": Call(described, {}, {"device": unclear}),
    "devices:as_the_only_one": Call(as_the_only_one, {}, {"device": unclear}),
    "cores:threads_per_worker": Call(threads_per_worker, {}, {"jobs": whole()}),
    "ray_executor:RayExecutor": Call(
        RayExecutor,
        {"work": WORK},
        {"work": callable, "address": optional(plain_text), "jobs": optional(whole(1, MANY_WORKERS)),
         "threads": whole(1, MANY_WORKERS), "answers": flag, "cuda": flag},
    ),
    "lease:Limits": Call(Limits, {}, {"takeover": seconds(0.1, 1e6), "patience": seconds(0, math.inf)}),
    "meter:CostMeter": Call(CostMeter, {"budget": 1}, {"budget": whole(), "used": whole(0)}),
    "meter:CostMeter.charge": Call(CostMeter(1).charge, {}, {"samples": whole(0)}),
    "loading:load_task": Call(load_task, {}, {"reference": unclear}),
    "loading:load_problem": Call(load_problem, {}, {"reference": unclear}),
    "blackbox.functions:Branin": Call(Branin, {}, {"noise": unclear}),
    "blackbox.functions:Hartmann6": Call(Hartmann6, {}, {"noise": unclear}),
    "transforms.pruned_digits:PrunedDigits": Call(PrunedDigits, {}, {"sparsity": unclear}),
    "transforms.pruned:Pruned": Call(
        Pruned,
        {"task": "digits"},
        {"task": unclear, "sparsity": unclear, "train_steps": unclear, "train_lr": unclear, "finetune_steps": unclear},
    ),
    "references:parse_reference": Call(parse_reference, {}, {"text": unclear}),
    "loading:fingerprint": Call(fingerprint, {}, {"reference": unclear}),
    "loading:absolute_reference": Call(absolute_reference, {}, {"reference": unclear}),
    "location:parse_url": Call(parse_url, {}, {"text": unclear}),
    "files:write_atomically": Call(
        write_inside,
        {"path": "file", "content": "text"},
        {"path": unclear, "content": lambda value: isinstance(value, str | bytes)},
    ),
    "files:try_directory": Call(tried_directory, {}, {"directory": unclear}),
    "session:Session": Call(
        started,
        {"task": Toy(), "optimizer": sgd, "seed": 0},
        {"task": never, "optimizer": never, "controllers": optional(never), "seed": whole(0),
         "budget": optional(whole()), "device": unclear},
    ),
    "session:Session.next_batch": Call(session().next_batch, {}, {"size": optional(whole(1, 64))}),
    "session:Session.closure": Call(
        gradients, {}, {"create_graph": flag, "rows": unclear}
    ),
    "session:Session.outputs": Call(outputs, {}, {"rows": unclear}),
    "session:Session.snapshot": Call(session().snapshot, {}, {"aside": optional(never)}),
    "session:Session.evaluate": Call(
        session().evaluate, {}, {"split": lambda value: isinstance(value, str) and value in SPLITS}
    ),
    "session:Session.restore": Call(
        session().restore, {"snapshot": session().snapshot()}, {"snapshot": never, "refund": flag}
    ),
    "statistics.paired:paired_difference": Call(
        paired_difference,
        {"first": [1.0, 2.0], "second": [0.0, 4.0]},
        {"first": unclear, "second": unclear, "confidence": in_unit, "span": unclear},
    ),
    "statistics.means:mean_interval": Call(
        mean_interval,
        {"values": [1.0, 2.0]},
        {"values": unclear, "confidence": in_unit, "bounds": unclear},
    ),
    "statistics.power:detectable_ratio": Call(
        detectable_ratio, {"n": 3}, {"n": whole(2, MANY), "confidence": in_unit, "candidates": whole(2, MANY)}
    ),
    "statistics.scatter:far_out": Call(
        far_out, {"values": [1.0, 2.0, 9.0], "spread": 0.1}, {"values": unclear, "spread": between(0, math.inf)}
    ),
    "statistics.scatter:risen_again": Call(risen_again, {}, {"curve": unclear}),
    "statistics.multiple:holm": Call(holm, {}, {"p_values": unclear}),
    "statistics.multiple:ranks": Call(
        ranks,
        {"scores": [1.0, 2.0], "p_adjusted": HOLM_MATRIX},
        {"scores": unclear, "p_adjusted": unclear, "alpha": in_unit},
    ),
    "statistics.verdicts:verdict": Call(
        verdict,
        {"difference": DIFFERENCE, "claimed": 0.1},
        {"difference": lambda value: isinstance(value, PairedDifference), "claimed": between(0, math.inf)},
    ),
    "statistics.curves:decades_within": Call(
        decades_within,
        {"rates": [0.1, 1.0], "losses": [1.0, 2.0]},
        {"rates": unclear, "losses": unclear, "tolerance": between(0, math.inf)},
    ),
    "statistics.curves:first_reaching": Call(
        first_reaching,
        {"costs": [1, 2], "values": [1.0, 2.0], "target": 1.5, "direction": "max"},
        {"costs": unclear, "values": unclear, "target": finite,
         "direction": lambda value: isinstance(value, str) and value in ("max", "min")},
    ),
    "store:Store": Call(store, {}, {"location": unclear, "manifest": unclear,
                                    "limits": optional(lambda value: isinstance(value, Limits)),
                                    "words": optional(callable)}),
    "stored_study:read_store": Call(read_store, {}, {"location": unclear}),
    "metric:Metric": Call(
        Metric,
        {"name": "accuracy", "direction": "max"},
        {"name": plain_text, "direction": lambda value: isinstance(value, str) and value in ("max", "min"),
         "target": optional(finite), "bounds": unclear},
    ),
    "task_check:check_task": Call(check_task, {"task": Toy(), "place": "here"}, {"task": never, "place": unclear}),
    "task:Task": Call(
        checked_task,
        {},
        {"name": unclear, "metric": never, "train": never, "validation": never,
         "test": never, "batch_size": whole(1, 64), "steps": whole(), "seeds": whole(1, MANY)},
    ),
    "trial:run_trial": Call(
        lambda make_run=lambda: session(budget=10), evaluations=1, test=False, watch=None, start=True: run_trial(
            make_run, evaluations=evaluations, test=test, watch=watch, start=start, report=lambda cost, loss: True
        ),
        {},
        {"make_run": callable, "evaluations": whole(), "test": flag, "watch": optional(flag), "start": flag},
    ),
    "tunable:Uniform": Call(Uniform, {"low": -1.0, "high": 1.0}, {"low": unclear, "high": unclear}),
    "tunable:Uniform.at": Call(Uniform(0.0, 1.0).at, {}, {"unit": unit}),
    "tunable:Uniform.check": Call(Uniform(0.0, 1.0).check, IN_RANGE, {"name": unclear, "value": between(0, 1)}),
    "tunable:LogOneMinus": Call(LogOneMinus, {"low": 0.5, "high": 0.9}, {"low": unclear, "high": unclear}),
    "tunable:LogOneMinus.at": Call(LogOneMinus(0.5, 0.9).at, {}, {"unit": unit}),
    "tunable:LogUniform": Call(LogUniform, {"low": 1.0, "high": 2.0}, {"low": unclear, "high": unclear}),
    "tunable:LogUniform.at": Call(LogUniform(0.1, 1.0).at, {}, {"unit": unit}),
    "tunable:Whole": Call(Whole, {"low": 1, "high": 9}, {"low": unclear, "high": unclear, "log": unclear}),
    "tunable:Whole.at": Call(Whole(1, 9).at, {}, {"unit": unit}),
    "tunable:Whole.check": Call(Whole(1, 9).check, {"name": "n", "value": 3}, {"name": unclear, "value": whole(1, 9)}),
    "tunable:Choice": Call(Choice, {}, {"values": unclear}),
    "tunable:Choice.at": Call(Choice((1, 2)).at, {}, {"unit": unit}),
    "tunable:Choice.check": Call(
        Choice((1, 2)).check, {"name": "n", "value": 1},
        {"name": unclear, "value": lambda value: finite(value) and value in (1, 2)},
    ),
    "tunable:check_unit": Call(check_unit, {}, {"unit": unit}),
    "tunable:quasi_random_settings": Call(
        quasi_random_settings,
        {"tunables": {"lr": Uniform(0.0, 1.0)}, "count": 2, "seed": 0},
        {"tunables": lambda value: isinstance(value, dict) and not value, "count": whole(1, MANY), "seed": whole(0)},
    ),
}  # fmt: skip

COMMANDS = {
    "commands.output_metric:output_metric": Call(
        output_metric, {"text": "loss"}, {"text": unclear, "name": optional(plain_text)}
    ),
    "commands.file_metric:file_metric": Call(
        file_metric, {"text": "{out}/a.json:b"}, {"text": unclear, "name": optional(plain_text)}
    ),
    "tables.task:TableTask": Call(
        TableTask,
        {"source": TABLE, "target": "price"},
        {"source": unclear, "target": lambda value: value in ("price", "area") or value == "state",
         "kind": optional(lambda value: value in ("regression",)), "metric": optional(never), "drop": unclear,
         "categories": unclear, "split_seed": whole(0, 2**32 - 1)},
    ),
    "tables.reading:read_source": Call(read_source, {}, {"source": unclear}),
    "commands.template:Template": Call(Template, {}, {"text": unclear}),
    "commands.template:Command": Call(Command, {"text": "a"}, {"text": unclear, "shell": flag}),
    "commands.problem:CommandProblem": Call(
        CommandProblem,
        {"metric": "loss"},
        {"command": unclear, "metric": unclear, "metric_file": optional(never), "metric_name": optional(plain_text),
         "maximize": flag, "timeout": optional(seconds(0, 1e9)), "shell": flag, "unseeded": flag},
    ),
}  # fmt: skip
CALLS |= COMMANDS

LEFT_OUT = {
    "objects that only trimtab makes, from what was checked": {
        "contact:Contact", "database:Database", "worker:Conditions", "executor:Finished", "executor:Died",
        "executor:Reported",
        "lease:Leases", "lease:Heart", "process:Ended", "process:Lines", "randomness:OwnedRandomness",
        "statistics.paired:PairedDifference", "statistics.paired:Estimate",
        "statistics.multiple:CorrectedDifference", "statistics.moderated:ModeratedEstimate",
        "statistics.variances:Prior", "statistics.variances:Moderated",
        "stored_study:StoredStudy", "manifest:refusal", "manifest:each_difference", "manifest:plain_manifest",
        "point:Point", "outcome:CurvePoint", "outcome:Outcome",
        "commands.attempt:Attempt", "commands.output_metric:OutputMetric", "commands.file_metric:FileMetric",
        "work:TrainingWork", "beside:Beside", "references:Reference", "ledger:Group", "ledger:Ledger",
        "remaining:Remaining", "remaining:Durations",
        "remaining:Missing", "status:CandidateStatus", "status:TrialStatus", "status:ProcessStatus",
        "status:StudyStatus", "problem:Workplace", "problem:Problem",
        "facts:Facts", "facts:Unit", "facts:Measure", "facts:Watched",
        "metric:Evaluation", "activity:Process", "activity:Running", "activity:Ended", "activity:Activity",
        "performance_profile:PerformanceProfile", "schedule:Job", "replay:Replay",
        "traces:TraceRecorder", "stream:BatchStream", "averaged:ready_to_train",
        "averaged:evaluated_weights",
        "blackbox.search:Search", "blackbox.search:Recommended", "blackbox.kept:KeptEvaluations",
        "blackbox.objective:Objective",
        "blackbox.pool:Pool", "blackbox.sampler_clock:SamplerClock", "blackbox.observation:Observation",
        "blackbox.tuned_models:SVCDigits",
        "blackbox.tuned_models:ForestBreastCancer", "blackbox.tuned_models:BoostingDiabetes",
        "blackbox.tuned_models:MLPDigits", "blackbox.hpo_tables:HPOBench",
        "blackbox.replayed_study:ReplayedStudy", "blackbox.replayed_study:Forest", "blackbox.presence:Presence",
        "blackbox.finished_study:FinishedStudy", "prepared:Artefact", "shipped:Shipped",
        "transforms.candidate:Calibration", "transforms.fine_tuning:FineTuning",
        "transforms.fine_tuning:DryFineTuning", "transforms.pruned:SparsityRequirement",
        "transforms.pruned_digits:LargeDigits", "transforms.run:GivenUp", "transforms.run:Transformation",
        "delimited:Delimited", "delimited:FewFaults", "tables.cells:Read", "tables.dates:Dates",
        "tables.columns:Numbers", "tables.columns:Categories", "tables.columns:Useless", "tables.columns:Columns",
        "tables.copies:TellTale", "tables.network:Size", "tables.network:TableNetwork", "tables.preparation:Scale",
        "tables.preparation:Levels", "tables.preparation:Preparation", "tables.reading:TextTable",
        "tables.scores:Score", "tables.splitting:Parts", "tables.target:Target", "tables.words:Understood",
        "facts:Scatter", "pages:Marked", "pages:Paragraphs", "pages:Terms", "pages:Code", "pages:Column",
        "pages:Row", "pages:Table", "pages:Axis", "pages:Line", "pages:Figure", "pages:Section", "pages:Page",
    },
    "called by trimtab alone, with objects of its own": {
        "statistics.moderated:moderated_estimates", "statistics.moderated:in_common",
        "statistics.unpaired:unpaired_estimates", "statistics.unpaired:unpaired_estimate",
        "statistics.paired:check_span", "statistics.paired:common_step", "statistics.multiple:corrected",
        "statistics.multiple:within", "statistics.sequential:looks", "statistics.sequential:Boundaries",
        "statistics.sequential:Looked", "statistics.sequential:looked",
        "statistics.sequential:predictive_power", "statistics.sequential:corrected_looks",
        "statistics.sequential_t:nominal_levels",
        "statistics.variances:moderated", "statistics.variances:not_negligible",
        "statistics.variances:prior_by_moments", "statistics.variances:winsorized_prior",
        "statistics.seed_effects:seeds_matter", "statistics.seed_effects:own_variances",
        "statistics.power:detectable_noncentrality", "plain:from_plain",
        "data_frames:is_data_frame", "data_frames:columns_of",
        "errors:Faults", "stepping:steps_on_session", "errors:messages_of", "kept_buffers:kept_buffers",
        "suggestions:nearest", "suggestions:closest", "suggestions:slips", "beside:beside",
        "commands.printed_number:check_what_follows", "commands.remedies:after_name",
        "commands.remedies:instead_of_group", "broadcasting:averages_over_pairs", "broadcasting:scores_pairs",
        "copies:copied", "repeated:repeatable_closure", "stepping:made_optimizer", "stepping:made_controllers",
        "stepping:before_step", "stepping:after_step", "stepping:controller_states",
        "stepping:load_controller_states", "model_state:model_state", "model_state:load_model_state",
        "location:sqlite_file", "location:shown", "database_errors:is_away", "database_errors:sqlite_code",
        "database_errors:reason", "database:existing", "environment:environment",
        "starting:worker_context", "starting:prepare_workers", "starting:refuse_without_workers",
        "starting:main_importable", "starting:interrupts_blocked",
        "cores:usable_cores", "worker:serve", "tunable:as_code", "tunable:as_given", "tunable:rounded",
        "interruption:uninterrupted", "files:from_store",
        "optuna_trial:point_of", "optuna_trial:outcome_of", "optuna_trial:forget_reports",
        "optuna_trial:waiting_trial", "process:run_process", "process:process_group", "randomness:derived_seed",
        "database:lock_file", "schedule:seconds_together", "running:run_study", "trial:attempt", "callbacks:StudyAbout",
        "callbacks:check_callbacks", "callbacks:Callbacks", "callbacks:Observers",
        "trial:begin", "trial:modules_of", "work:begin_training", "ledger:key_of", "ledger:no_more", "again:runs_again",
        "again:runs_beyond", "again:tuning_seeds_of", "again:goes_on", "optuna_trial:ranges_of", "remaining:estimate",
        "remaining:pace_of_late", "statuses:statuses",
        "statuses:status", "status:to_dict", "phrases:listed", "phrases:either",
        "phrases:rounded", "phrases:distinct", "commands.printed_number:begins_number",
        "commands.printed_number:is_progress_bar", "commands.printed_number:read_number",
        "commands.printed_number:read_whole", "commands.printed_number:continuation", "commands.terminal:as_shown",
        "commands.splitting:split_outside_brackets", "commands.splitting:partition_outside_brackets",
        "commands.template:pointing", "commands.problem:trial_name", "commands.problem:rate_of",
        "statistics.paired:estimate", "statistics.power:critical", "outcome:is_measured",
        "blackbox.spaces:middle", "blackbox.spaces:written", "blackbox.spaces:spread", "blackbox.spaces:suggest",
        "blackbox.spaces:distributions", "blackbox.observation:observation",
        "blackbox.search:constraints_of", "blackbox.finished_study:read_finished",
        "blackbox.finished_study:absolute_place", "blackbox.finished_study:shown_place",
        "foreign_storages:storage_name", "foreign_storages:opened_storage",
        "commands.problem:command_facts", "loading:parameters", "loading:file_hash",
        "loading:import_file", "neighbours:neighbours", "neighbours:importing_neighbours",
        "prepared:prepared", "prepared:directory_of", "problem:own_settings",
        "shipped:of_slot", "training_facts:training_facts", "transforms.run:run_transform",
        "transforms.stored:stored_tensors", "transforms.stored:stored_bytes", "transforms.stored:tensor_bytes",
        "transforms.stored:nonzeros", "transforms.stored:kept_weights", "transforms.stored:unsaved_buffers",
        "transforms.stored:counted_tensors", "transforms.stored:tensors_beside",
        "transforms.network:tensors_in", "transforms.network:network_state",
        "transforms.network:load_network_state", "transforms.network:check_kept",
        "session:untrained_model", "facts:brief", "notes:slot_of",
        "notes:reference_of", "notes:sign_of", "numbers:significant", "numbers:setting", "numbers:settings_text",
        "numbers:whole", "phrases:count", "phrases:among_others",
        "delimited:read_delimited", "tables.cells:are_codes", "tables.cells:is_nothing", "tables.cells:read_numbers",
        "tables.cells:has_decimal_commas", "tables.cells:differing_in_capitals", "tables.copies:tell_tales",
        "tables.copies:without_copies", "tables.copies:known_rows",
        "tables.words:as_choice", "tables.dates:read_dates", "tables.dates:are_dates_without_marks",
        "tables.dates:read_times", "tables.columns:sorted_columns",
        "tables.columns:with_decimal_commas", "tables.network:size_for", "tables.network:embedding_width",
        "tables.references:is_table",
        "tables.references:in_one_order", "tables.references:table_name", "tables.references:other_table",
        "tables.references:with_target",
        "tables.scores:accuracy", "tables.scores:balanced_accuracy", "tables.scores:auc", "tables.scores:r2",
        "tables.scores:rmse", "tables.scores:chosen_score", "tables.splitting:split", "tables.target:read_target",
        "tables.units:read_amounts", "tables.dates:share_with_short_years", "tables.dates:are_hardly_codes",
        "task:take_rows", "task:select", "task:to_device", "task:map_tensors", "task:samples_in",
    },
}  # fmt: skip


def test_every_public_argument_is_here():
    left_out = set().union(*LEFT_OUT.values())
    # the last three have tests of their own
    elsewhere = ("checks:", "statistics.arrays:", "tasks", "adapters", "blackbox.engineering")
    both = public_objects(trimtab.lab) | public_objects(trimtab.study)
    objects = {name: value for name, value in both.items() if not name.startswith(elsewhere)}
    assert left_out <= objects.keys()
    assert {name for name in CALLS if "." not in name} <= objects.keys()
    for name, value in objects.items():
        if name in left_out or (is_interface(value) and name not in CALLS):
            continue
        assert name in CALLS, f"{name} has no line in CALLS"
        wanted = inspect.signature(value).parameters.keys() - {"probe", "report", "args", "kwargs"}
        assert wanted <= CALLS[name].arguments.keys(), f"{name} has arguments that are not tried"


SHOWN = {"reference": "task", "text": "store", "location": "store"}
"""What an argument is called in messages, where that is something else."""

ARGUMENTS = [(name, argument) for name, call in CALLS.items() for argument in call.arguments]
containers = st.one_of(
    anything, numeric_lists, st.lists(anything, max_size=3), st.lists(anything, max_size=3).map(tuple)
)


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_an_argument_works_or_is_refused_by_name(name, argument):
    called = SHOWN.get(argument, argument)
    check_argument(CALLS[name], argument, containers, lambda error, value: names(error, called, value))


@fuzz
@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.floats(0, 1, exclude_max=True))
def test_a_value_of_a_range_lies_in_it(first, second, u):
    low, high = sorted((first, second))
    for kind in (Uniform, LogUniform):
        try:
            made = kind(low, high)
        except InputError:
            continue
        value = made.at(u)
        assert low <= value <= high
        made.check("value", value)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An empty store: to copy it takes less than to make one."""
    directory = tmp_path_factory.mktemp("empty")
    Store(directory, {}).close()
    return directory


@settings(fuzz, max_examples=40)  # each has a store
@given(
    st.floats(-1e6, 1e6), st.sampled_from(["a", "é", "x y", "'"]), st.integers(0, 2**62),
    st.one_of(st.none(), st.floats(-LARGEST, LARGEST)), st.text(max_size=30),
)  # fmt: skip
def test_settings_and_outcomes_come_back_from_a_store(empty, value, word, seed, loss, error):
    tunables = {"lr": Uniform(-1e6, 1e6), "kind": Choice(("a", "é", "x y", "'", 3, None, True))}
    wanted = point(settings={"lr": value, "kind": word}, seed=seed, tunables=tunables)
    outcome = Outcome("complete" if loss is not None else "failed", loss=loss, error=error)
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(empty, directory, dirs_exist_ok=True)
        with Store(Path(directory), {}) as made:
            made.add([wanted])
            made.claim([wanted])
            made.finish(wanted, outcome)
        with Store(Path(directory), {}) as made:
            assert made.outcomes() == {wanted.key: (wanted, outcome)}
