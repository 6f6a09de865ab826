"""A report that is written anew while its comparison runs, at a small share of the time."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from trimtab.compare.stored import load_any
from trimtab.report import write_all
from trimtab.report.standing import Renewal, standing
from trimtab.study.errors import InputError, NoStudyError, StoreLostError
from trimtab.study.location import Location
from trimtab.study.status import State
from trimtab.study.statuses import status

LEAST_SECONDS = 5.0
"""A page is written at most so often."""

SHARE = 0.02
"""Of the time, at most, that goes into writing."""

FIRST_LOOK = 1.0
"""Seconds until something can be there to be written."""

LATE, LATE_AT_FIRST = 3.0, 120.0
"""A page that is older than so many pauses and a minute has not been written for long; while it is not known how long
pauses are, one that is older than so many seconds."""

_UNDER_WAY = ("starting", "planning", "running")
_NO_PLAN = ("starting", "planning", "empty")

_log = logging.getLogger(__name__)


class LiveReport:
    """Writes the report of a comparison as it stands.

    Args:
        directory: of the comparison.
        store: SQLAlchemy URL of its store, if that is not in the directory.
        clock: returns the seconds that this thread has used of a processor.
    """

    def __init__(
        self, directory: str | Path, store: str | None = None, clock: Callable[[], float] = time.thread_time
    ) -> None:
        self._directory, self._store, self._clock = Path(directory), store, clock
        self._first = True
        self._pause: float | None = None

    @property
    def pause(self) -> float:
        """Seconds to wait until it may be written again."""
        return self._pause or LEAST_SECONDS

    @property
    def _renewal(self) -> Renewal:
        late = LATE_AT_FIRST if self._pause is None else LATE * self._pause + 60
        return Renewal(1.1 * self.pause + 1, late)  # it takes a moment to write

    def write(self, *, again: bool = True) -> State:
        """Writes the report, unless the comparison has no plan yet or is over.

        Args:
            again: whether it will be written again, so that the page may load itself anew.

        Returns:
            How the comparison stands.
        """
        start = self._clock()
        found = status(self._directory, self._store)
        if found.total and found.state not in (*_NO_PLAN, "finished"):
            result = load_any(self._directory, self._store)
            renewal = self._renewal if again and found.state in _UNDER_WAY else None
            write_all(result, self._directory, standing(found, renewal))
            if not self._first:  # the first imports what the last page needs anyway, and tells nothing of the next
                self._pause = max(LEAST_SECONDS, (self._clock() - start) / SHARE)
            self._first = False
        return found.state

    def until_over(self) -> None:
        """Writes it again and again, until nobody is at work on the comparison any more; Ctrl-C ends it earlier.

        Where the comparison is over, the last page is left to whoever calls this.
        """
        try:
            while self.write() in _UNDER_WAY:
                time.sleep(self.pause)
        except KeyboardInterrupt:
            self.write(again=False)
            raise


class Renewing:
    """Writes the report of a comparison that this process runs, inside ``with``, in a thread of its own.

    Left in order, it leaves the last page to whoever has the result; left by an exception, it writes one that does not
    say that the comparison runs. What goes wrong is said once, as a warning, and ends nothing.

    Args:
        directory: of the comparison.
        location: where its outcomes are kept.
    """

    def __init__(self, directory: Path, location: Location) -> None:
        self._live = LiveReport(directory, location if isinstance(location, str) else None)
        self._over = threading.Event()
        self._faulty = False
        self._thread = threading.Thread(target=self._renew, name="trimtab report", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is not None and not isinstance(error, InputError | StoreLostError):
            with contextlib.suppress(Exception):
                self._live.write(again=False)

    def _renew(self) -> None:
        pause = FIRST_LOOK
        while not self._over.wait(pause):
            try:
                waits = self._live.write() in _NO_PLAN
                pause = FIRST_LOOK if waits else self._live.pause
            except NoStudyError:
                pause = FIRST_LOOK  # its store is not made yet
            except Exception as error:
                if not self._faulty:
                    _log.warning("the report cannot be written while the comparison runs, which goes on: %s", error)
                self._faulty = True
                pause = self._live.pause
