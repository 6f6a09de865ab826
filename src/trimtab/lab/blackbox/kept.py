"""Evaluations that were paid for, kept beside a study: who was killed pays none of them twice.

An evaluation is found again by its problem, its number in the run, which decides its noise, and its settings, so that
candidates that look at the same settings at the same time share it too. What is quick is not kept.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import Trial

from trimtab.lab.blackbox.observation import Observation
from trimtab.lab.blackbox.spaces import suggest

DEAR = 0.05
"""Seconds: what takes less is made again sooner than it is read."""


@dataclass(frozen=True)
class KeptEvaluations:
    """Evaluations of one problem and seed.

    Several processes may add to them at a time: each adds a line with one call.

    Args:
        path: of the file, a line of JSON each; ``None`` where nothing is kept.
    """

    path: Path | None

    def get(
        self, number: int, trial: Trial, make: Callable[[], Observation], others: Callable[[], float] = lambda: 0.0
    ) -> Observation:
        """Returns an evaluation, which is made unless it was kept.

        Args:
            number: of the evaluation in its run.
            trial: whose settings are evaluated. An objective may suggest them only while it is evaluated; then they
                are suggested from what is kept, one by one, as long as they agree.
            make: evaluates.
            others: returns the seconds so far that are not an evaluation's own.
        """
        found = _agreeing([each for each in self._read() if each["number"] == number], trial)
        if found is not None:
            seen = found["observation"]
            return Observation(seen["value"], tuple(seen["constraints"]), seen["variance"], tuple(seen["names"]))
        start = time.perf_counter() - others()
        made = make()
        if time.perf_counter() - others() - start >= DEAR:
            params = [[n, distribution_to_json(trial.distributions[n]), repr(v)] for n, v in trial.params.items()]
            self._keep({"number": number, "params": params, "observation": asdict(made)})
        return made

    def _read(self) -> list[dict[str, Any]]:
        if self.path is None or not self.path.is_file():
            return []
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                read = json.loads(line)
            except ValueError:  # who wrote it was killed on the way
                continue
            if isinstance(read, dict) and read.keys() == {"number", "params", "observation"}:
                kept.append(read)
        return kept

    def _keep(self, line: dict[str, Any]) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            # the line break before it parts it from what somebody who was killed has left
            file.write(f"\n{json.dumps(line)}\n")


def _agreeing(kept: list[dict[str, Any]], trial: Trial) -> dict[str, Any] | None:
    """Returns the evaluation whose settings are the trial's, in the order in which they were suggested."""
    place = 0
    while kept:
        for each in kept:
            if len(each["params"]) == place:
                return each
        # with the same settings so far, an objective suggests the same one next
        name, distribution, _ = kept[0]["params"][place]
        value = repr(suggest(trial, name, json_to_distribution(distribution)))
        kept = [each for each in kept if each["params"][place][0] == name and each["params"][place][2] == value]
        place += 1
    return None
