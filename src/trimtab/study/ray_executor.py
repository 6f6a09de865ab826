"""Where trials run: tasks on a Ray cluster.

Ray keeps its worker processes from task to task, so that what a trial imports is imported once in each. A trial whose
worker or machine dies is reported as such and not retried by Ray: the study decides, as for workers of its own.

Reports of trials, and the answers to them, go through a small actor on the machine of this process.
"""

import asyncio
import contextlib
import importlib
import socket
from collections import deque
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from trimtab.study.checks import MANY_WORKERS, check_callable, check_flag, check_text, check_whole
from trimtab.study.cores import usable_cores
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.executor import Died, Event, Finished, Reported
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Work, attempt, begin

_LOCAL_OBJECT_STORE = 100 * 2**20
"""Bytes; points and outcomes are small, and the default is a third of the memory."""


def _ray() -> Any:
    """Imports Ray where it is used: it is an extra, and takes a second."""
    return importlib.import_module("ray")


class RayExecutor:
    """Tasks on a Ray cluster: one that runs already, or one that is started on this machine for the time being.

    Args:
        work: what runs a trial; pickled once.
        address: of a running cluster to which this machine belongs, ``"auto"`` or ``"head:6379"``; without one, Ray is
            started here. A Ray that this process has initialised before is used in any case.
        jobs: how many trials run at once; as many as the cluster's CPUs allow by default.
        threads: threads, and CPUs, of a trial.
        answers: whether trials wait for an answer to their reports (for pruning).
        cuda: whether each trial gets a CUDA device to itself, which Ray shows to it alone.

    Raises:
        InputError: Ray is not installed, the cluster does not answer, or ``jobs`` or ``threads`` is not positive.
    """

    def __init__(
        self,
        work: Work,
        *,
        address: str | None = None,
        jobs: int | None = None,
        threads: int = 1,
        answers: bool = False,
        cuda: bool = False,
    ) -> None:
        check_callable("work", work)
        check_flag("answers", answers)
        check_flag("cuda", cuda)
        check_whole("threads", threads, most=MANY_WORKERS)
        if jobs is not None:
            check_whole("jobs", jobs, most=MANY_WORKERS)
        if address is not None:
            check_text("address", address)
        if find_spec("ray") is None:
            raise InputError("the Ray executor needs Ray: pip install 'trimtab[ray]'")
        self.threads = threads
        self._work = work
        self._address = address
        self._jobs = jobs
        self._answers = answers
        self._cuda = cuda
        self._tasks: dict[Any, Point] = {}
        self._fault: UnfitWorkerError | None = None
        self._started_ray = False

    def __enter__(self) -> Self:
        ray = _ray()
        if not ray.is_initialized():
            self._started_ray = True
            self._start()
        try:
            self._run = ray.remote(_run).options(num_cpus=self.threads, num_gpus=int(self._cuda), max_retries=0)
            here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=False
            )
            self._mailbox = ray.remote(_Mailbox).options(num_cpus=0, scheduling_strategy=here).remote(self._answers)
            self._shared_work = ray.put(self._work)
            self._reports = self._mailbox.take.remote()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self) -> None:
        ray = _ray()
        # the workers' output would drown the progress of the study
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address is None:
            options |= {
                "address": "local",
                "num_cpus": usable_cores() if self._jobs is None else self._jobs * self.threads,
                "object_store_memory": _LOCAL_OBJECT_STORE,
                "include_dashboard": False,
            }
        else:
            options["address"] = self._address
        try:
            _knock(self._address)
            ray.init(**options)
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            self._started_ray = False
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            where = "on this machine" if self._address is None else f"at {self._address!r}"
            raise InputError(f"there is no contact with Ray {where}: {reason}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray = _ray()
        with contextlib.suppress(ray.exceptions.RayError):
            for task in self._tasks:
                ray.cancel(task, force=True)
            if hasattr(self, "_mailbox"):
                ray.kill(self._mailbox)
        self._tasks = {}
        if self._started_ray:
            ray.shutdown()
            self._started_ray = False

    @property
    def free(self) -> int:
        """How many more trials the cluster can run now."""
        ray = _ray()
        room = self._jobs
        if room is None:
            there = ray.cluster_resources()
            room = int(there.get("CPU", 0)) // self.threads
            if self._cuda:
                room = min(room, int(there.get("GPU", 0)))
        return 0 if self._fault else max(0, room - len(self._tasks))

    def submit(self, point: Point) -> None:
        """Starts a task."""
        task = self._run.remote(self._shared_work, point, self.threads, self._mailbox, self._answers)
        self._tasks[task] = point

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Blocks until a task has reported, ended or died, or ``timeout`` seconds are over.

        What has come is returned before a fault is raised: a trial that has ended beside it is kept.

        Raises:
            UnfitWorkerError: the cluster's workers cannot run trials at all.
        """
        ray = _ray()
        waited = [*self._tasks, self._reports]
        done, _ = ray.wait(waited, timeout=0 if self._fault else timeout)
        if done:  # whatever else is there already
            done, _ = ray.wait(waited, num_returns=len(waited), timeout=0)
        events: list[Event] = []
        if self._reports in done:
            for key, cost, loss in ray.get(self._reports):
                events += [Reported(point, cost, loss) for point in self._tasks.values() if point.key == key]
            self._reports = self._mailbox.take.remote()
        for task in [task for task in done if task in self._tasks]:
            try:
                events.append(self._ended(task))
            except UnfitWorkerError as fault:
                self._fault = fault
        if self._fault and not events:
            raise self._fault
        return events

    def _ended(self, task: Any) -> Event:
        ray = _ray()
        point = self._tasks.pop(task)
        try:
            return Finished(point, ray.get(task))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, UnfitWorkerError):
                raise error.cause from error
            raise UnfitWorkerError(
                "a worker of the Ray cluster could not run a trial. Are the same versions of trimtab and torch "
                f"installed on all its machines? {error}"
            ) from error
        except ray.exceptions.RayError as error:
            lines = str(error).splitlines()
            return Died(point, f"its Ray worker died ({type(error).__name__}: {lines[0] if lines else ''})")

    def answer(self, point: Point, give_up: bool) -> None:
        """Tells the trial of ``point`` whether to stop."""
        self._mailbox.answer.remote(point.key, give_up)


def _knock(address: str | None) -> None:
    """Raises an error at once if nobody listens at an address; Ray would try for many minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class _Mailbox:
    """Takes reports from trials to the process that runs the study, and answers back."""

    def __init__(self, answers: bool) -> None:
        self._answers = answers
        self._reports: deque[tuple[str, int, float]] = deque()
        self._arrived = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[bool]] = {}

    async def report(self, key: str, cost: int, loss: float) -> bool:
        self._reports.append((key, cost, loss))
        self._arrived.set()
        if not self._answers:
            return False
        self._waiting[key] = asyncio.get_running_loop().create_future()
        return await self._waiting[key]

    async def take(self) -> list[tuple[str, int, float]]:
        await self._arrived.wait()
        self._arrived.clear()
        reports = list(self._reports)
        self._reports.clear()
        return reports

    async def answer(self, key: str, give_up: bool) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(give_up)


def _run(work: Work, point: Point, threads: int, mailbox: Any, answers: bool) -> Outcome:
    """A task: runs one trial."""
    ray = _ray()
    begin(work, threads)

    def report(cost: int, loss: float) -> bool:
        sent = mailbox.report.remote(point.key, cost, loss)
        if not answers:
            return False
        try:
            return bool(ray.get(sent))
        except ray.exceptions.RayError:  # a trial is not judged by what happens to the cluster
            return False

    return attempt(work, point, report)
