"""The whole suite for samplers, on Optuna's own and on a sound one."""

import subprocess
import sys
from typing import ClassVar

import optuna
from optuna.distributions import FloatDistribution

from tests.testing.sampler_faults import Sound
from trimtab.testing import SamplerConformance
from trimtab.testing.sampler_basics import BasicChecks
from trimtab.testing.samplers import SamplerChecks

optuna.logging.set_verbosity(optuna.logging.WARNING)

STREAM = "a new instance's generator begins anew"


class TestRandom(SamplerConformance):
    sampler = optuna.samplers.RandomSampler
    exceptions: ClassVar = {"resume": STREAM}


class TestTPE(SamplerConformance):
    sampler = optuna.samplers.TPESampler
    settings: ClassVar = {"n_startup_trials": 1}
    evaluations = 6
    # the generator that startup draws from has not been used where the model begins
    exceptions: ClassVar = {
        f"resume[{case}]": STREAM for case in ("modelled", "mixed", "conditional", "failed", "running", "every_trial")
    }


class TestGP(BasicChecks):  # the rest and Optuna's own suite would take minutes here; docs/sampler_audit.py runs all
    sampler = optuna.samplers.GPSampler
    settings: ClassVar = {"n_startup_trials": 1, "deterministic_objective": True}
    evaluations = 3


class TestCMAES(SamplerConformance):
    sampler = optuna.samplers.CmaEsSampler
    settings: ClassVar = {"warn_independent_sampling": False}
    exceptions: ClassVar = {"resume": STREAM}


class TestSound(SamplerConformance):
    sampler = Sound


class Continuous(Sound):
    def sample_independent(self, study, trial, param_name, param_distribution):
        assert type(param_distribution) is FloatDistribution
        return super().sample_independent(study, trial, param_name, param_distribution)


class TestContinuous(SamplerChecks):
    sampler = Continuous
    evaluations = 6
    kinds = ("float", "log", "step")


def test_an_older_optuna_is_told_which_is_needed():
    older = "import sys; sys.modules['optuna.testing.pytest_samplers'] = None"
    code = f"{older}; from trimtab.testing import SamplerConformance"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "ImportError: SamplerConformance needs Optuna 4.8 or newer, whose own suite is part of it" in ended.stderr
