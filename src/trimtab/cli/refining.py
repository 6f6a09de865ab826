"""The command that makes the next run's schedule from the last one's norms."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trimtab.cli.application import app, input_errors, saying
from trimtab.cli.options import path_option

EXIT_CODES = "Exit codes: 0 the schedule is written; 2 the input cannot work; 3 it cannot be written."


@app.command(epilog=EXIT_CODES)
def refine(
    run: Annotated[
        Path,
        typer.Argument(help="What GradientNormRecorder.save() wrote, or norms as CSV or JSON lines.", metavar="RUN"),
    ],
    norm: Annotated[
        str | None, typer.Option(help="l2 (SGD), l1 (Adam) or adam_weighted. (default: what RUN says, or l2)")
    ] = None,
    smoothing: Annotated[float, typer.Option(help="Share of the run over which medians are taken, in [0, 1).")] = 0.1,
    cap: Annotated[
        float | None, typer.Option(help="Quantile at which weights are cut, for gradients that vanish: 0.9.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the next run. (default: that of RUN)")] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Of CSV or JSON lines. (default: norm, grad_norm, gradient_norm, or the only one)"),
    ] = None,
    out: Annotated[
        Path | None, path_option("Where the schedule goes, and a page beside it. (default: RUN.schedule.json)")
    ] = None,
) -> None:
    """Turn the gradient norms of a run into the learning-rate schedule of the next one."""
    with input_errors():
        with saying():
            from trimtab.report.sections import print_sections, write_sections
            from trimtab.schedule.refined.page import refinement_page
            from trimtab.schedule.refined.refinement import refine_run, schedule_path, write_schedule

        made = refine_run(run, column=column, norm=norm, smoothing=smoothing, cap=cap, total_steps=steps)
        schedule = schedule_path(run, out)
        page = refinement_page(made, schedule)
        paths = {
            "wrote": write_schedule(made, schedule),
            "and": write_sections(page, schedule.with_suffix(".html")),
        }
        print_sections(Console(emoji=False), page, paths)
