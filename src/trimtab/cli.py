"""The command line: parses, calls, prints."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from trimtab.catalog import entries, families, find, nearest, search
from trimtab.catalog.entries import Entry
from trimtab.claims import CLAIMS
from trimtab.compare import DEFAULT_TRIALS
from trimtab.lab.errors import InputError, StoreLostError

if TYPE_CHECKING:
    from trimtab.compare.running import PlannedComparison

app = typer.Typer(
    name="trimtab",
    help="Adaptive optimisation for PyTorch: which method helps on your task, with evidence.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

VERIFY_EXIT_CODES = """
Exit codes: 0 every claim was judged, whatever the verdict; 1 a claim could not be judged; 2 the input cannot work;
130 stopped by Ctrl-C (the same command goes on).
"""

EXIT_CODES = """
Exit codes: 0 every candidate was ranked; 1 the comparison ended, but some candidate could not be ranked;
2 the input cannot work; 3 the store's database went away and stayed away; 130 stopped by Ctrl-C (after both, the same
command goes on).
"""


def _complete_tasks(incomplete: str) -> list[str]:
    from trimtab.lab.tasks import SHIPPED

    return [name for name in SHIPPED if name.startswith(incomplete)]


def _complete_candidates(incomplete: str) -> list[str]:
    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in entries() if name.startswith(last)]


@contextmanager
def _input_errors() -> Iterator[None]:
    """Prints what is wrong with the input in one place, without a traceback."""
    try:
        yield
    except (InputError, StoreLostError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(3 if isinstance(error, StoreLostError) else 2) from None


DEFAULT_CANDIDATES = "sgd,adamw,nadam,radam,lion,adabelief"
COMMANDS = "Compare on a command of yours"
MACHINES = "Use other machines"


@app.command(epilog=EXIT_CODES)
def compare(
    task: Annotated[
        str | None,
        typer.Argument(help="A task that ships, or path/to/task.py:name.", autocompletion=_complete_tasks),
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            help="Names separated by commas; settings in brackets are fixed: lion,adamw(weight_decay=0.1). "
            f"(default: {DEFAULT_CANDIDATES})",
            autocompletion=_complete_candidates,
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="Settings tried for each candidate.")] = DEFAULT_TRIALS,
    seeds: Annotated[
        int | None, typer.Option(help="Fresh seeds of the final runs. (default: the task's; 5 for a command)")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Length of a run in steps. (default: the task's)")] = None,
    out: Annotated[Path | None, typer.Option(help="Where results go. (default: runs/TASK)")] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker processes. (default: one a core)")] = None,
    reference: Annotated[
        str | None, typer.Option(help="Candidate that verdicts compare with. (default: adamw, else the first)")
    ] = None,
    pruner: Annotated[
        str | None, typer.Option(help="Gives up hopeless tuning trials: median or successive-halving.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="SQLAlchemy URL of a database that machines share. (default: a file in --out)",
            rich_help_panel=MACHINES,
        ),
    ] = None,
    takeover: Annotated[
        float,
        typer.Option(
            help="Seconds without a sign of life after which others take over a process's trials.",
            rich_help_panel=MACHINES,
        ),
    ] = 60.0,
    patience: Annotated[
        float, typer.Option(help="Seconds that the store's database may be away.", rich_help_panel=MACHINES)
    ] = 3600.0,
    executor: Annotated[str, typer.Option(help="Where trials run: local or ray.", rich_help_panel=MACHINES)] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="Of a Ray cluster that runs already. (default: Ray is started here)", rich_help_panel=MACHINES
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            help='A script with places: "python train.py --opt {optimizer} --lr {lr} --seed {seed}".',
            rich_help_panel=COMMANDS,
        ),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="A candidate with its own command: name=command. Repeatable.", rich_help_panel=COMMANDS),
    ] = None,
    tune: Annotated[
        list[str] | None,
        typer.Option(
            help="A range: lr=1e-4..1e-1:log, batch=16,32, or for one candidate lion.lr=1e-5..1e-2:log. Repeatable.",
            rich_help_panel=COMMANDS,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Name, or pattern with one group; its last match counts.", rich_help_panel=COMMANDS),
    ] = None,
    metric_file: Annotated[
        str | None, typer.Option(help="JSON file and key: {out}/metrics.json:val.loss.", rich_help_panel=COMMANDS)
    ] = None,
    metric_name: Annotated[str | None, typer.Option(help="What reports call it.", rich_help_panel=COMMANDS)] = None,
    maximize: Annotated[
        bool, typer.Option("--maximize", help="More of it is better.", rich_help_panel=COMMANDS)
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a trial has failed.", rich_help_panel=COMMANDS)
    ] = None,
    shell: Annotated[
        bool, typer.Option("--shell", help="A shell reads the command.", rich_help_panel=COMMANDS)
    ] = False,
    unseeded: Annotated[
        bool,
        typer.Option("--unseeded", help="The command needs no {seed}: see the manual.", rich_help_panel=COMMANDS),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would run, and for how long.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on standard output.")] = False,
) -> None:
    """Tune candidates on a task, or a command, with equal budgets, and compare them on fresh seeds."""
    shared: dict[str, Any] = {
        "out": out,
        "trials": trials,
        "reference": reference,
        "pruner": pruner,
        "jobs": jobs,
        "store": store,
        "executor": executor,
        "ray_address": ray_address,
    }
    own = {
        "tune": tune or [],
        "metric": metric,
        "metric_file": metric_file,
        "metric_name": metric_name,
        "maximize": maximize,
        "timeout": timeout,
        "shell": shell,
        "unseeded": unseeded,
    }
    with _input_errors():
        from trimtab.lab.lease import Limits

        shared["limits"] = Limits(takeover, patience)
        if command is None and not candidate:
            _refuse(own, "belongs to a comparison with --command")
            if task is None:
                raise InputError("name a task (digits, path/to/task.py:name), or give a --command")
            comparison = _task_comparison(task, candidates or DEFAULT_CANDIDATES, seeds=seeds, steps=budget, **shared)
        else:
            _refuse({"TASK": task}, "cannot be given together with --command")
            _refuse({"budget": budget}, "is for tasks; write the length of a run into the command")
            comparison = _command_comparison(command, candidates, candidate or [], seeds=seeds, **shared, **own)
        _compare(comparison, dry_run=dry_run, as_json=as_json)


def _refuse(options: dict[str, Any], words: str) -> None:
    for name, value in options.items():
        if value not in (None, False, []):
            raise InputError(f"{name if name.isupper() else '--' + name.replace('_', '-')} {words}")


def _task_comparison(task: str, candidates: str, **options: Any) -> "PlannedComparison":
    _say_loading()
    from trimtab.compare.comparison import Comparison

    return Comparison(task, candidates, **options)


def _command_comparison(
    command: str | None, candidates: str | None, own: list[str], *, seeds: int | None, **options: Any
) -> "PlannedComparison":
    _say_loading()
    from trimtab.compare.command.comparison import DEFAULT_SEEDS, CommandComparison, named_commands

    named = named_commands(candidates, own)
    return CommandComparison(command, named, seeds=DEFAULT_SEEDS if seeds is None else seeds, **options)


def _compare(comparison: "PlannedComparison", *, dry_run: bool, as_json: bool) -> None:
    from trimtab.lab.database import shown
    from trimtab.report import console as drawing
    from trimtab.report import write_all
    from trimtab.report.export import to_json

    console = Console(stderr=as_json)
    if dry_run:
        drawing.print_dry_run(console, comparison)
        return
    try:
        with drawing.ProgressBars(console, lambda: comparison.plan.seeds, sign=comparison.facts().sign) as bars:
            result = comparison.run(bars)
    except KeyboardInterrupt:
        _say_how_to_go_on(console, shown(comparison.location))
    paths = write_all(result, comparison.out)
    drawing.print_summary(console, result, paths)
    if as_json:
        typer.echo(to_json(result))
    if any(candidate.rank is None for candidate in result.candidates):
        raise typer.Exit(1)


@app.command(epilog=VERIFY_EXIT_CODES)
def verify(
    methods: Annotated[
        list[str] | None, typer.Argument(help="Methods whose claims to try.", autocompletion=lambda: list(CLAIMS))
    ] = None,
    all_claims: Annotated[bool, typer.Option("--all", help="Every claim there is.")] = False,
    scale: Annotated[str, typer.Option(help="small, or full: says what the paper used that is not here.")] = "small",
    jobs: Annotated[int | None, typer.Option(help="Worker processes. (default: one a core)")] = None,
    out: Annotated[Path, typer.Option(help="Where results go.")] = Path("runs/claims"),
) -> None:
    """Try a method's central claim: a small experiment of at most 15 processor minutes, with a verdict."""
    with _input_errors():
        if all_claims == bool(methods):
            raise InputError(f"name methods or give --all; there are claims for {', '.join(CLAIMS)}")
        _say_loading()
        from trimtab.claims.runner import NotJudged
        from trimtab.claims.runner import verify as try_claims
        from trimtab.report.claims import print_claim, watching

        console = Console()
        trials = try_claims(None if all_claims else methods, out, jobs=jobs, scale=scale, watch=watching(console))
        complete = True
        try:
            for result in trials:
                if isinstance(result, NotJudged):
                    complete = False
                    console.print(f"\n{result.id} could not be judged: {result.reason}", markup=False, style="red")
                else:
                    print_claim(console, result)
        except KeyboardInterrupt:
            _say_how_to_go_on(console, str(out))
    if not complete:
        raise typer.Exit(1)


def _say_how_to_go_on(console: Console, place: str) -> NoReturn:
    command = shlex.join(["trimtab", *sys.argv[1:]])
    console.print(f"\nStopped. What is finished is kept in {place}; go on with\n  {command}", markup=False)
    raise typer.Exit(130) from None


def _say_loading() -> None:
    """Importing torch takes seconds; say so where somebody is watching."""
    if sys.stderr.isatty():
        Console(stderr=True).print("loading torch ...", style="dim", end="\r")


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(help="Directory of a comparison, finished or running.")],
    store: Annotated[str | None, typer.Option(help="URL of its store, if that is not in the directory.")] = None,
) -> None:
    """Draw the report of a comparison anew from its store."""
    with _input_errors():
        from trimtab.compare.comparison import load_result
        from trimtab.report import console as drawing
        from trimtab.report import write_all

        result = load_result(directory, store)
        drawing.print_summary(Console(), result, write_all(result, directory))


@app.command("list")
def list_entries(
    family: Annotated[str | None, typer.Option(help="Only this family.", autocompletion=families)] = None,
) -> None:
    """List methods and baselines."""
    with _input_errors():
        if family is not None and family not in families():
            raise InputError(f"unknown family {family!r}; {nearest(family, families())}")
        _print_entries([entry for entry in entries().values() if family in (None, entry.family)])


@app.command("search")
def search_entries(query: Annotated[list[str], typer.Argument(help='Words, e.g. "large batch".')]) -> None:
    """Find methods by what they do."""
    found = search(" ".join(query))
    if not found:
        Console(stderr=True).print(f"nothing found for {' '.join(query)!r}; `trimtab list` shows everything")
        raise typer.Exit(1)
    _print_entries(found)


def _print_entries(found: list[Entry]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "kind", "family", "what it does"):
        table.add_column(column, no_wrap=column != "what it does")
    for entry in found:
        table.add_row(entry.id, entry.kind, entry.family, entry.summary)
    Console().print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(autocompletion=lambda: list(entries()))]) -> None:
    """Show everything about one method."""
    with _input_errors():
        entry = find(name)
        from trimtab.compare.candidate import Candidate

        candidate = Candidate(entry)
        tuned = {name: tunable.at(0.5) for name, tunable in candidate.tunables.items()}
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for key in ("title", "kind", "family", "summary", "adapts", "signal", "when", "when_not", "citation"):
            table.add_row(key.replace("_", " "), str(getattr(entry, key)))
        table.add_row("tuned", "\n".join(f"{key}: {tunable}" for key, tunable in candidate.tunables.items()))
        table.add_row("use", candidate.code(tuned))
        if entry.id in CLAIMS:
            table.add_row("verdict", _verdict(entry.id))
        Console(highlight=False).print(table)


def _verdict(method: str) -> str:
    from trimtab.claims.result import committed
    from trimtab.report.claims import verdict_line

    result = committed(method)
    return f"not run yet; `trimtab verify {method}` does" if result is None else verdict_line(result)


@app.command("new-task")
def new_task(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("task.py"),
) -> None:
    """Write a commented task to start from; it runs as it is."""
    with _input_errors():
        from trimtab.compare.template import write_template

        name = write_template(path)
        Console().print(
            f"wrote {path}; try it with\n  trimtab compare {path}:{name} --candidates adamw,lion --dry-run",
            markup=False,
        )


def main() -> None:
    """Entry point."""
    app()
