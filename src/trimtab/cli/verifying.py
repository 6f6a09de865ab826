"""The command that tries claims."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trimtab.claims import CLAIMS
from trimtab.cli.application import app, input_errors, saying, stoppable
from trimtab.cli.options import path_option
from trimtab.lab.work import LIKELY, NEEDED
from trimtab.study.errors import InputError
from trimtab.study.starting import prepare_workers

EXIT_CODES = """
Exit codes: 0 every claim was judged, whatever the verdict; 1 a claim could not be judged; 2 the input cannot work;
3 results cannot be written any more; 130 stopped by Ctrl-C, 143 by SIGTERM (after these three, the same command goes
on).
"""


@app.command(epilog=EXIT_CODES)
def verify(
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Methods whose claims to try.", metavar="METHOD", autocompletion=lambda: list(CLAIMS)),
    ] = None,
    all_claims: Annotated[bool, typer.Option("--all", help="Every claim there is.")] = False,
    scale: Annotated[str, typer.Option(help="small, or full: says what the paper used that is not here.")] = "small",
    jobs: Annotated[int | None, typer.Option(help="Worker processes. (default: one a core)")] = None,
    out: Annotated[Path, path_option("Where results go.")] = Path("runs/claims"),
) -> None:
    """Try a method's central claim: a small experiment of 6 to 21 processor minutes, with a verdict."""
    console = Console(emoji=False)
    complete = True
    with input_errors(), stoppable(console, str(out)):
        if all_claims == bool(methods):
            raise InputError(f"name methods or give --all; there are claims for {', '.join(CLAIMS)}")
        with saying():
            prepare_workers((*NEEDED, *LIKELY, "trimtab.claims.work"))
            from trimtab.claims.loading import load_reference
            from trimtab.claims.runner import NotJudged
            from trimtab.claims.runner import verify as try_claims
            from trimtab.report.claims import print_claim, watching

        trials = try_claims(None if all_claims else methods, out, jobs=jobs, scale=scale, watch=watching(console))
        for result in trials:
            if isinstance(result, NotJudged):
                complete = False
                console.print(f"\n{result.id} could not be judged: {result.reason}", markup=False, style="red")
            else:
                print_claim(console, load_reference(CLAIMS[result.id]), result)
    if not complete:
        raise typer.Exit(1)
