"""Contact with a database that may go away for a while: when to ask again, and when to give up."""

import logging
import time
from collections.abc import Callable

from trimtab.study.errors import StoreAwayError, StoreLostError

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0

_log = logging.getLogger(__name__)


class Contact:
    """Counts failures to reach a database, and spaces out the attempts.

    Args:
        name: of the database, for messages.
        patience: seconds that it may be away.
        clock: returns seconds.
    """

    def __init__(self, name: str, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._patience = patience
        self._clock = clock
        self._away_since: float | None = None
        self._pause = _FIRST_PAUSE
        self._next = 0.0

    @property
    def away(self) -> bool:
        """Whether the last attempt failed."""
        return self._away_since is not None

    @property
    def seconds_left(self) -> float:
        """Seconds until the next attempt is due; 0 while there is contact."""
        return max(0.0, self._next - self._clock()) if self.away else 0.0

    def failed(self, error: StoreAwayError, unwritten: int) -> None:
        """An attempt failed.

        Args:
            error: how.
            unwritten: outcomes that wait to be written.

        Raises:
            StoreLostError: there has been no contact for too long.
        """
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
            self._pause = _FIRST_PAUSE
            _log.warning("no contact with %s: %s. Trials go on; trying again ...", self._name, error)
        if now - self._away_since >= self._patience:
            raise StoreLostError(
                f"{self._name} has been away for {now - self._away_since:.0f} seconds ({error}). {unwritten} outcomes "
                "that were finished since then could not be written and will be run again; what was written before is "
                "kept, and the same command goes on."
            ) from error
        self._next = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def succeeded(self) -> None:
        """An attempt reached the database."""
        if self._away_since is not None:
            _log.warning("contact with %s again after %.0f seconds", self._name, self._clock() - self._away_since)
            self._away_since = None
