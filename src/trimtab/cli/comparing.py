"""The commands that compare and draw comparisons."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from trimtab.catalog.slots import SLOTS
from trimtab.cli.application import app, input_errors, saying, stoppable
from trimtab.cli.completing import complete_candidates, complete_problems
from trimtab.cli.options import AgainstReference, Reference, given_path, path_option
from trimtab.compare import DEFAULT_TRIALS, WORKERS_OF_COMMANDS, WORKERS_OF_TASKS
from trimtab.study.errors import InputError
from trimtab.study.starting import prepare_workers

if TYPE_CHECKING:
    from trimtab.compare.budget import Numbers
    from trimtab.compare.comparison import Comparison
    from trimtab.study.callbacks import Callback

EXIT_CODES = """
Exit codes: 0 every candidate was ranked; 1 the comparison ended, but some candidate could not be ranked;
2 the input cannot work; 3 results cannot be written any more, because the store's database or the disk went away and
stayed away; 130 stopped by Ctrl-C, 143 by SIGTERM (after these three, the same command goes on).
"""


_USUAL = "; ".join(f"{slot.what} {slot.default}" for slot in SLOTS.values() if slot.default)
COMMANDS = "Compare on a command of yours"
MACHINES = "Use other machines"
RECIPE = "Train all candidates alike"


@app.command(epilog=EXIT_CODES)
def compare(
    problems: Annotated[
        list[str] | None,
        typer.Argument(
            help="Problems that ship, path/to/file.py:name, or a table: data.csv with --target. Several are compared "
            "each by itself, and over all.",
            metavar="PROBLEM",
            autocompletion=complete_problems,
        ),
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            help="Names separated by commas; settings in brackets are fixed: lion,adamw(weight_decay=0.1). "
            f"(default: the usual ones of what the problem leaves open: {_USUAL})",
            autocompletion=complete_candidates,
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of a table that is to be learned from the others.", metavar="COLUMN")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Time for all of it (20m, 1h30m), to which trials and seeds are fitted.", metavar="TIME"),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help=f"Settings tried for each candidate. (default: {DEFAULT_TRIALS}, or what fits --budget)"),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(help="Fresh seeds of the final runs. (default: the problem's; 5 for a command; or what fits)"),
    ] = None,
    tuning_seeds: Annotated[
        int | None,
        typer.Option(
            help="Seeds with which the best settings are tried; their mean decides. (default: 3 where a run is cheap, "
            "else 1)"
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of a run in steps. (default: the problem's)")] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="Of the learning rate, for all but those with their own: none, cosine, linear, wsd, onecycle, "
            "inverse-sqrt. Several with commas are compared side by side: none,cosine(warmup=5%). "
            "(default: the problem's own, or none)",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    warmup: Annotated[
        str | None,
        typer.Option(help="Over which the rate rises: 5% of the run, or a number of steps.", rich_help_panel=RECIPE),
    ] = None,
    clip_norm: Annotated[
        float | None, typer.Option(help="Largest norm of the gradient.", rich_help_panel=RECIPE)
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(
            help="Decay of an average of the weights, which is evaluated, such as 0.99.", rich_help_panel=RECIPE
        ),
    ] = None,
    no_decay: Annotated[
        bool, typer.Option("--no-decay", help="No weight decay of biases and norms.", rich_help_panel=RECIPE)
    ] = False,
    out: Annotated[
        Path | None, path_option("Where results go. (default: runs/PROBLEM, or runs/PROBLEM+PROBLEM)")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker processes. (default: one a core, or a CUDA device)")] = None,
    device: Annotated[
        str, typer.Option(help="Where runs are: cpu, cuda (shared out among the workers), cuda:1, mps.")
    ] = "cpu",
    reference: Reference = None,
    against_reference: AgainstReference = False,
    race: Annotated[
        bool,
        typer.Option(
            "--race",
            help="Further seeds only for candidates whose verdict is open; settings that cannot win are pruned.",
        ),
    ] = False,
    pruner: Annotated[
        str | None, typer.Option(help="Gives up hopeless tuning trials: median or successive-halving.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="SQLAlchemy URL of a database that machines share. (default: a file in --out)",
            rich_help_panel=MACHINES,
        ),
    ] = None,
    takeover: Annotated[
        float,
        typer.Option(
            help="Seconds without a sign of life after which others take over a process's trials.",
            rich_help_panel=MACHINES,
        ),
    ] = 60.0,
    patience: Annotated[
        float, typer.Option(help="Seconds that the store's database may be away.", rich_help_panel=MACHINES)
    ] = 3600.0,
    executor: Annotated[str, typer.Option(help="Where trials run: local or ray.", rich_help_panel=MACHINES)] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="Of a Ray cluster that runs already. (default: Ray is started here)", rich_help_panel=MACHINES
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            help='A script with places: "python train.py --opt {optimizer} --lr {lr} --seed {seed}".',
            rich_help_panel=COMMANDS,
        ),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="A candidate with its own command: name=command. Repeatable.", rich_help_panel=COMMANDS),
    ] = None,
    tune: Annotated[
        list[str] | None,
        typer.Option(
            help="A range of a command's place, or of a setting: lr=1e-4..1e-1:log, batch=16,32, or for one candidate "
            "lion.lr=1e-5..1e-2:log, adamw.beta2=0.9..0.9999:log1m, my_opt.py:Mine.lr=0.1,0.2. Repeatable.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Name, or pattern with one group; its last match counts.", rich_help_panel=COMMANDS),
    ] = None,
    metric_file: Annotated[
        str | None, typer.Option(help="JSON file and key: {out}/metrics.json:val.loss.", rich_help_panel=COMMANDS)
    ] = None,
    metric_name: Annotated[str | None, typer.Option(help="What reports call it.", rich_help_panel=COMMANDS)] = None,
    maximize: Annotated[
        bool, typer.Option("--maximize", help="More of it is better.", rich_help_panel=COMMANDS)
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a trial has failed.", rich_help_panel=COMMANDS)
    ] = None,
    shell: Annotated[
        bool, typer.Option("--shell", help="A shell reads the command.", rich_help_panel=COMMANDS)
    ] = False,
    unseeded: Annotated[
        bool,
        typer.Option("--unseeded", help="The command needs no {seed}: see the manual.", rich_help_panel=COMMANDS),
    ] = False,
    log_to: Annotated[
        list[str] | None,
        typer.Option(
            help="Each trial becomes a run there, too: tensorboard (in OUT/tensorboard), wandb or mlflow. Repeatable."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Write the report anew while it runs; a page that is open renews itself.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would run, and for how long.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on standard output.")] = False,
) -> None:
    """Tune candidates on problems, or a command, with equal budgets, and compare them on fresh seeds."""
    with input_errors(), stoppable(Console(emoji=False, stderr=as_json)):
        if dry_run and as_json:
            raise InputError("--json cannot be given together with --dry-run, which has no results")
        with saying():
            if not dry_run and executor == "local" and device == "cpu":
                prepare_workers(WORKERS_OF_COMMANDS if command or candidate else WORKERS_OF_TASKS)
            from trimtab.compare.building import build_comparison
            from trimtab.report.tracking import trackers

        callbacks = trackers(log_to or [])
        with saying("reading what is compared"):
            comparison = build_comparison(
                problems or [],
                candidates,
                target=target,
                command=command,
                own_commands=candidate or [],
                takeover=takeover,
                patience=patience,
                options={
                    "out": out,
                    "trials": trials,
                    "seeds": seeds,
                    "tuning_seeds": tuning_seeds,
                    "steps": steps,
                    "schedule": schedule,
                    "warmup": warmup,
                    "clip_norm": clip_norm,
                    "ema": ema,
                    "no_decay": no_decay,
                    "tune": tune or [],
                    "budget": budget,
                    "reference": reference,
                    "against_reference": against_reference,
                    "race": race,
                    "pruner": pruner,
                    "jobs": jobs,
                    "store": store,
                    "executor": executor,
                    "ray_address": ray_address,
                    "device": device,
                },
                for_commands={
                    "metric": metric,
                    "metric_file": metric_file,
                    "metric_name": metric_name,
                    "maximize": maximize,
                    "timeout": timeout,
                    "shell": shell,
                    "unseeded": unseeded,
                },
            )
        _run(comparison, callbacks, watch=watch, dry_run=dry_run, as_json=as_json)


def _run(
    comparison: "Comparison", callbacks: "Sequence[Callback]", *, watch: bool, dry_run: bool, as_json: bool
) -> None:
    from trimtab.report import console as drawing
    from trimtab.report import write_all
    from trimtab.report.export import to_json
    from trimtab.report.live import Renewing
    from trimtab.study.files import from_store
    from trimtab.study.location import shown

    console = Console(emoji=False, stderr=as_json)
    drawing.print_introductions(console, comparison, details=dry_run)
    drawing.print_few_seeds(console, comparison)
    if dry_run:
        drawing.print_dry_run(console, comparison)
        return

    def planned(size: "Numbers") -> None:
        drawing.print_numbers(console, size, racing=comparison.options.race)

    if comparison.budget is not None:
        console.print("finding out what a run of each candidate takes ...", style="dim")
    with stoppable(console, shown(comparison.location)):
        sign, workers, racing = comparison.sign, comparison.options.at_once, comparison.options.race
        known = dict if racing else (lambda: comparison.seeds)  # of a race nobody knows, and nothing is guessed
        most = (lambda: comparison.most) if racing else None
        page = Renewing(comparison.out, comparison.location) if watch else contextlib.nullcontext()
        if watch:
            console.print(Text(f"report  {comparison.out / 'report.html'}, from the first trials on"), soft_wrap=True)
        again = comparison.again
        with page, drawing.ProgressBars(console, known, sign=sign, workers=workers, most=most, again=again) as bars:
            result = comparison.run(bars, planned, callbacks=callbacks)
        with from_store():
            paths = write_all(result, comparison.out)
        drawing.print_summary(console, result, paths)
    if as_json:
        typer.echo(to_json(result))
    if not result.ranked:
        raise typer.Exit(1)


@app.command()
def report(
    directory: Annotated[
        Path, typer.Argument(parser=given_path, help="Directory of a comparison, finished or running.", metavar="DIR")
    ],
    store: Annotated[str | None, typer.Option(help="URL of its store, if that is not in the directory.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Draw it again and again while the comparison runs, as its pages tell.")
    ] = False,
) -> None:
    """Draw the report of a comparison anew from its store."""
    with input_errors(), stoppable(Console(emoji=False)):
        from trimtab.compare.stored import load_any
        from trimtab.report import console as drawing
        from trimtab.report import write_all
        from trimtab.report.live import LiveReport
        from trimtab.study.files import from_store

        with from_store():
            if watch:
                LiveReport(directory, store).until_over()
            result = load_any(directory, store)
            paths = write_all(result, directory)
        drawing.print_summary(Console(emoji=False), result, paths)
