"""The command that says which promises an optimizer keeps."""

import json
from typing import Annotated

import typer
from rich.console import Console

from trimtab.cli.application import app, input_errors, saying, stoppable
from trimtab.cli.completing import complete_candidates

EXIT_CODES = """
Exit codes: 0 every promise holds; 1 some do not; 2 the input cannot work; 130 stopped by Ctrl-C, 143 by SIGTERM.
"""


@app.command(epilog=EXIT_CODES)
def audit(
    optimizer: Annotated[
        str,
        typer.Argument(
            help="package.module:Class, path/to/file.py:Class or a name of the catalogue; settings may stand in "
            "brackets: torch.optim:SGD(lr=0.1).",
            metavar="OPTIMIZER",
            autocompletion=complete_candidates,
        ),
    ],
    new_process: Annotated[
        bool, typer.Option(help="Whether to see, in a new process, that a run goes on there (takes seconds).")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on standard output.")] = False,
) -> None:
    """Check which promises of torch.optim an optimizer keeps: right updates, resuming, pickling, and more."""
    console = Console(emoji=False, highlight=False, stderr=as_json)
    with input_errors(), stoppable(console):
        with saying():
            from trimtab.catalog.auditing import audit as audited
            from trimtab.report.audit import print_audit

        with saying("checking"):
            found = audited(optimizer, new_process=new_process)
        print_audit(console, found)
    if as_json:
        typer.echo(json.dumps(found.facts(), indent=2))
    if not found.holds:
        raise typer.Exit(1)
