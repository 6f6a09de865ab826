"""The application that commands belong to, and what they share."""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer
from rich.console import Console

from trimtab.lab.errors import InputError, StoreLostError, UnwritableError

app = typer.Typer(
    name="trimtab",
    help="Adaptive optimisation for PyTorch: which method helps on your task, with evidence.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@contextmanager
def input_errors() -> Iterator[None]:
    """Prints what is wrong with the input, or with where results go, in one place, without a traceback."""
    try:
        yield
    except (InputError, StoreLostError, UnwritableError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, InputError) else 3) from None


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as batch systems send it before the time is up: as good a reason to stop as Ctrl-C."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler is called with
    raise _Terminated


def _number(stop: type[BaseException]) -> signal.Signals:
    return signal.SIGTERM if issubclass(stop, _Terminated) else signal.SIGINT


@contextmanager
def stoppable(console: Console, place: str | None = None) -> Iterator[None]:
    """Ends the program after Ctrl-C or SIGTERM with the command that goes on.

    Args:
        console: where to print it.
        place: where results are kept, if that is known yet.
    """
    with _signals_raise():
        try:
            yield
        except KeyboardInterrupt as stop:
            kept = "" if place is None else f". What is finished is kept in {place}"
            command = shlex.join(["trimtab", *sys.argv[1:]])
            words = f"\nStopped{kept}; go on with\n  {command}"
            console.print(words, markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(128 + _number(type(stop))) from None


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Makes SIGTERM raise an exception as Ctrl-C does, and neither of the two go under.

    Python drops what is raised in a destructor or in the callback of a weak reference, where a signal may well arrive.
    """
    handler, hook = signal.signal(signal.SIGTERM, _terminate), sys.unraisablehook

    def send_again(dropped: "sys.UnraisableHookArgs") -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            # a little later, from elsewhere: what is raised in here would be dropped, too
            threading.Timer(0.05, os.kill, (os.getpid(), _number(dropped.exc_type))).start()
        else:
            hook(dropped)

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
        sys.unraisablehook = hook


def say_loading() -> None:
    """Importing torch takes seconds; say so where somebody is watching."""
    if sys.stderr.isatty():
        Console(stderr=True).print("loading torch ...", style="dim", end="\r")
