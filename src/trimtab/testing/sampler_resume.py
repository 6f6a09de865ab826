"""What a sampler has to keep where a search goes on in another process: it suggests what it would have suggested.

All that a new instance has are its settings, its seed and the study as it was saved. So what a sampler draws has to
follow from these (from the seed and a trial's number, say), and not from how often it has drawn before.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import Trial, TrialState

from trimtab.testing.sampler_spaces import branches
from trimtab.testing.sampler_support import SamplerSuite, named, same, suggest, value

MORE: Final = 3
"""Trials that are compared after a search was cut off."""

_WHY: Final = "a new instance on the reloaded study"


class ResumeChecks(SamplerSuite):
    """A search that was cut off goes on as if it had not been."""

    @pytest.mark.parametrize(
        "case", ["startup", "modelled", "mixed", "conditional", "failed", "running", "every_trial"]
    )
    def test_resume(self, case: str) -> None:
        """A new instance with the same seed on the reloaded study suggests what the old one would have, bit for bit."""
        _CASES[case](self)

    def test_resume_recommend(self) -> None:
        """A new instance with the same seed recommends for the reloaded study what the old one does, bit for bit."""
        study, storage = self.stored()
        recommend = getattr(study.sampler, "recommend", None)
        if recommend is None:
            pytest.skip("it has no recommend(study): the best that was observed is taken")
        self.course(study)
        new = self.moved(storage, InMemoryStorage(), self.make())
        renewed: Any = new.sampler
        found = named(recommend(study)), named(renewed.recommend(new))
        same([found[0]], [found[1]], f"recommend(study) of {_WHY}", exactly=True)

    def goes_on(
        self,
        begin: Callable[[Study], object],
        ask: Callable[[Trial], object] | None = None,
        into: BaseStorage | None = None,
    ) -> None:
        """Begins a search, and fails the check unless a new instance goes on with it as the old one does."""
        study, storage = self.stored()
        begin(study)
        new = self.moved(storage, InMemoryStorage() if into is None else into, self.make())
        same(self.continued(study, ask), self.continued(new, ask), _WHY, exactly=True)

    def continued(self, study: Study, ask: Callable[[Trial], object] | None = None) -> list[dict[str, Any]]:
        """Goes on, tells of a trial that was running after the first of its own, and returns what was suggested."""
        running = [trial for trial in study.get_trials(states=[TrialState.RUNNING]) if trial.params]
        found = []
        for index in range(MORE):
            trial = study.ask(None if ask else dict(self.space))
            if ask:
                ask(trial)
            found.append(trial.params)
            study.tell(trial, value(trial.params))
            if index == 0 and running:
                study.tell(running[0].number, value(running[0].params))
        return found


def _startup(suite: ResumeChecks) -> None:
    suite.goes_on(lambda study: suite.course(study, 1))


def _modelled(suite: ResumeChecks) -> None:
    """Settings that are numbers, as far as there are some, which models take without any coding."""
    numbers = {name: kind for name, kind in suite.space.items() if isinstance(kind, FloatDistribution)} or suite.space
    suite.goes_on(lambda study: suite.course(study, space=numbers), lambda trial: suggest(trial, numbers))


def _mixed(suite: ResumeChecks) -> None:
    """Settings of several kinds; what the sampler itself keeps in the study has to pass through a file."""
    with tempfile.TemporaryDirectory() as folder:
        suite.goes_on(suite.course, into=JournalStorage(JournalFileBackend(str(Path(folder) / "journal.log"))))


def _conditional(suite: ResumeChecks) -> None:
    def begin(study: Study) -> None:
        for _ in range(suite.evaluations):
            trial = study.ask()
            branches(trial, suite.space)
            study.tell(trial, value(trial.params))

    suite.goes_on(begin, lambda trial: branches(trial, suite.space))


def _failed(suite: ResumeChecks) -> None:
    def begin(study: Study) -> None:
        for index in range(suite.evaluations):
            trial = study.ask(dict(suite.space))
            trial.report(value(trial.params), 1)
            state = (TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE)[index % 3]
            study.tell(trial, value(trial.params) if state == TrialState.COMPLETE else None, state=state)

    suite.goes_on(begin)


def _running(suite: ResumeChecks) -> None:
    """One trial that is told later, one that never is, and one that ended between two of its settings."""

    def begin(study: Study) -> None:
        suite.course(study)
        name, kind = next(iter(suite.space.items()))
        for asked in (suite.space, suite.space, {name: kind}):
            study.ask(dict(asked))

    suite.goes_on(begin)


def _every_trial(suite: ResumeChecks) -> None:
    study = suite.study()

    def renew() -> None:
        study.sampler = suite.make()

    same(suite.course(suite.study()), suite.course(study, after=renew), "a new instance for every trial", exactly=True)


_CASES: Final[Mapping[str, Callable[[ResumeChecks], None]]] = {
    "startup": _startup,
    "modelled": _modelled,
    "mixed": _mixed,
    "conditional": _conditional,
    "failed": _failed,
    "running": _running,
    "every_trial": _every_trial,
}
"""When a search is cut off."""
