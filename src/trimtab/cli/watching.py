"""The command that looks at a study from another terminal."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from trimtab.cli.application import app, input_errors
from trimtab.cli.options import given_path

if TYPE_CHECKING:
    from trimtab.study.status import StudyStatus

WATCH_SECONDS = 5.0


@app.command(epilog="Exit codes: 0 there is a study, whatever its state; 2 there is none, or it cannot be read.")
def status(
    directory: Annotated[
        Path, typer.Argument(parser=given_path, help="Directory of a comparison, or of claims.", metavar="DIR")
    ],
    store: Annotated[str | None, typer.Option(help="URL of its store, if that is not in the directory.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every few seconds, until it ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON; with --watch, an object a line.")] = False,
) -> None:
    """Show how a study stands, from any terminal, without disturbing it."""
    with input_errors():
        from trimtab.report.status_text import print_status
        from trimtab.study.status import to_dict

        console = Console(emoji=False)
        for found in _looks(directory, store, watch=watch):
            if as_json:
                typer.echo(json.dumps(to_dict(found), indent=None if watch else 2, allow_nan=False))
                continue
            if watch and console.is_terminal:
                console.clear()
            for each in found:
                print_status(console, each)


def _looks(directory: Path, store: str | None, *, watch: bool) -> "Iterator[list[StudyStatus]]":
    """Looks once, or again and again until nothing goes on any more or Ctrl-C."""
    from trimtab.study.statuses import statuses

    try:
        found = statuses(directory, store)
        yield found
        while watch and not all(each.state in ("empty", "stopped", "finished") for each in found):
            time.sleep(WATCH_SECONDS)
            found = statuses(directory, store)
            yield found
    except KeyboardInterrupt:
        return
