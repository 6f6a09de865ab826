"""The command that says what another batch size asks for."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from trimtab.cli.application import app, input_errors, saying, stoppable
from trimtab.cli.completing import complete_tasks
from trimtab.cli.options import path_option


@app.command(epilog="Exit codes: 0 there is advice; 2 the input cannot work; 3 results cannot be written.")
def scale(
    task: Annotated[
        str,
        typer.Argument(
            help="A task that ships, or path/to/task.py:name.", metavar="TASK", autocompletion=complete_tasks
        ),
    ],
    to_batch: Annotated[int, typer.Option(help="Samples a batch to go to.")],
    from_batch: Annotated[
        int | None, typer.Option(help="Samples a batch that settings are known for. (default: the task's)")
    ] = None,
    optimizer: Annotated[str, typer.Option(help="sgd or adamw.")] = "sgd",
    lr: Annotated[float | None, typer.Option(help="Learning rate that is good with --from-batch.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of training before curvature is measured.")] = 0,
    seed: Annotated[int, typer.Option(help="Of model, training and measurement.")] = 0,
    curvature_batch: Annotated[
        int | None, typer.Option(help="Samples to measure on. (default: 1024, or as many as there are)")
    ] = None,
    out: Annotated[Path | None, path_option("Where results go. (default: runs/scale-TASK)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on standard output.")] = False,
) -> None:
    """Say what learning rate, momentum and damping another batch size asks for, by the curvature of a task."""
    console = Console(emoji=False, stderr=as_json)
    with input_errors(), stoppable(console):
        with saying():
            from trimtab.report.sections import print_sections, write_sections
            from trimtab.schedule.rmt_scaling.page import FILE, scaling_page, to_json
            from trimtab.schedule.rmt_scaling.scaling_advice import advise
            from trimtab.study.files import try_directory, write_atomically

        try_directory(Path("runs") if out is None else out)
        chosen: Any = optimizer
        with saying("measuring curvature"):
            advice = advise(
                task,
                to_batch,
                from_batch,
                optimizer=chosen,
                lr=lr,
                steps=steps,
                seed=seed,
                curvature_batch=curvature_batch,
            )
        place = Path("runs") / f"scale-{advice.task.replace('/', '-')}" if out is None else out
        page, text = scaling_page(advice), to_json(advice)
        paths = {
            "page": write_sections(page, (place / FILE).with_suffix(".html")),
            "all data": write_atomically(place / FILE, text),
        }
        print_sections(console, page, paths)
    if as_json:
        typer.echo(text)
