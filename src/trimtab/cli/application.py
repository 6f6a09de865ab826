"""The application that commands belong to, and what they share."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

from trimtab.lab.errors import InputError, StoreLostError

app = typer.Typer(
    name="trimtab",
    help="Adaptive optimisation for PyTorch: which method helps on your task, with evidence.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@contextmanager
def input_errors() -> Iterator[None]:
    """Prints what is wrong with the input in one place, without a traceback."""
    try:
        yield
    except (InputError, StoreLostError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(3 if isinstance(error, StoreLostError) else 2) from None


def say_how_to_go_on(console: Console, place: str) -> NoReturn:
    """Ends the program after Ctrl-C with the command that goes on.

    Args:
        console: where to.
        place: where results are kept.
    """
    command = shlex.join(["trimtab", *sys.argv[1:]])
    console.print(f"\nStopped. What is finished is kept in {place}; go on with\n  {command}", markup=False)
    raise typer.Exit(130) from None


def say_loading() -> None:
    """Importing torch takes seconds; say so where somebody is watching."""
    if sys.stderr.isatty():
        Console(stderr=True).print("loading torch ...", style="dim", end="\r")
