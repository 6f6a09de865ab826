"""Any page that comes as data, drawn: one HTML file, and what the terminal shows of it."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as TerminalTable
from rich.text import Text

from trimtab.report.document import render
from trimtab.report.figures.lines import lines
from trimtab.report.figures.style import series_role
from trimtab.report.wrapping import wrapped
from trimtab.study.files import write_atomically
from trimtab.study.pages import Code, Column, Figure, Page, Part, Section, Table

_LABEL_WIDTH = 32


def write_sections(page: Page, path: str | Path) -> Path:
    """Writes a page to one file that loads nothing from anywhere.

    Args:
        page: what it says.
        path: of the HTML file; its directory is made if it is missing.

    Raises:
        UnwritableError: the operating system refuses.
    """
    return write_atomically(path, render_sections(page))


def render_sections(page: Page) -> str:
    """Returns a page as HTML."""
    figures = {part.name: part for part in page.parts if isinstance(part, Figure)}
    values = {
        "page": page,
        "version": importlib.metadata.version("trimtab"),
        "main": _main(page),
        "columns": {
            each.place: [_kinds(parts) for parts in (each.parts, each.beside) if parts] for each in page.sections
        },
        "series_role": series_role,
        "captions": {name: (figure.heading, figure.caption) for name, figure in figures.items()},
        "descriptions": {name: figure.description for name, figure in figures.items()},
    }
    return render("sections.html.jinja", {name: lines(each) for name, each in figures.items()}, values, scripts=[])


def _kinds(parts: Sequence[Part]) -> list[tuple[str, Part]]:
    """Returns parts with the name of their kind, by which the template draws them."""
    return [(type(part).__name__, part) for part in parts]


def _main(page: Page) -> Section:
    """Returns where those go who skip the rest: to the numbers, which say what figures show, or to the beginning."""
    tables = (each for each in page.sections if any(isinstance(part, Table) for part in each.parts))
    return next(tables, page.sections[0])


def print_sections(console: Console, page: Page, paths: Mapping[str, Path]) -> None:
    """Prints a page's tables, its sentences and its code, and where files are; blocks with a line between them.

    Args:
        console: where to.
        page: what it says.
        paths: what is in a file, and the file.
    """
    tables = [terminal_table(part) for part in page.parts if isinstance(part, Table)]
    blocks: list[list[TerminalTable | Text]] = [
        [*tables, *(Text(sentence, style="yellow") for sentence in page.warnings)],
        [Text(sentence) for sentence in page.conclusion],
        [Text(sentence, style="dim") for sentence in page.cautions],
        [Text(part.text, no_wrap=True, overflow="ignore") for part in page.parts if isinstance(part, Code)],
        [_link(name, path) for name, path in paths.items()],
    ]
    for place, block in enumerate(filter(None, blocks)):
        if place:
            console.print()
        for piece in block:
            # what is to be copied stays in one line, however narrow the window
            console.print(piece, soft_wrap=isinstance(piece, Text) and bool(piece.no_wrap))


def _link(name: str, path: Path) -> Text:
    text = Text(f"{name:<9}", no_wrap=True, overflow="ignore")
    return text.append(str(path), style=f"link {path.resolve().as_uri()}")


def terminal_table(table: Table) -> TerminalTable:
    """Returns a table as a terminal shows it."""
    shown = [place for place, column in enumerate(table.columns) if column.brief != ""]
    drawn = TerminalTable(box=None, pad_edge=False, header_style="bold")
    for place in shown:
        column = table.columns[place]
        heading = Text(column.heading if column.brief is None else column.brief)
        if column.text or place == table.names:
            drawn.add_column(heading, overflow="fold", min_width=8)
        else:
            drawn.add_column(heading, justify="right", no_wrap=True)
    above: dict[int, str] = {}
    for row in table.rows:
        cells = {place: row.cells[place] for place in shown}
        drawn.add_row(*(_cell(table.columns[place], text, above.get(place)) for place, text in cells.items()))
        above = cells
    return drawn


def _cell(column: Column, text: str, above: str | None) -> Text:
    if column.sparse and text == above:
        return Text("")
    return Text("\n".join(wrapped(text, _LABEL_WIDTH)) if column.text else text)
