"""A sound sampler, from which each broken one differs by one fault, and what the suite finds of one.

The broken ones are in the test files of the checks that find them.
"""

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import TrialState

from trimtab.testing.audit import cases


class Sound(BaseSampler):
    """Steps from the best so far, and nothing wrong with it; faults replace one of its methods.

    What it draws follows from its seed, the trial's number and the setting's name alone, so that any instance goes on.
    """

    def __init__(self, seed=None):
        self.seed = seed

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def draw(self, study, trial, name):
        return np.random.default_rng([self.seed, trial.number, *name.encode()]).random()

    def best(self, study, name):
        finished = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        found = [each for each in finished if name in each.params]
        chosen = min(found, key=lambda t: t.value * self.sign(study), default=None)
        return None if chosen is None else chosen.params[name]

    def sign(self, study):
        return 1 if study.direction == StudyDirection.MINIMIZE else -1

    def sample_independent(self, study, trial, param_name, param_distribution):
        at = self.draw(study, trial, param_name)
        drawn = RandomSampler(int(at * 2**32)).sample_independent(study, trial, param_name, param_distribution)
        best = self.best(study, param_name)
        return best if at < 0.3 and self.fits(best, param_distribution) else drawn

    def fits(self, setting, distribution):
        return setting is not None and distribution._contains(distribution.to_internal_repr(setting))

    def recommend(self, study):
        return study.best_params


def failures(sampler, part, evaluations=12, only=None):
    """Returns the checks of a part of the suite that a sampler fails, with the case where there are some, and how."""
    suite = type("Suite", (part,), {"sampler": sampler, "evaluations": evaluations})
    found = {}
    for name, check in cases(suite):
        if only not in (None, name.partition("[")[0]):
            continue
        try:
            check()
        except Exception as error:
            found[name] = error
    return found


def checks(part):
    """Returns the names of a part's checks, with their cases."""
    return {name for name, _ in cases(part)}


def without_cases(names):
    return {name.partition("[")[0] for name in names}
