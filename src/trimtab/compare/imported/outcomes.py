"""From runs that others made to what they show, by the analysis that comparisons have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trimtab.compare.analysis import analyse as analyse_plan
from trimtab.compare.imported.columns import Columns, find_columns
from trimtab.compare.imported.conditions import kept_rows
from trimtab.compare.imported.direction import direction_of, option_of
from trimtab.compare.imported.mlflow_runs import is_tracking_directory, read_tracking_directory
from trimtab.compare.imported.optuna_storage import is_storage, own_store, read_storage
from trimtab.compare.imported.own_results import is_json, read_results
from trimtab.compare.imported.runs import ImportedRun, read_runs
from trimtab.compare.imported.table import Direction, Source, Table, read_table
from trimtab.compare.imported.tensorboard_runs import is_event_directory, read_event_directory
from trimtab.compare.options import chosen_reference
from trimtab.compare.over_problems.analysis import analyse_over_problems
from trimtab.compare.over_problems.result import AnyResult
from trimtab.compare.plan import Plan
from trimtab.compare.result import ComparisonResult
from trimtab.lab.problem import Build
from trimtab.study.checks import check_flag, check_name
from trimtab.study.environment import environment
from trimtab.study.errors import InputError
from trimtab.study.facts import Facts, Unit
from trimtab.study.location import FILE_NAME
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint, Outcome
from trimtab.study.phrases import count
from trimtab.study.tunable import Settings, Tunables, Value

_OF_THE_ANALYSIS = ("date", "python", "trimtab", "numpy")
"""What is known of the environment: nothing of where the runs were made."""


_UNSHARED = (
    "No candidate has a run with each of the seeds that are there. Runs with one seed are compared with each other: "
    "where seeds are mere numbers of runs, number those of every candidate alike, or do not match them (--unpaired)."
)


@dataclass(frozen=True)
class ImportedCandidate:
    """A candidate of which nothing is known but its runs.

    Args:
        label: its name.
    """

    label: str

    @property
    def title(self) -> str:
        """Its name again."""
        return self.label

    @property
    def kind(self) -> str:
        """What it is."""
        return "runs that were read"

    @property
    def summary(self) -> str:
        """Nothing: nobody told."""
        return ""

    @property
    def tunables(self) -> Tunables:
        """Nothing is tuned."""
        return MappingProxyType({})

    def settings(self, tuned: Settings) -> dict[str, Value]:  # noqa: ARG002 - every Filling takes them; here nothing is tuned
        """Returns nothing: its settings are not known."""
        return {}

    def build(self, tuned: Settings) -> Build:  # noqa: ARG002 - as above
        """Returns nothing: it is not run."""
        return None

    def code(self, tuned: Settings, total_steps: int | None = None) -> str:  # noqa: ARG002 - as above
        """Returns nothing: no lines are known."""
        return ""

    def definition(self) -> dict[str, Any]:
        """Returns nothing beside its label."""
        return {}


def analyse(
    source: Source,
    *,
    direction: Direction | None = None,
    candidate: str | None = None,
    problem: str | None = None,
    seed: str | None = None,
    score: str | None = None,
    cost: str | None = None,
    curve: str | None = None,
    metric_name: str | None = None,
    reference: str | None = None,
    against_reference: bool = False,
    unpaired: bool = False,
    where: Sequence[str] = (),
) -> AnyResult:
    """Analyses runs that others made as :class:`trimtab.Comparison` does its own.

    Args:
        source: path of a CSV file, plain or compressed with gzip, or a mapping from column to value for each run; a
            data frame of pandas, in which missing values are empty cells and only an index that has a name is read; a
            storage of Optuna's, as an SQLAlchemy URL or a file; MLflow's ``mlruns``; a directory with event files of
            TensorBoard's; or a comparison's own ``results.json``, which says all of the rest itself.
        direction: ``"max"`` if more of the score is better, ``"min"`` if less is; it must be said, but of the
            scores of Optuna's studies, which say it themselves.
        candidate: name of the column that says who ran; ``candidate`` by default, and so on.
        problem: of the column that says on what. Without such a column there is one problem, called as the file is. An
            empty text here, for cost or for curve leaves a column of the usual name unread.
        seed: of the column of seeds, which are whole numbers. Runs with the same seed are compared with each other.
        score: of the column of where runs end.
        cost: of the column of what runs used, if it is known.
        curve: of the column of their courses, ``cost:score;cost:score``, if they are known.
        metric_name: what reports call the score; as its column by default.
        reference: candidate that verdicts compare with; by default adamw if it is there, else the first.
        against_reference: whether candidates are compared with the reference alone, so that there are no ranks.
        unpaired: whether seeds have no meaning in common. Runs are not matched then, candidates may have unequally many
            of them, two at least, and there need not be a column of seeds.
        where: which rows count: ``column=value`` or ``column!=value``, all of which must hold.

    Returns:
        What they show; over several problems a result that has one of each. :func:`trimtab.report.write_all` draws it.

    Raises:
        InputError: something cannot be; each fault is named with its line and column.

    Example:
        >>> trimtab.analyse("runs.csv", direction="max", candidate="optimizer", where=["seed!=0"]).conclusion
    """
    if isinstance(source, str) and not source:
        raise InputError("source='': the name of a file or a directory is needed")
    check_flag("against_reference", against_reference)
    check_flag("unpaired", unpaired)
    wanted = {"candidate": candidate, "problem": problem, "seed": seed, "score": score, "cost": cost, "curve": curve}
    if is_json(source) and not is_storage(source):  # a journal of Optuna's begins as JSON does
        given = {**wanted, "direction": direction, "metric_name": metric_name, "reference": reference, "where": where}
        _refuse_options({**given, "against_reference": against_reference, "unpaired": unpaired}, source)
        return read_results(source)
    table = kept_rows(_table(source), where)
    columns = find_columns(table, wanted, seeds=not unpaired)
    name = columns.score if metric_name is None else metric_name
    check_name("metric_name", name)
    runs = read_runs(table, columns)
    labels = list(dict.fromkeys(run.candidate for run in runs))
    kept = chosen_reference(labels, reference)
    by_problem = {each: [run for run in runs if run.problem == each] for each in dict.fromkeys(r.problem for r in runs)}
    sides = {
        each: direction_of(table.name, columns.score, {run.better for run in own}, direction)
        for each, own in by_problem.items()
    }
    results: dict[str, ComparisonResult] = {}
    unfinished = []
    for each, own in by_problem.items():
        said = _Said(table, columns, Metric(name, sides[each]), tuple(where))
        plan, outcomes = _posed(each, labels, own, said.metric)
        results[each] = analyse_plan(
            plan,
            outcomes,
            said.facts(each, own),
            reference=kept,
            environment={key: value for key, value in environment().items() if key in _OF_THE_ANALYSIS},
            against_reference=against_reference,
            unpaired=unpaired,
        )
        there = len({run.candidate for run in own}) == len(labels) if unpaired else len(own) == plan.total_trials
        if not there:
            unfinished.append(each)
        if not unpaired and not any(candidate.rank is not None for candidate in results[each].candidates):
            results[each] = replace(results[each], conclusion=(*results[each].conclusion, _UNSHARED))
    if len(results) == 1:
        return next(iter(results.values()))
    return analyse_over_problems(results, unfinished, kept)


def _table(source: Source) -> Table:
    """Reads a table in whatever form it is there."""
    if is_storage(source):
        return read_storage(source)
    if is_tracking_directory(source):
        return read_tracking_directory(source)
    if is_event_directory(source):
        return read_event_directory(source)
    if isinstance(source, str | Path) and Path(source).is_dir():
        if (store := Path(source, FILE_NAME)).is_file():
            raise InputError(own_store(store, str(store)))
        raise InputError(f"{source} is a directory with neither runs of MLflow's nor event files of TensorBoard's")
    return read_table(source)


def _refuse_options(given: Mapping[str, Any], source: str | Path) -> None:
    """What results say of themselves cannot be said of them."""
    said = [name for name, value in given.items() if value]
    if said:
        name, value = said[0], given[said[0]]
        option = option_of(value) if name == "direction" else _option(name)
        raise InputError(f"{option} ({name}={value!r}) is for tables; {source} says itself what it holds")


def _option(name: str) -> str:
    """What the command line calls an argument."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class _Said:
    """What was said of a table."""

    table: Table
    columns: Columns
    metric: Metric
    where: tuple[str, ...]

    def facts(self, problem: str, runs: Sequence[ImportedRun]) -> Facts:
        """What a reader has to know of a problem, of which there are runs."""
        better = "more" if self.metric.direction == "max" else "less"
        rows = f" Rows that count: {', '.join(self.where)}." if self.where else ""
        left_out = f" Left out: {self.table.left_out}." if self.table.left_out else ""
        read = f"Columns of {self.table.name}: {self.columns.words()}. {better.capitalize()} of the score is better."
        return Facts(
            name=problem,
            reference=self.table.name,
            objective=self.metric,
            cost=Unit(_unit(self.columns.cost)),
            sizes=(("runs", f"{len(runs):,}"),),
            paragraphs=(("Source", read + rows + left_out),),
            origin=(
                f"{count(len(runs), 'run')} from {self.table.name}, made elsewhere: how, and whether every candidate "
                "was tuned alike, is not known here."
            ),
            costed=any(run.cost is not None or run.curve for run in runs),
        )


def _unit(column: str | None) -> str:
    """What costs are counted in: what their column is called, in the singular."""
    if column is None or column.lower() in ("cost", "costs"):
        return "cost unit"
    return column.replace("_", " ").removesuffix("s")


def _posed(
    problem: str, labels: Sequence[str], runs: Sequence[ImportedRun], metric: Metric
) -> tuple[Plan, Mapping[str, Outcome]]:
    """The plan that would have made these runs, and what became of it."""
    seeds = tuple(sorted({run.seed for run in runs}))
    candidates = tuple(map(ImportedCandidate, labels))
    plan = Plan(problem, "", candidates, trials=0, seeds=len(seeds), final_seeds=seeds)
    found = {(run.candidate, run.seed): run for run in runs}
    sign = -1 if metric.direction == "max" else 1
    outcomes = {}
    for point in plan.points({}):
        run = found.get((point.candidate, point.seed))
        if run is not None:
            outcomes[point.key] = _outcome(run, sign)
    return plan, outcomes


def _outcome(run: ImportedRun, sign: int) -> Outcome:
    cost = run.cost if run.cost is not None else run.curve[-1][0] if run.curve else 0
    # where nothing is known of its course, a run was seen once: at its end
    course = run.curve or (() if run.cost is None else ((run.cost, run.score),))
    curve = tuple(CurvePoint(used, None, sign * value, value) for used, value in course)
    return Outcome("complete", sign * run.score, run.score, cost=cost, curve=curve)
