"""Running somebody else's program in a trial, so that nothing of it outlives the trial.

The program and whatever it starts are one process group, whose first member is a watchdog that waits for a pipe to
close. The worker's end of that pipe closes however the worker ends, by SIGKILL too, and the watchdog then ends the
group. It also holds a lock, so that a second attempt at a trial begins after the last process of the first.
"""

import errno
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

GRACE = 2
"""Seconds between asking a group to end (SIGTERM) and ending it: launchers pass the request on to their own groups."""

POLL = 0.1
"""Seconds between looks at what a program has written."""

_WATCHDOG = f"trap '' TERM; read -r _; kill -TERM 0; sleep {GRACE}; kill -KILL 0"


class NotStartedError(Exception):
    """A program cannot be started; its cause is what the operating system says of it."""


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Args:
        how: by itself (``exit``), because its time was up (``timeout``), or because a line asked for it (``stopped``).
        code: its exit code; negative for a signal.
        seconds: wall-clock seconds that it ran.
    """

    how: Literal["exit", "timeout", "stopped"]
    code: int
    seconds: float


def run_process(
    arguments: Sequence[str],
    *,
    group: int,
    output: Path,
    on_line: Callable[[str], bool],
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Ended:
    """Runs a program to its end, with its processes.

    Args:
        arguments: the program and its arguments, as the program gets them.
        group: process group to start it in, which is over when this function returns.
        output: file that gets standard output and standard error, in the order in which they were written.
        on_line: called with each line soon after it was written; ``True`` asks for the program to be ended. A carriage
            return ends a line too, because progress bars write those.
        environment: variables of the program; this process's own by default.
        timeout: seconds after which the program is ended.

    Raises:
        NotStartedError: the program cannot be started.
        OSError: the file cannot be written or read.
    """
    with output.open("wb") as file, output.open("rb", buffering=0) as written:  # wherever the program moves it
        start = time.monotonic()
        try:
            with _interrupts_handled():
                child = subprocess.Popen(  # noqa: S603 - running what the user asks for is the point
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    process_group=group,
                )
        except OSError as error:
            raise NotStartedError(f"the command cannot be started: {error}") from error
        try:
            how = _follow(child, Lines(written), on_line, None if timeout is None else start + timeout)
            if how != "exit":
                _ask_to_end(child, group)
        finally:
            os.killpg(group, signal.SIGKILL)
            code = child.wait()
        return Ended(how, code, time.monotonic() - start)


def _follow(
    child: "subprocess.Popen[bytes]", lines: "Lines", on_line: Callable[[str], bool], deadline: float | None
) -> Literal["exit", "timeout", "stopped"]:
    while True:
        over = _wait(child, POLL)
        stop = False
        for line in lines.new(last=over):
            stop |= on_line(line)
        if over or stop:
            return "exit" if over else "stopped"
        if deadline is not None and time.monotonic() >= deadline:
            for line in lines.new(last=True):
                on_line(line)
            return "timeout"


def _wait(child: "subprocess.Popen[bytes]", seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _ask_to_end(child: "subprocess.Popen[bytes]", group: int) -> None:
    deadline = time.monotonic() + GRACE
    os.killpg(group, signal.SIGTERM)
    _wait(child, GRACE)
    while _has_company(group) and time.monotonic() < deadline:
        time.sleep(POLL / 2)


def _has_company(watchdog: int) -> bool:
    """Whether somebody else lives in a watchdog's group; where that cannot be seen, somebody may."""
    processes = Path("/proc")
    if not (processes / "self" / "stat").exists():
        return True
    for each in processes.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            after_name = each.read_bytes().rpartition(b")")[2]
            state, _parent, group, *_ = after_name.split()
            if int(group) == watchdog != int(each.parent.name) and state not in (b"Z", b"X"):
                return True
    return False


@contextmanager
def _interrupts_handled() -> Iterator[None]:
    """Keeps programs that are started within from ignoring SIGINT, as they would if this process does.

    A worker ignores it, and programs inherit that; they do not inherit a function that does nothing. What a task starts
    itself goes on ignoring it, because it is in the group to which Ctrl-C goes.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ours:
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def process_group(lock: Path) -> Iterator[int]:
    """Makes a process group that ends with the context, or with this process.

    Args:
        lock: file that is locked as long as any process of the group lives, and removed with the context; waited for
            if it is locked.

    Yields:
        The group's id.

    Raises:
        OSError: the file cannot be written, or a process not be started.
    """
    with _locked(lock) as held:
        watchdog = subprocess.Popen(  # noqa: S603 - a constant
            ["/bin/sh", "-c", _WATCHDOG],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
            pass_fds=[held.fileno()],
        )
        try:
            yield watchdog.pid
        finally:
            with suppress(ProcessLookupError):
                os.killpg(watchdog.pid, signal.SIGKILL)
            watchdog.communicate()


@contextmanager
def _locked(lock: Path) -> Iterator[IO[str]]:
    """Locks a file, and removes it with the context."""
    while True:
        with lock.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not _is_at(held, lock):  # whoever had locked it has removed it
                continue
            try:
                yield held
            finally:
                with suppress(OSError):  # one that stays is in nobody's way
                    lock.unlink()
            return


def _is_at(held: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(held.fileno()), path.stat())
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESTALE):  # stale, if another machine has removed it
            raise
        return False


class Lines:
    """The lines of a file that somebody else is writing.

    Args:
        file: opened for reading, without a buffer.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""

    def new(self, *, last: bool = False) -> list[str]:
        """Returns the lines completed since the last call; with ``last``, also one that was never ended."""
        found = self._file.read()
        *whole, self._rest = (self._rest + found).replace(b"\r", b"\n").split(b"\n")
        if last and self._rest:
            whole.append(self._rest)
            self._rest = b""
        return [line.decode("utf-8", errors="replace") for line in whole if line.strip()]
