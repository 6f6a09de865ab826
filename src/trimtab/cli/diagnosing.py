"""The command that looks at directions instead of results."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trimtab.cli.application import app, input_errors, saying, stoppable
from trimtab.cli.completing import complete_candidates, complete_tasks
from trimtab.cli.options import path_option
from trimtab.diagnose import DEFAULT_DIAGNOSED

EXIT_CODES = """
Exit codes: 0 everything was measured; 1 the trajectory diverged, or some direction could not be measured; 2 the input
cannot work; 3 results cannot be written; 130 stopped by Ctrl-C, 143 by SIGTERM (the same command begins anew).
"""


@app.command(epilog=EXIT_CODES)
def diagnose(
    task: Annotated[
        str,
        typer.Argument(
            help="A task that ships, or path/to/task.py:name.", metavar="TASK", autocompletion=complete_tasks
        ),
    ],
    candidates: Annotated[
        str,
        typer.Option(
            help="Names separated by commas; settings in brackets are fixed: sgd,clip(sgd, fraction=0.1).",
            autocompletion=complete_candidates,
        ),
    ] = DEFAULT_DIAGNOSED,
    along: Annotated[
        str | None,
        typer.Option(help="Whose trajectory. (default: the first candidate's)", autocompletion=complete_candidates),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the trajectory. (default: the task's)")] = None,
    points: Annotated[int, typer.Option(help="How often to measure, evenly on a logarithmic scale.")] = 6,
    batches: Annotated[int, typer.Option(help="Batches that each measurement is the mean over.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the trajectory and the batches.")] = 0,
    out: Annotated[Path | None, path_option("Where results go. (default: runs/TASK-diagnosis)")] = None,
) -> None:
    """Measure how sharp optimizers' directions are, at the same parameters along one trajectory."""
    console = Console(emoji=False)
    with input_errors(), stoppable(console):
        with saying():
            from trimtab.diagnose.diagnosis import Diagnosis
            from trimtab.diagnose.page import FILE, diagnosis_page
            from trimtab.report.sections import print_sections, write_sections
            from trimtab.report.step_bar import StepBar
            from trimtab.study.files import try_directory

        with saying("reading the task"):
            diagnosis = Diagnosis(task, candidates, along=along, steps=steps, points=points, batches=batches, seed=seed)
        place = diagnosis.default_out() if out is None else out
        try_directory(place)
        with StepBar(console) as bar:
            result = diagnosis.run(bar)
        page = diagnosis_page(result)
        paths = {
            "page:": write_sections(page, (place / FILE).with_suffix(".html")),
            "numbers:": result.write_json(place / FILE),
        }
        console.print()
        print_sections(console, page, paths)
    if not result.complete:
        raise typer.Exit(1)
