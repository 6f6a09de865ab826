"""The commands that browse the catalogue, and the one that starts a task."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.catalog import entries, families, find, search
from trimtab.catalog.entries import Entry
from trimtab.claims import CLAIMS
from trimtab.cli.application import app, input_errors
from trimtab.lab.tasks import SUMMARIES
from trimtab.study.errors import InputError
from trimtab.study.suggestions import nearest

AsJSON = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


class Listed(StrEnum):
    """What there is to list."""

    METHODS = "methods"
    TASKS = "tasks"


@app.command("list")
def list_entries(
    what: Annotated[Listed, typer.Argument(help="methods, or tasks that ship.", metavar="WHAT")] = Listed.METHODS,
    family: Annotated[str | None, typer.Option(help="Only this family.", autocompletion=families)] = None,
    as_json: AsJSON = False,
) -> None:
    """List methods and baselines, or the tasks that ship."""
    with input_errors():
        if what is Listed.TASKS:
            if family is not None:
                raise InputError(f"--family {family}: tasks have none")
            _print_tasks(as_json=as_json)
            return
        if family is not None and family not in families():
            raise InputError(f"unknown family {family!r}; {nearest(family, families())}")
        _print_entries([entry for entry in entries().values() if family in (None, entry.family)], as_json=as_json)
        if family is None and not as_json:
            Console().print(f"\nTasks that ship (`trimtab list tasks` says what they are): {', '.join(SUMMARIES)}")


def _print_tasks(*, as_json: bool) -> None:
    if as_json:
        _print_json([{"name": name, "summary": summary} for name, summary in SUMMARIES.items()])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task", no_wrap=True)
    table.add_column("what it is")
    for name, summary in SUMMARIES.items():
        table.add_row(name, summary)
    Console().print(table)


@app.command("search")
def search_entries(
    query: Annotated[list[str], typer.Argument(help='Words, e.g. "large batch".', metavar="WORD")],
    as_json: AsJSON = False,
) -> None:
    """Find methods by what they do."""
    if not " ".join(query).strip():
        with input_errors():
            raise InputError("search for what? Words that describe a method are needed, such as: large batch")
    found = search(" ".join(query))
    if not found:
        Console(stderr=True).print(f"nothing found for {' '.join(query)!r}; `trimtab list` shows everything")
        if as_json:
            _print_json([])
        raise typer.Exit(1)
    _print_entries(found, as_json=as_json)


def _print_entries(found: Sequence[Entry], *, as_json: bool) -> None:
    if as_json:
        _print_json([asdict(entry) for entry in found])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "kind", "family", "what it does"):
        table.add_column(column, no_wrap=column != "what it does")
    for entry in found:
        table.add_row(entry.id, entry.kind, entry.family, entry.summary)
    Console().print(table)


def _print_json(found: object) -> None:
    typer.echo(json.dumps(found, indent=2, allow_nan=False))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=lambda: list(entries()))],
    as_json: AsJSON = False,
) -> None:
    """Show everything about one method."""
    with input_errors():
        entry = _shown(name)
        from trimtab.catalog.candidates import Candidate
        from trimtab.catalog.expressions import example

        candidate = Candidate(example(entry))
        tuned = {name: tunable.at(0.5) for name, tunable in candidate.tunables.items()}
        ranges = {key: str(tunable) for key, tunable in candidate.tunables.items()}
        code, verdict = candidate.code(tuned), _verdict(entry.id) if entry.id in CLAIMS else None
        if as_json:
            more = {"citation": entry.citation, "tuned": ranges, "use": code, "verdict": verdict}
            _print_json({**asdict(entry), **more})
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for key in ("title", "kind", "family", "summary", "adapts", "signal", "when", "when_not", "citation"):
            table.add_row(key.replace("_", " "), str(getattr(entry, key)))
        table.add_row("tuned", "\n".join(f"{key}: {text}" for key, text in ranges.items()))
        if verdict is not None:
            table.add_row("verdict", verdict)
        console = Console(highlight=False)
        console.print(table)
        console.print("\nuse", style="bold")
        console.print(Text(code), soft_wrap=True)  # a wrapped line cannot be pasted


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
    path: Annotated[Path, typer.Argument(help="File to write.", metavar="FILE")] = Path("task.py"),
) -> None:
    """Write a commented task to start from; it runs as it is."""
    with input_errors():
        from trimtab.compare.template import write_template

        name = write_template(path)
        Console().print(
            f"wrote {path}; try it with\n  trimtab compare {path}:{name} --candidates adamw,lion --dry-run",
            markup=False,
        )
