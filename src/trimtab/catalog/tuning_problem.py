"""Tuning as a black box: which sampler finds good settings of an optimizer on a training task?

It is here, and not with the other black boxes, because it reads optimizers as the catalogue does.
"""

import copy
import hashlib
import inspect
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import FloatDistribution

from trimtab.catalog.candidates import Candidate, parse_candidates, with_recipe
from trimtab.catalog.own import OwnEntry
from trimtab.catalog.recipes import Recipe, share_of_run
from trimtab.lab.blackbox.problem import BlackBox, MakeSampler, Params, Search
from trimtab.lab.blackbox.spaces import middle
from trimtab.lab.loading import fingerprint, load_task
from trimtab.lab.problem import Workplace
from trimtab.lab.run import Run
from trimtab.lab.task import Task
from trimtab.lab.work import NEEDED
from trimtab.study.checks import check_text, check_whole
from trimtab.study.errors import DivergedError, InputError
from trimtab.study.metric import Metric, Split
from trimtab.study.outcome import is_measured
from trimtab.study.tunable import LogOneMinus, Tunable, Value

FIRST_SEED, LAST_SEED = 1000, 2**31 - 1
"""Evaluations have seeds from here to there; those by which settings are judged are below."""

_DIRECTORY = re.compile(r"[^\s,()+=:'\"]*/(?=[^\s,()+=:'\"/]+\.py:)")
"""What stands before the name of a file with a class."""


class Tuning(BlackBox):
    r"""An optimizer's settings on a training task.

    The space is what the optimizer's candidate would be tuned in: its ``tunables``, each on its own scale. What is
    logarithmic in what lacks to one, as momentum :math:`\mu`, is searched as :math:`1 - \mu` on a logarithmic scale,
    under the name ``one_minus_momentum``, and turned back before it is set.

    An evaluation is a run of the task with a seed :math:`s` from its generator, and says the validation loss
    :math:`\ell(x, s)` at its end, which the task's own comparison ranks by. What settings are worth is

    .. math:: f(x) = \frac1k \sum_{s=0}^{k-1} \ell(x, s),

    over :math:`k` seeds that no evaluation has, and only for what is recommended in the end, as it is dear. A run that
    diverges is an evaluation without a value; where that happens with one of the :math:`k` seeds, the search ends as
    diverged. The task's own ``recipe`` goes around the optimizer, as in its comparison.

    Args:
        task: what is learned: a task, the name of one that ships, or ``path/to/file.py:name``.
        candidate: the optimizer, as any expression that the catalogue reads: ``clip(adamw)``, ``own.py:Mine``.
        steps: of a run; the task's own by default.
        repeats: seeds by which what is recommended is judged, at most 1,000.

    Raises:
        InputError: there is no such task or optimizer, or nothing of the optimizer is tuned.
    """

    name = "tuning"
    metric = Metric("validation loss", "min")
    judged_last: ClassVar = True
    modules: ClassVar = (*BlackBox.modules, *NEEDED, __name__)

    def __init__(
        self, task: str | Task = "digits", candidate: str = "lion", *, steps: int | None = None, repeats: int = 3
    ) -> None:
        check_text("candidate", candidate)
        check_whole("repeats", repeats, most=FIRST_SEED)
        if steps is not None:
            check_whole("steps", steps)
        self._task = load_task(task) if isinstance(task, str) else task
        if not isinstance(self._task, Task):
            raise InputError(f"task={task!r}: a trimtab.Task is needed, or what names one")
        self._reference = task if isinstance(task, str) else ""
        self._steps, self._repeats = self._task.steps if steps is None else steps, repeats
        self._candidate = _candidate(candidate, self._task, self._steps)
        self._place = Workplace(Path())
        self._tunables = self._candidate.tunables
        if not self._tunables:
            raise InputError(f"candidate={candidate!r}: nothing of it is tuned, so that there is nothing to search")
        self.space = {_searched(name, each): _range(each) for name, each in self._tunables.items()}
        label = _DIRECTORY.sub("", self._candidate.label)
        told = "" if steps is None else f", steps={steps}"
        told += "" if repeats == inspect.signature(Tuning).parameters["repeats"].default else f", repeats={repeats}"
        self.name = f"tuning({self._task.name}, {label}{told})"
        self.summary = (
            f"An evaluation trains {label} on {self._task.name} for {self._steps:,} steps, with a seed of its own, and "
            f"says the validation loss. What is recommended in the end is trained with {repeats} other "
            f"seed{'s' * (repeats > 1)}, the same for all, and the mean counts."
        )

    def evaluate(self, params: Params, generator: np.random.Generator) -> float:
        """Trains with settings.

        Raises:
            DivergedError: a loss was not finite.
        """
        return self._loss(params, int(generator.integers(FIRST_SEED, LAST_SEED, endpoint=True)))

    def true_value(self, params: Params, split: Split, /) -> float:
        """Trains with settings and each of the seeds by which they are judged, and returns the mean loss.

        Raises:
            DivergedError: a loss was not finite.
        """
        return float(np.mean([self._loss(params, seed, split) for seed in range(self._repeats)]))

    def _loss(self, params: Params, seed: int, split: Split = "validation") -> float:
        run = self._begun(params, seed)
        while not run.meter.exhausted:
            run.step()
        loss = run.evaluate(split).loss
        if not is_measured(loss):
            raise DivergedError(run.steps, loss)
        return loss

    def _begun(self, params: Params, seed: int) -> Run:
        build: Any = self._candidate.build(self.settings(params))  # of a controller beside an optimizer, perhaps
        return self._task.start(build, seed=seed, budget=self._task.budget(self._steps), place=self._place)

    def settings(self, params: Params) -> Mapping[str, Value]:
        """Returns what the optimizer is built with, of settings as they are searched."""
        return {name: _turned_back(params[_searched(name, each)], each) for name, each in self._tunables.items()}

    def start(self, build: MakeSampler, *, seed: int, budget: int | None, place: Workplace) -> Search:
        """Begins a search, which trains where its place says."""
        found = copy.copy(self)
        found._place = place
        return BlackBox.start(found, build, seed=seed, budget=budget, place=place)

    def definition(self) -> dict[str, Any]:
        """Returns what of somebody's own classes in modules may not change; files are in the reference."""
        own = [node.entry for node in self._candidate.expression.nodes() if isinstance(node.entry, OwnEntry)]
        hashes = {each.id: each.hash for each in own if not each.file}
        return {"classes": hashes} if hashes else {}

    def source(self) -> str:
        """Returns what changes when a file of the task or of the optimizer does."""
        kinds: list[Any] = [type(self._task), *(node.entry.load() for node in self._candidate.whole.nodes())]
        parts = [super().source(), fingerprint(self._reference) if self._reference else ""]
        for kind in kinds:
            with suppress(TypeError, OSError):  # it was typed at a prompt, or is no Python
                parts.append(hashlib.sha256(Path(inspect.getfile(kind)).read_bytes()).hexdigest())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def check(self, place: str) -> None:
        """Looks at the task, and takes a step with the middle of the ranges, for a run is dear.

        Raises:
            InputError: the task or the optimizer does not work.
        """
        self._check_parts(place)
        self._task.check(place)
        try:
            self._begun(middle(self.distributions), 0).step()
        except Exception as error:
            raise InputError(
                f"{place}: {self._candidate.label} takes no step on {self._task.name}, in the middle of its ranges: "
                f"{type(error).__name__}: {error}"
            ) from error


def _candidate(text: str, task: Task, steps: int) -> Candidate:
    """Reads one candidate, with the task's recipe around it."""
    # a path in a directory whose name has blanks can be read only from there
    found = parse_candidates(text.replace(f"{Path.cwd()}{os.sep}", ""), None)
    if len(found) != 1:
        raise InputError(f"candidate={text!r}: one optimizer is needed, and these are {len(found)}")
    own = dict(task.recipe)
    if "warmup" in own:
        own["warmup"] = share_of_run(own["warmup"], steps)
    return with_recipe(found[0], Recipe(**own)) if own else found[0]


def _searched(name: str, tunable: Tunable) -> str:
    """Returns under which name a setting is searched."""
    owner, dot, setting = name.rpartition(".")
    return f"{owner}{dot}one_minus_{setting}" if isinstance(tunable, LogOneMinus) else name


def _range(tunable: Tunable) -> Any:
    """Returns the range in which a setting is searched."""
    if isinstance(tunable, LogOneMinus):
        return FloatDistribution(1 - tunable.high, 1 - tunable.low, log=True)
    return tunable


def _turned_back(value: Any, tunable: Tunable) -> Value:
    """Returns the setting that was meant with what was searched."""
    if isinstance(tunable, LogOneMinus):
        return min(max(1 - float(value), tunable.low), tunable.high)  # rounding may have put it beyond an end
    found: Value = value
    return found
