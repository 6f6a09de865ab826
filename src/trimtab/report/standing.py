"""How a comparison stands, at the head of a page that was written before it was over."""

from dataclasses import dataclass
from datetime import datetime

from trimtab.report.status_text import standing_words
from trimtab.study.status import StudyStatus


@dataclass(frozen=True)
class Renewal:
    """When a page is there anew.

    Args:
        seconds: after which it is, about.
        late: seconds after which something is wrong if it is not.
    """

    seconds: float
    late: float


@dataclass(frozen=True)
class Standing:
    """How a comparison stood when its page was written.

    Args:
        words: as ``trimtab status`` says it.
        written: when that was.
        renewal: when the page is there anew; ``None`` if it will not be.
    """

    words: str
    written: datetime
    renewal: Renewal | None

    def moment(self, seconds: float) -> int:
        """Returns what a clock shows so many seconds after the page was written, in milliseconds since 1970."""
        return round(1000 * (self.written.timestamp() + seconds))

    @property
    def written_words(self) -> str:
        """When it was written, by this machine's clock."""
        return f"{self.written:%Y-%m-%d %H:%M:%S}"


def standing(status: StudyStatus, renewal: Renewal | None, now: datetime | None = None) -> Standing:
    """Returns how a comparison stands now.

    Args:
        status: of it.
        renewal: when its page is written anew.
        now: the moment.
    """
    moment = now or datetime.now().astimezone()
    words = standing_words(status, moment)
    return Standing(f"{words[0].upper()}{words[1:]}", moment, renewal)
