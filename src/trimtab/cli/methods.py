"""The commands that browse the catalogue, and those that start a problem."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.catalog import entries, families, find, search
from trimtab.catalog.entries import Entry
from trimtab.catalog.listing import Listed, listed, problems_that_ship, search_problems
from trimtab.catalog.slots import SLOTS, example, with_settings
from trimtab.claims import CLAIMS
from trimtab.cli.application import app, input_errors
from trimtab.cli.options import given_path
from trimtab.lab.references import STUDY
from trimtab.lab.shipped import PROBLEMS, of_slot
from trimtab.lab.tables.references import is_table
from trimtab.study.errors import InputError
from trimtab.study.suggestions import nearest

AsJSON = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


WHAT = ("methods", "problems", "tasks")
"""What there is to list."""


_LISTED_SLOTS = [name for name in SLOTS if of_slot(name)]


@app.command("list")
def list_entries(
    what: Annotated[
        str,
        typer.Argument(
            help="methods, problems that ship, or training tasks among them.",
            metavar="WHAT",
            autocompletion=lambda: list(WHAT),
        ),
    ] = "methods",
    family: Annotated[str | None, typer.Option(help="Only this family.", autocompletion=families)] = None,
    slot: Annotated[str | None, typer.Option(help="Only what fills this slot, or leaves it open.")] = None,
    as_json: AsJSON = False,
) -> None:
    """List methods and baselines by the slot that they fill, or the problems that ship."""
    with input_errors():
        if what not in WHAT:
            raise InputError(f"there is no list of {what!r}; {nearest(what, WHAT)}")
        if slot is not None and slot not in SLOTS:
            raise InputError(f"unknown slot {slot!r}; {nearest(slot, _LISTED_SLOTS)}")
        if what != "methods":
            if family is not None:
                raise InputError(f"--family {family}: {what} have none")
            if what == "tasks" and slot not in (None, "optimizer"):
                raise InputError(
                    f"--slot {slot}: tasks leave the optimizer open; `trimtab list problems` has the others"
                )
            _print_problems(problems_that_ship("optimizer" if what == "tasks" else slot), as_json=as_json)
            return
        if family is not None and family not in families():
            raise InputError(f"unknown family {family!r}; {nearest(family, families())}")
        found = listed(family, slot)
        if as_json:
            _print_entries([entry for each in found for entry in each.entries], as_json=True)
            return
        for each in found:
            _print_listed(each)
        if not found:
            Console(emoji=False).print("nothing in the catalogue; candidates are your own")


def _print_listed(found: Listed) -> None:
    """Prints what fills a slot, and on what it can be compared."""
    console = Console(emoji=False, highlight=False)
    console.print(f"\n{found.what}", style="bold")
    _print_entries(found.entries, as_json=False)
    if found.problems:
        problems = ", ".join(found.problems)
        console.print(f"compared on: {problems} (`trimtab list problems` says what they are)")


def _print_problems(found: Mapping[str, Mapping[str, str]], *, as_json: bool) -> None:
    if not found and not as_json:
        Console(emoji=False).print("none ships; problems are your own")
        return
    if as_json:
        _print_json([{"name": name, **each} for name, each in found.items()])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("problem", no_wrap=True)
    table.add_column("candidates", no_wrap=True)
    table.add_column("what it is")
    for name, each in found.items():
        table.add_row(name, each["candidates"], each["summary"])
    Console(emoji=False).print(table)


@app.command("search")
def search_entries(
    query: Annotated[list[str], typer.Argument(help='Words, e.g. "large batch".', metavar="WORD")],
    as_json: AsJSON = False,
) -> None:
    """Find methods by what they do, and problems by what they are."""
    if not " ".join(query).strip():
        with input_errors():
            raise InputError("search for what? Words that describe a method are needed, such as: large batch")
    found, problems = search(" ".join(query)), search_problems(" ".join(query))
    if not found and not problems:
        Console(stderr=True).print(Text(f"nothing found for {' '.join(query)!r}; `trimtab list` shows everything"))
        if as_json:
            _print_json([])
        raise typer.Exit(1)
    if as_json:
        rows = [{"id": name, "kind": "problem", **each} for name, each in problems.items()]
        _print_json([*map(asdict, found), *rows])
        return
    if found:
        _print_entries(found, as_json=False)
    if problems:
        typer.echo("\nproblems" if found else "problems")
        _print_problems(problems, as_json=False)


def _print_entries(found: Sequence[Entry], *, as_json: bool) -> None:
    if as_json:
        _print_json([asdict(entry) for entry in found])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "kind", "family", "what it does"):
        table.add_column(column, no_wrap=column != "what it does")
    for entry in found:
        table.add_row(entry.id, entry.kind, entry.family, entry.summary)
    Console(emoji=False).print(table)


def _print_json(found: object) -> None:
    typer.echo(json.dumps(found, indent=2, allow_nan=False))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=lambda: [*entries(), *PROBLEMS])],
    as_json: AsJSON = False,
) -> None:
    """Show everything about one method, or about one problem."""
    with input_errors():
        place = name.partition("(")[0]
        if place in PROBLEMS or ".py" in name or is_table(place) or place.startswith(STUDY):
            _show_problem(name, as_json=as_json)
            return
        entry = _shown(name)
        candidate = with_settings(entry, name) if "(" in name else example(entry)
        tuned = {name: tunable.at(0.5) for name, tunable in candidate.tunables.items()}
        ranges = {key: str(tunable) for key, tunable in candidate.tunables.items()}
        code, verdict = candidate.code(tuned), _verdict(entry.key) if entry.key in CLAIMS else None
        if as_json:
            more = {"citation": entry.citation, "tuned": ranges, "use": code, "verdict": verdict}
            _print_json({**asdict(entry), **more})
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for key in ("title", "kind", "family", "summary", "adapts", "signal", "when", "when_not", "citation"):
            table.add_row(key.replace("_", " "), str(getattr(entry, key)))
        table.add_row("tuned", "\n".join(f"{key}: {text}" for key, text in ranges.items()) or "nothing")
        if verdict is not None:
            table.add_row("verdict", verdict)
        console = Console(emoji=False, highlight=False)
        console.print(table)
        console.print("\nuse", style="bold")
        console.print(Text(code), soft_wrap=True)  # a wrapped line cannot be pasted


def _show_problem(reference: str, *, as_json: bool) -> None:
    from trimtab.catalog.problems import describe

    found = describe(reference)
    if as_json:
        _print_json(asdict(found))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for key, value in (
        ("problem", found.name),
        ("what it is", found.summary),
        ("candidates", found.candidates),
        ("what counts", found.metric),
        ("target", found.target or "none of its own: where the reference ends"),
        ("a run has", found.cost),
        ("fresh seeds", str(found.seeds)),
        *found.sizes,
        ("in brackets", ", ".join(found.takes) or "nothing"),
        ("what fits", "; ".join(filter(None, (", ".join(found.fits), found.own)))),
    ):
        table.add_row(key, Text(value))
    console = Console(emoji=False, highlight=False)
    console.print(table)
    console.print("\nuse", style="bold")
    console.print(Text(found.use), soft_wrap=True)


def _shown(name: str) -> Entry:
    """Returns the entry of a name; of an expression, its parts are to be looked at one by one."""
    parts = [part for part in re.split(r"\W+", name) if part in entries()]
    if len(parts) > 1:
        raise InputError(f"{name!r} is put together: show {' or '.join(parts)}")
    return find(name.partition("(")[0], problems=PROBLEMS)


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
    path: Annotated[Path, typer.Argument(parser=given_path, help="File to write.", metavar="FILE")] = Path("task.py"),
) -> None:
    """Write a commented training task to start from; it runs as it is."""
    _write_template(path, "optimizer")


_TEMPLATES = [name for name, slot in SLOTS.items() if slot.template]


@app.command("new-problem")
def new_problem(
    path: Annotated[Path, typer.Argument(parser=given_path, help="File to write.", metavar="FILE")] = Path(
        "problem.py"
    ),
    slot: Annotated[str, typer.Option(help=f"What is left open: {', '.join(_TEMPLATES)}.")] = "optimizer",
) -> None:
    """Write a commented problem to start from; it runs as it is."""
    _write_template(path, slot)


def _write_template(path: Path, slot: str) -> None:
    with input_errors():
        from trimtab.compare.template import write_template

        name = write_template(path, slot)
        few = ",".join(SLOTS[slot].default.split(",")[1:3])
        words = f"wrote {path}; try it with\n  trimtab compare {path}:{name} --candidates {few} --dry-run"
        Console().print(Text(words), soft_wrap=True)
