"""The command that analyses runs that others made."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trimtab.cli.application import app, input_errors, saying
from trimtab.cli.options import AgainstReference, Reference, path_option

EXIT_CODES = """
Exit codes: 0 every candidate was ranked; 1 some candidate could not be ranked; 2 the input cannot work; 3 results
cannot be written.
"""

COLUMNS = "Which column is which"


def _column(what: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(help=what, metavar="COLUMN", rich_help_panel=COLUMNS)
    return found


@app.command(epilog=EXIT_CODES)
def analyse(
    file: Annotated[
        str,
        typer.Argument(
            help="A CSV file, plain or .gz, with a line a run; a results.json; an Optuna storage; MLflow's mlruns; a "
            "directory of TensorBoard's.",
            metavar="FILE",
        ),
    ],
    maximize: Annotated[bool, typer.Option("--maximize", help="More of the score is better.")] = False,
    minimize: Annotated[bool, typer.Option("--minimize", help="Less of the score is better.")] = False,
    candidate: Annotated[str | None, _column("Who ran. (default: candidate, and so on)")] = None,
    problem: Annotated[str | None, _column("On what. (without such a column, there is one problem)")] = None,
    seed: Annotated[str | None, _column("Of the run; runs with the same seed are compared with each other.")] = None,
    score: Annotated[str | None, _column("Where the run ended.")] = None,
    cost: Annotated[str | None, _column("What the run used, if it is known.")] = None,
    curve: Annotated[str | None, _column("Its course, cost:score;cost:score, if it is known.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only rows with column=value, or column!=value. Repeatable.", metavar="CONDITION"),
    ] = None,
    metric_name: Annotated[str | None, typer.Option(help="What reports call the score. (default: its column)")] = None,
    reference: Reference = None,
    against_reference: AgainstReference = False,
    unpaired: Annotated[
        bool,
        typer.Option(
            "--unpaired", help="Seeds have no meaning in common: runs are not matched, and there may be unequally many."
        ),
    ] = False,
    out: Annotated[Path | None, path_option("Where the report goes. (default: runs/FILE)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on standard output.")] = False,
) -> None:
    """Analyse runs that others made, from a table of their scores, as a comparison's own."""
    with input_errors():
        with saying():
            from trimtab.compare.imported.direction import chosen_direction
            from trimtab.compare.imported.outcomes import analyse as analyse_runs
            from trimtab.compare.imported.place import directory_for
            from trimtab.report import console as drawing
            from trimtab.report import write_all
            from trimtab.report.export import to_json

        result = analyse_runs(
            file,
            direction=chosen_direction(maximize=maximize, minimize=minimize),
            candidate=candidate,
            problem=problem,
            seed=seed,
            score=score,
            cost=cost,
            curve=curve,
            metric_name=metric_name,
            reference=reference,
            against_reference=against_reference,
            unpaired=unpaired,
            where=where or [],
        )
        paths = write_all(result, directory_for(file, out, result))
        drawing.print_summary(Console(emoji=False, stderr=as_json), result, paths)
    if as_json:
        typer.echo(to_json(result))
    if not result.ranked:
        raise typer.Exit(1)
