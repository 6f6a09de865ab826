"""Other people's samplers, as a comparison uses them."""

import warnings
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna_integration import BoTorchSampler
from optuna_integration.botorch import qlogei_candidates_func


class BoTorchLogEI(BoTorchSampler):  # type: ignore[misc]  # the package has no types
    """BoTorch's Gaussian process with ``qLogExpectedImprovement``, by Optuna's own integration.

    That sampler chooses an acquisition function of before while constraints are told, and passes over trials that run;
    here it has BoTorch's recommended one in any case, and sees them.

    Args:
        n_startup_trials: complete trials before the model is asked. The default is the integration's.
        consider_running_trials: whether trials that run count as pending.
        independent_sampler: draws what the model does not know; at random by default.
        seed: of all randomness.
    """

    def __init__(
        self,
        *,
        n_startup_trials: int = 10,
        consider_running_trials: bool = True,
        independent_sampler: BaseSampler | None = None,
        seed: int | None = None,
    ) -> None:
        settings: dict[str, Any] = {
            "n_startup_trials": n_startup_trials,
            "consider_running_trials": consider_running_trials,
            "independent_sampler": independent_sampler,
            "seed": seed,
        }
        super().__init__(candidates_func=qlogei_candidates_func, **settings)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns what the integration suggests, without its saying each time that it is experimental.

        Nor that a search ended early, as is usual where hardly anything is left to gain.
        """
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            warnings.filterwarnings("ignore", message="Optimization failed", category=RuntimeWarning)
            found: dict[str, Any] = super().sample_relative(study, trial, search_space)
        return found
