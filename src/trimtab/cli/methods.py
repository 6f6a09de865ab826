"""The commands that browse the catalogue, and the one that starts a task."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from trimtab.catalog import entries, families, find, search
from trimtab.catalog.entries import Entry
from trimtab.claims import CLAIMS
from trimtab.cli.application import app, input_errors
from trimtab.lab.errors import InputError
from trimtab.lab.suggestions import nearest


@app.command("list")
def list_entries(
    family: Annotated[str | None, typer.Option(help="Only this family.", autocompletion=families)] = None,
) -> None:
    """List methods and baselines."""
    with input_errors():
        if family is not None and family not in families():
            raise InputError(f"unknown family {family!r}; {nearest(family, families())}")
        _print_entries([entry for entry in entries().values() if family in (None, entry.family)])


@app.command("search")
def search_entries(query: Annotated[list[str], typer.Argument(help='Words, e.g. "large batch".')]) -> None:
    """Find methods by what they do."""
    if not " ".join(query).strip():
        with input_errors():
            raise InputError("search for what? Words that describe a method are needed, such as: large batch")
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
    with input_errors():
        entry = _shown(name)
        from trimtab.catalog.expressions import example
        from trimtab.compare.candidate import Candidate

        candidate = Candidate(example(entry))
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


def _shown(name: str) -> Entry:
    """Returns the entry of a name; of an expression, its parts are to be looked at one by one."""
    parts = [part for part in re.split(r"\W+", name) if part in entries()]
    if len(parts) > 1:
        raise InputError(f"{name!r} is put together: show {' or '.join(parts)}")
    return find(name)


def _verdict(method: str) -> str:
    from trimtab.claims.loading import load_reference
    from trimtab.claims.result import committed
    from trimtab.report.claims import verdict_line

    result = committed(method)
    if result is None:
        return f"not run yet; `trimtab verify {method}` does"
    return verdict_line(load_reference(CLAIMS[method]), result)


@app.command("new-task")
def new_task(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("task.py"),
) -> None:
    """Write a commented task to start from; it runs as it is."""
    with input_errors():
        from trimtab.compare.template import write_template

        name = write_template(path)
        Console().print(
            f"wrote {path}; try it with\n  trimtab compare {path}:{name} --candidates adamw,lion --dry-run",
            markup=False,
        )
