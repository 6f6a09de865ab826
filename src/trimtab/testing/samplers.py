"""What a sampler has to keep to be compared with others: Optuna's own suite, and what a comparison relies on."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from optuna.samplers import BaseSampler

from trimtab.testing.sampler_basics import BasicChecks
from trimtab.testing.sampler_histories import HistoryChecks
from trimtab.testing.sampler_resume import ResumeChecks
from trimtab.testing.sampler_spaces import SpaceChecks
from trimtab.testing.sampler_support import KINDS

try:
    from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase
except ImportError as error:
    raise ImportError(
        "SamplerConformance needs Optuna 4.8 or newer, whose own suite is part of it: pip install 'optuna>=4.8'"
    ) from error


class SamplerChecks(BasicChecks, HistoryChecks, SpaceChecks, ResumeChecks):
    """What a comparison relies on beside Optuna's contract."""


class SamplerConformance(SamplerChecks, BasicSamplerTestCase, RelativeSamplerTestCase):
    """What Optuna and a comparison expect of a sampler: derive from it, name the sampler, and let pytest collect it.

    Runs Optuna's own ``BasicSamplerTestCase`` and ``RelativeSamplerTestCase``, whose checks of sampling settings
    together are skipped where the sampler does not, and what :class:`SamplerChecks` adds. Several objectives are left
    to Optuna's own classes: a comparison has one.

    Attributes:
        sampler: a class, function or ``functools.partial`` that is called as ``sampler(seed=seed, **settings)``.
        settings: passed to every construction. Let it learn from the first evaluation on if it can, as in the example:
            then relative sampling is checked, and the suite is faster.
        evaluations: how many are made in most checks: more than the sampler makes at random before it learns.
        kinds: the kinds of settings that the sampler takes, of the names in ``trimtab.testing.sampler_support.KINDS``:
            all of them unless told otherwise. Optuna's own checks know nothing of it.
        exceptions: checks that are known to fail, with the reason: ``{"maximize": "..."}``, or one case only,
            ``{"resume[running]": "..."}``. They are reported as expected failures; one that passes is an error.

    Raises:
        TypeError: ``exceptions`` names a check that there is not.

    Examples:
        >>> class TestTPE(SamplerConformance):
        ...     sampler = optuna.samplers.TPESampler
        ...     settings = {"n_startup_trials": 1}
        ...     evaluations = 6
    """

    sampler: ClassVar[Callable[..., BaseSampler]]  # type: ignore[assignment]  # Optuna has its fixture there

    @pytest.fixture(name="sampler")
    def _sampler(self) -> Callable[[], BaseSampler]:
        return self.make

    @pytest.fixture(autouse=True)
    def _relative(self, request: pytest.FixtureRequest) -> None:
        if not request.node.originalname.startswith("test_sample_relative"):
            return
        study, space = self.study(), {name: KINDS[name] for name in ("float", "log")}
        self.course(study, 1, space=space)
        number = study.ask().number
        if not study.sampler.sample_relative(study, study.trials[number], space):
            pytest.skip("it does not sample settings together after one evaluation")
