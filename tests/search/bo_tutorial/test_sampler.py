"""The sampler: Optuna's suites and ours, going on with a stored study, constraints, conditions, pending trials."""

from typing import ClassVar

import optuna
import pytest
from optuna.testing.pytest_samplers import SingleOnlySamplerTestCase

from trimtab.search.bo_tutorial.sampler import BOSampler
from trimtab.testing import SamplerConformance

optuna.logging.set_verbosity(optuna.logging.WARNING)


class TestConformance(SamplerConformance):
    sampler = BOSampler
    settings: ClassVar = {"n_startup_trials": 1, "num_restarts": 2, "raw_samples": 16}
    evaluations = 6


class TestOneObjective(SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: BOSampler(seed=0, n_startup_trials=0)
