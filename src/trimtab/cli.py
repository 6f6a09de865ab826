"""The command line: parses, calls, prints."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from trimtab.catalog import entries, families, find, nearest, search
from trimtab.catalog.entries import Entry
from trimtab.compare import DEFAULT_TRIALS
from trimtab.lab.errors import InputError, StoreLostError

app = typer.Typer(
    name="trimtab",
    help="Adaptive optimisation for PyTorch: which method helps on your task, with evidence.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

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


@app.command(epilog=EXIT_CODES)
def compare(
    task: Annotated[
        str,
        typer.Argument(help="A task that ships, or path/to/task.py:name.", autocompletion=_complete_tasks),
    ],
    candidates: Annotated[
        str,
        typer.Option(
            help="Names separated by commas; settings in brackets are fixed: lion,adamw(weight_decay=0.1).",
            autocompletion=_complete_candidates,
        ),
    ] = "sgd,adamw,nadam,radam,lion,adabelief",
    trials: Annotated[int, typer.Option(help="Settings tried for each candidate.")] = DEFAULT_TRIALS,
    seeds: Annotated[int | None, typer.Option(help="Fresh seeds of the final runs.  [default: the task's]")] = None,
    budget: Annotated[int | None, typer.Option(help="Length of a run in steps.  [default: the task's]")] = None,
    out: Annotated[Path | None, typer.Option(help="Where results go.  [default: runs/TASK]")] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker processes.  [default: one a core]")] = None,
    reference: Annotated[
        str | None, typer.Option(help="Candidate that verdicts compare with.  [default: adamw, else the first]")
    ] = None,
    pruner: Annotated[
        str | None, typer.Option(help="Gives up hopeless tuning trials: median or successive-halving.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="SQLAlchemy URL of a database that machines share.  [default: a file in --out]"),
    ] = None,
    takeover: Annotated[
        float, typer.Option(help="Seconds without a sign of life after which others take over a process's trials.")
    ] = 60.0,
    patience: Annotated[float, typer.Option(help="Seconds that the store's database may be away.")] = 3600.0,
    executor: Annotated[str, typer.Option(help="Where trials run: local or ray.")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster that runs already.  [default: Ray is started here]")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would run, and for how long.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on standard output.")] = False,
) -> None:
    """Tune candidates on a task with equal budgets, and compare them on fresh seeds."""
    with _input_errors():
        _say_loading()
        from trimtab.compare.comparison import Comparison
        from trimtab.lab.database import shown
        from trimtab.lab.lease import Limits
        from trimtab.report import console as drawing
        from trimtab.report import write_all
        from trimtab.report.export import to_json

        comparison = Comparison(
            task,
            candidates,
            out,
            trials=trials,
            seeds=seeds,
            steps=budget,
            reference=reference,
            pruner=pruner,
            jobs=jobs,
            store=store,
            limits=Limits(takeover, patience),
            executor=executor,
            ray_address=ray_address,
        )
        console = Console(stderr=as_json)
        if dry_run:
            drawing.print_plan(console, comparison.plan, comparison.estimated_seconds(), comparison.jobs)
            return
        try:
            with drawing.ProgressBars(console, comparison.plan.seeds) as bars:
                result = comparison.run(bars)
        except KeyboardInterrupt:
            command = shlex.join(["trimtab", *sys.argv[1:]])
            console.print(
                f"\nStopped. What is finished is kept in {shown(comparison.location)}; go on with\n  {command}",
                markup=False,
            )
            raise typer.Exit(130) from None
        paths = write_all(result, comparison.out)
        drawing.print_summary(console, result, paths)
    if as_json:
        typer.echo(to_json(result))
    if any(candidate.rank is None for candidate in result.candidates):
        raise typer.Exit(1)


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
        Console(highlight=False).print(table)


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
