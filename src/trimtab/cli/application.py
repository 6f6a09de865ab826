"""The application that commands belong to, and what they share."""

import errno
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from trimtab import __version__
from trimtab.study.errors import InputError, StoreLostError, UnwritableError, messages_of

app = typer.Typer(
    name="trimtab",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trimtab {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Adaptive optimisation for PyTorch: which method helps on your task, with evidence."""
    del version


@contextmanager
def input_errors() -> Iterator[None]:
    """Prints what is wrong with the input, or with where results go, in one place, without a traceback."""
    try:
        yield
    except (InputError, StoreLostError, UnwritableError) as error:
        for message in messages_of(error) if isinstance(error, InputError) else [str(error)]:
            text = Text(f"error: {message}", style="red")  # as text: brackets are no markup and ":x:" is no picture
            Console(stderr=True).print(text, highlight=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, InputError) else 3) from None


@contextmanager
def output_errors() -> Iterator[None]:
    """Ends the program without a traceback where what it prints cannot be written.

    Where nobody reads on, as after ``| head``, it ends as a program that SIGPIPE ends. Of a full disk a message tells.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except SystemExit as error:
        if not _is_closed_pipe(error.__context__):  # which Typer and Rich make an exit code of their own of
            raise
        _drop_output()
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if _is_closed_pipe(error):
            _drop_output()
            sys.exit(128 + signal.SIGPIPE)
        if error.errno not in _NO_ROOM or error.filename is not None:
            raise
        with suppress(OSError):  # which may be as full
            print(f"error: the output cannot be written ({os.strerror(error.errno)})", file=sys.stderr, flush=True)
        _drop_output()
        sys.exit(3)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


def _is_closed_pipe(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _drop_output() -> None:
    """Lets what is still buffered go nowhere: Python tries to write it once more when it ends, and says so."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError):
            if stream is not None:
                os.dup2(nowhere, stream.fileno())


class _Stop(KeyboardInterrupt):
    """Ctrl-C, or SIGTERM, which batch systems send before the time is up and which is as good a reason to stop."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def stoppable(console: Console, place: str | None = None) -> Iterator[None]:
    """Ends the program after Ctrl-C or SIGTERM with the command that goes on.

    Args:
        console: where to print it.
        place: where results are kept, if that is known yet.
    """
    with _signals_raise() as received:
        try:
            yield
        except (KeyboardInterrupt, Exception) as error:
            if not isinstance(error, KeyboardInterrupt) and not received:
                raise
            # an import that a signal cuts off may make another error of it, and so may any code that tidies up
            number = received[0] if received else signal.SIGINT
            kept = "" if place is None else f". What is finished is kept in {place}"
            command = shlex.join(["trimtab", *sys.argv[1:]])
            words = f"\nStopped{kept}; go on with\n  {command}"
            console.print(Text(words), soft_wrap=True)
            raise typer.Exit(128 + number) from None


@contextmanager
def _signals_raise() -> Iterator[list[int]]:
    """Makes SIGINT and SIGTERM raise an exception, and yields a list of those that have.

    Python drops what is raised in a destructor or in the callback of a weak reference, where a signal may well arrive;
    such a signal is sent again. So is one that arrives while torch is imported, whose start-up in C++ ends the program
    at whatever is raised in it. One that was ignored when the program started, as in a background job, stays ignored.
    """
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if getattr(getattr(sys.modules.get("torch"), "__spec__", None), "_initializing", False):
            send_later(number)
            return
        received.append(number)
        raise _Stop(number)

    def send_later(number: int) -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()

    def send_again(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, _Stop):
            send_later(dropped.exc_value.number)  # from elsewhere: what is raised in here would be dropped, too
        else:
            hook(dropped)

    hook = sys.unraisablehook
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in handlers:
        signal.signal(number, stop)
    sys.unraisablehook = send_again
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook


@contextmanager
def saying(words: str = "loading torch") -> Iterator[None]:
    """Says what takes seconds while it does, as importing torch, where somebody is watching.

    Args:
        words: what is done.
    """
    console = Console(emoji=False, stderr=True)
    watched = sys.stderr.isatty() and console.is_terminal and not console.is_dumb_terminal
    if watched:
        console.print(Text(f"{words} ...", "dim"), end="\r", soft_wrap=True)
    try:
        yield
    finally:
        if watched:
            console.control(Control((ControlType.ERASE_IN_LINE, 2)))
