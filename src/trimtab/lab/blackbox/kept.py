"""Evaluations that were paid for, kept beside a study: who was killed pays none of them twice.

An evaluation is found again by its problem, its number in the run, which decides its noise, and its settings, so that
candidates that look at the same settings at the same time share it too. What is quick is not kept.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trimtab.lab.blackbox.observation import Observation

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

    def get(self, number: int, params: Mapping[str, Any], make: Callable[[], Observation]) -> Observation:
        """Returns an evaluation, which is made unless it was kept.

        Args:
            number: of the evaluation in its run.
            params: what is evaluated.
            make: evaluates.
        """
        key = _key(number, params)
        found = self._found().get(key)
        if found is not None:
            return Observation(found["value"], tuple(found["constraints"]), found["variance"])
        start = time.perf_counter()
        made = make()
        if time.perf_counter() - start >= DEAR:
            self._keep({"key": key, **asdict(made)})
        return made

    def _found(self) -> dict[str, dict[str, Any]]:
        if self.path is None or not self.path.is_file():
            return {}
        kept = {}
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                read = json.loads(line)
                kept[read["key"]] = read
            except (ValueError, KeyError, TypeError):  # who wrote it was killed on the way
                continue
        return kept

    def _keep(self, line: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            # the line break before it parts it from what somebody who was killed has left
            file.write(f"\n{json.dumps(line)}\n")


def _key(number: int, params: Mapping[str, Any]) -> str:
    text = json.dumps([number, {name: repr(value) for name, value in params.items()}], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
