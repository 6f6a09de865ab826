"""How worker processes come to be: quickly, because one process imports what they need for all of them."""

import atexit
import contextlib
import multiprocessing
import multiprocessing.context
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from trimtab.study.errors import InputError

Context: TypeAlias = multiprocessing.context.BaseContext


_imported: set[str] = set()
"""What the process that workers are forked from was told to import."""


def worker_context(modules: Sequence[str] = (), *, on_devices: bool = False) -> Context:
    """Returns what makes processes that have inherited nothing from this one.

    On Linux they are forked from a process that has imported modules and done nothing with them, so that no thread of
    ours and no device is in use when they part; whoever draws random numbers there seeds first. This function returns
    when that process is ready, which may take seconds the first time, and hears Ctrl-C meanwhile. Elsewhere each
    imports them by itself.

    Args:
        modules: what every worker imports sooner or later.
        on_devices: whether processes are shown devices. Then each imports by itself, too: a device that was looked at
            before a fork cannot be used after it, and who imports cannot know what others' modules look at.
    """
    if on_devices or sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    _importing(modules).join()
    return multiprocessing.get_context("forkserver")


def prepare_workers(modules: Sequence[str]) -> None:
    """Begins what :func:`worker_context` waits for, so that both processes import at the same time.

    For programs that do nothing else: what has been started is ended with this process, whatever it is doing.

    Args:
        modules: what workers will import.
    """
    if sys.platform == "linux":
        _importing(modules)
        atexit.register(_end)


def _importing(modules: Sequence[str]) -> threading.Thread:
    """Starts the process that workers are forked from, unless it is there; the thread ends when it is ready.

    One that lacks modules is replaced, unless processes that it has forked are at work.
    """
    context = multiprocessing.get_context("forkserver")
    if not _imported.issuperset(modules) and not multiprocessing.active_children():
        _end()
        _imported.update(modules)
    context.set_forkserver_preload([*sorted(_imported), "trimtab.study.imported_for_good"])
    thread = threading.Thread(target=_run_nothing, args=(context,), daemon=True)
    with interrupts_blocked():  # for the thread, and for the process that it starts
        thread.start()
    return thread


def _run_nothing(context: Any) -> None:
    with contextlib.suppress(Exception):  # what is wrong will be said where a worker is started
        process = context.Process(target=int, daemon=True)
        with main_importable():
            process.start()
        process.join()


def _end() -> None:
    """Ends the process that workers are forked from: left alone, it would first import all that it was told to."""
    server = getattr(multiprocessing.forkserver, "_forkserver", None)
    process = getattr(server, "_forkserver_pid", None)  # there is no public name, and without it nothing is lost
    if process is not None:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
            os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)  # multiprocessing looks for itself, and starts anew


def refuse_without_workers() -> None:
    """Refuses to begin in a process that can have no workers.

    Raises:
        InputError: it is about to become a worker, and imports the program for that; or it may have no children.
    """
    process = multiprocessing.current_process()
    if process.daemon:
        raise InputError(
            f"{process.name} is a daemonic process, as those of multiprocessing.Pool are, and may start no workers: "
            "compare in the program itself, or in a concurrent.futures.ProcessPoolExecutor"
        )
    if getattr(process, "_inheriting", False):
        raise InputError(
            "workers import the script that starts them, and would start workers themselves: put what it does under "
            "`if __name__ == '__main__':`"
        )


@contextlib.contextmanager
def main_importable() -> Iterator[None]:
    """Keeps processes that are started within from looking for a program that came from standard input."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or Path(file).exists():
        yield
        return
    main.__file__ = None
    try:
        yield
    finally:
        main.__file__ = file


@contextlib.contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Keeps Ctrl-C from processes that are started within: one that still imports would end with a traceback."""
    multiprocessing.resource_tracker.ensure_running()  # which unblocks the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
