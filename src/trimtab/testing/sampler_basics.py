"""What a comparison relies on in any sampler: seeds, ranges, directions, copies and recommendations."""

import copy
import math
import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from trimtab.testing.exceptions import require
from trimtab.testing.global_randomness import under_two_states
from trimtab.testing.sampler_support import KINDS, SamplerSuite, named, same, value, within


class BasicChecks(SamplerSuite):
    """What is suggested, whatever came before."""

    def test_built_with_seed(self) -> None:
        """``sampler(seed=0)`` makes an ``optuna.samplers.BaseSampler``."""
        try:
            made = self.make(0)
        except TypeError as error:
            raise AssertionError(f"it cannot be built with seed=: {error}") from error
        require(isinstance(made, BaseSampler), f"it makes a {type(made).__name__}, which is no BaseSampler")

    def test_same_seed(self) -> None:
        """The same seed suggests the same settings."""
        same(self.course(self.study(self.make(3))), self.course(self.study(self.make(3))), "the same seed")

    def test_other_seed(self) -> None:
        """Another seed suggests others."""
        one, other = (self.course(self.study(self.make(seed)), 5) for seed in (3, 4))
        require(one != other, "seeds 3 and 4 suggest the same settings: does the sampler use its seed?")

    def test_global_random_state(self) -> None:
        """The global generators of Python, NumPy and torch are neither drawn from nor changed."""
        one, other = under_two_states(lambda: self.course(self.study()))
        same(one, other, "another state of the global generators")

    @pytest.mark.parametrize("kind", [*KINDS, "all"])
    def test_within_range(self, kind: str) -> None:
        """What is suggested is within its range, on its steps and of its type."""
        if kind not in (*self.kinds, "all"):
            pytest.skip("a kind of setting that the sampler does not take")
        space = {name: KINDS[name] for name in (self.kinds if kind == "all" else [kind])}
        for params in self.course(self.study(), space=space):
            within(params, space)

    @pytest.mark.parametrize("trouble", ["failed", "pruned", "nan"])
    def test_trouble(self, trouble: str) -> None:
        """Trials that failed, were pruned or had no number, the first ones among them, are survived."""
        study = self.study()
        for index in range(self.evaluations):
            trial = study.ask(dict(self.space))
            within(trial.params, self.space)
            if index >= 3 and index % 3:
                study.tell(trial, value(trial.params))
            elif trouble == "pruned":
                trial.report(value(trial.params), 1)
                study.tell(trial, state=TrialState.PRUNED)
            elif trouble == "failed":
                study.tell(trial, state=TrialState.FAIL)
            else:
                with warnings.catch_warnings(action="ignore"):  # Optuna says what it makes of it
                    study.tell(trial, math.nan)
        for params in self.course(study, 3):
            within(params, self.space)

    def test_several_at_once(self) -> None:
        """Several trials may be asked for before one is told, and told in any order."""
        study = self.study()
        for _ in range(max(2, self.evaluations // 4)):
            trials = [study.ask(dict(self.space)) for _ in range(4)]
            for trial in reversed(trials):
                within(trial.params, self.space)
                study.tell(trial, value(trial.params))

    def test_maximize(self) -> None:
        """Where ``-f`` is maximised, the same settings are suggested as where ``f`` is minimised."""
        least, most = self.course(self.study()), self.course(self.study(direction="maximize"))
        same(least, most, "maximising -f instead of minimising f")

    @pytest.mark.parametrize("way", ["deepcopy", "pickle"])
    def test_copied(self, way: str) -> None:
        """A sampler that was copied or pickled in the middle goes on alike."""
        study, storage = self.stored()
        self.course(study)
        twin = self.moved(storage, InMemoryStorage(), _COPIES[way](study.sampler))
        same(self.course(study, 4), self.course(twin, 4), f"a {way} in the middle")

    def test_recommend(self) -> None:
        """``recommend(study)``, where there is one, names settings of the space, always the same, and changes none."""
        study = self.study()
        recommend = getattr(study.sampler, "recommend", None)
        if recommend is None:
            pytest.skip("it has no recommend(study): the best that was observed is taken")
        course = self.course(study)
        before = copy.deepcopy(study.trials)
        first, second = named(recommend(study)), named(recommend(study))
        require(
            first.keys() == self.space.keys(), f"recommend(study) named {sorted(first)} instead of {sorted(self.space)}"
        )
        within(first, self.space)
        same([first], [second], "recommend(study) a second time")
        require(study.trials == before, "recommend(study) changed the study's trials")
        asked = self.study()
        renewed: Any = getattr(asked.sampler, "recommend", None)
        require(callable(renewed), "recommend(study) is there once and not again")
        often = self.course(asked, after=lambda: renewed(asked))
        same(course, often, "recommend(study) after each")


_COPIES: Final[Mapping[str, Callable[[BaseSampler], BaseSampler]]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda sampler: pickle.loads(pickle.dumps(sampler)),  # noqa: S301  # made on the spot
}
