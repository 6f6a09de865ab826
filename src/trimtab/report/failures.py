"""Why trials did not come to their end, where that is all that there is to tell."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.compare.result import TrialResult

_NUMBER = re.compile(r"\d[\w.+-]*")
_SHOWN_LINES = 15
_OF_DIVERGED = (
    "A loss that is not finite at step 1 was so before anything was trained: look at the data, the model and the loss. "
    "One that became so later asks for smaller steps: a lower range, as with --tune lr=1e-6..1e-3:log, or clip_norm "
    "around the optimizer."
)
_EXIT_CODE = re.compile(r"it ended with (exit code \d+)")


@dataclass(frozen=True)
class Failure:
    """What trials have in common that ended alike.

    Args:
        count: how many there are.
        status: ``failed`` or ``diverged``.
        first: the first of them, whose words differ from the others' in numbers at most.
    """

    count: int
    status: str
    first: TrialResult

    @property
    def words(self) -> str:
        """The end of what the first trial left behind: a traceback's last line is what happened."""
        lines = (self.first.error or f"it {self.status}").strip().splitlines()
        return "\n".join(lines if len(lines) <= _SHOWN_LINES else ["...", *lines[-_SHOWN_LINES:]])

    @property
    def remedy(self) -> str:
        """Where to look, in a sentence; empty where a traceback says it."""
        return _OF_DIVERGED if self.status == "diverged" else ""


def failures(trials: Sequence[TrialResult]) -> list[Failure]:
    """Returns why trials failed or diverged, the most frequent reason first; empty if one came to its end."""
    if any(trial.status not in ("failed", "diverged") for trial in trials):
        return []
    counts = Counter(_reason(trial) for trial in trials)
    first = {_reason(trial): trial for trial in reversed(trials)}
    return [Failure(count, first[reason].status, first[reason]) for reason, count in counts.most_common()]


def first_errors(trials: Sequence[TrialResult]) -> dict[str, str]:
    """Returns the last line of what the first failed trial of each candidate left behind, where one failed.

    A command's last line need not be of its error: its exit code stands before it.
    """
    found: dict[str, str] = {}
    for trial in trials:
        if trial.status == "failed" and (lines := (trial.error or "").strip().splitlines()):
            code = _EXIT_CODE.match(lines[0])
            told = f"{code[1]}, after the line " if code and lines[1:] else ""
            found.setdefault(trial.candidate, told + lines[-1].strip())
    return found


def _reason(trial: TrialResult) -> tuple[str, str, str]:
    """What trials share that ended alike: candidates, settings and seeds in their words differ."""
    lines = (trial.error or "").replace(trial.candidate, "").strip().splitlines() or [""]
    return trial.status, _NUMBER.sub("0", lines[0]), _NUMBER.sub("0", lines[-1])
