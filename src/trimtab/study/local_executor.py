"""Trials in persistent worker processes on this machine.

A worker that dies loses the trial that it was running, no more.
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self, cast

from trimtab.study.checks import MANY_WORKERS, check_callable, check_flag, check_whole
from trimtab.study.cores import threads_per_worker, usable_cores
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.executor import Died, Event, Finished, Reported, Visibility
from trimtab.study.interruption import uninterrupted
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.starting import interrupts_blocked, main_importable, worker_context
from trimtab.study.trial import Work, modules_of
from trimtab.study.worker import Conditions, serve

_STARTS, _DYING = 20, 0.25
"""How often a worker is tried to be started, and seconds between: a process that was killed takes a while to die."""

MOST_DEAD = 5
"""So many workers in a row that end before they can begin, and others would end as well."""


class LocalExecutor:
    """Persistent worker processes on this machine.

    Args:
        work: what runs a trial; pickled once for each worker.
        jobs: how many workers; the number of usable cores by default.
        threads: of a worker; by default the cores are shared out evenly.
        answers: whether trials wait for an answer to their reports (for pruning).
        visible: what the workers' environments get, in turn, such as the variable that shows each a device.

    Raises:
        InputError: ``jobs`` or ``threads`` is not positive, or ``visible`` is empty.
    """

    def __init__(
        self,
        work: Work,
        *,
        jobs: int | None = None,
        threads: int | None = None,
        answers: bool = False,
        visible: Sequence[Visibility] = ({},),
    ) -> None:
        check_callable("work", work)
        check_flag("answers", answers)
        for name, value in (("jobs", jobs), ("threads", threads)):
            if value is not None:
                check_whole(name, value, most=MANY_WORKERS)
        if not isinstance(visible, list | tuple) or not visible or not all(isinstance(v, Mapping) for v in visible):
            raise InputError(f"visible={visible!r}: a list of at least one mapping of variables is needed")
        self.jobs = usable_cores() if jobs is None else jobs
        self.threads = threads_per_worker(self.jobs) if threads is None else threads
        self._work = work
        self._answers = answers
        self._visible = visible
        self._workers: list[_Worker] = []
        self._dead = 0
        self._fault: Exception | None = None
        self._context: Any = None  # there is no type that has Process and Pipe

    def __enter__(self) -> Self:
        self._context = worker_context(modules_of(self._work), on_devices=any(self._visible))
        try:
            for index in range(self.jobs):
                self._workers.append(self._start(self._visible[index % len(self._visible)]))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _start(self, visible: Visibility) -> "_Worker":
        """Starts a worker; the process that workers are forked from may be dying just now, and is replaced then."""
        for _ in range(_STARTS - 1):
            with contextlib.suppress(ConnectionError, EOFError):
                return self._start_once(visible)
            time.sleep(_DYING)
        return self._start_once(visible)

    def _start_once(self, visible: Visibility) -> "_Worker":
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve,
            args=(theirs, self._work, Conditions(self.threads, {**os.environ, **visible}), self._answers),
            daemon=True,
            name="trimtab-worker",
        )
        # a worker that was made, and not told what it is, would say so in a traceback
        with main_importable(), interrupts_blocked(), uninterrupted():
            process.start()
        theirs.close()
        return _Worker(process, ours, visible)

    @property
    def free(self) -> int:
        """How many workers have started and have nothing to do."""
        return 0 if self._fault else sum(worker.free for worker in self._workers)

    @property
    def process_ids(self) -> list[int]:
        """The workers' process ids."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def submit(self, point: Point) -> None:
        """Gives a point to a free worker."""
        worker = next(worker for worker in self._workers if worker.free)
        worker.point = point
        worker.send(point)

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Blocks until something has happened to a worker; no trial need have noticed, when one has only started.

        What has come is returned before a fault is raised: a trial that has ended beside it is kept.

        Args:
            timeout: seconds after which it returns in any case.

        Raises:
            RuntimeError: workers cannot start.
            UnfitWorkerError: one can run no trial, or one after the other ends before it can begin.
        """
        ready = wait([worker.connection for worker in self._workers], 0 if self._fault else timeout)
        events: list[Event] = []
        for worker in [each for each in self._workers if each.connection in ready]:
            try:
                events += self._heard(worker)
            except (RuntimeError, UnfitWorkerError) as fault:
                self._workers.remove(worker)
                worker.end()
                self._fault = fault
        if self._fault and not events:
            raise self._fault
        return events

    def _heard(self, worker: "_Worker") -> list[Event]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._workers[self._workers.index(worker)] = self._replacement(worker)
            message = Died
        if message is None:
            worker.ready = True
            self._dead = 0
        return [] if message is None or worker.point is None else [worker.event(message)]

    def _replacement(self, worker: "_Worker") -> "_Worker":
        worker.end(patience=5)
        if not worker.ready:
            self._dead += 1
            if worker.process.exitcode == 1:
                raise RuntimeError(
                    "a worker process could not start (its error is printed above). If you call trimtab from a script "
                    "of your own, put the call under `if __name__ == '__main__':`, because workers import that script."
                )
            if self._dead == MOST_DEAD:
                raise UnfitWorkerError(
                    f"{MOST_DEAD} worker processes in a row ended before they could begin a trial; the last one "
                    f"{worker.how}. Do they need more memory than there is? Fewer workers (--jobs, jobs=) need less."
                )
        return self._start(worker.visible)

    def answer(self, point: Point, give_up: bool) -> None:
        """Tells the trial of ``point`` whether to stop."""
        for worker in self._workers:
            if worker.point == point:
                worker.send(give_up)


@dataclass(eq=False)
class _Worker:
    process: multiprocessing.process.BaseProcess
    connection: "Connection[Any, Any]"
    visible: Visibility
    point: Point | None = None
    ready: bool = False

    @property
    def free(self) -> bool:
        return self.ready and self.point is None

    def send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # if it has died in the meantime, wait() finds that out
            self.connection.send(message)

    def event(self, message: Any) -> Event:
        """Says what a message, or its absence, means for the trial that runs here."""
        point = cast(Point, self.point)
        if isinstance(message, Outcome):
            self.point = None
            return Finished(point, message)
        if isinstance(message, UnfitWorkerError):
            raise message
        if message is Died:
            return Died(point, f"its worker {self.how}")
        return Reported(point, *message)

    @property
    def how(self) -> str:
        """How it ended."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"was killed by signal {-code} ({signal.Signals(-code).name})"
        return f"ended with exit code {code}"

    def end(self, patience: float = 0) -> None:
        """Waits ``patience`` seconds for the process to end by itself, then kills it."""
        if patience:
            self.process.join(patience)
        self.process.kill()
        self.process.join()
        self.connection.close()
