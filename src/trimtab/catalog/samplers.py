"""Candidates for black boxes: Optuna samplers, the host's, ours and anybody's."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from trimtab.catalog.calls import ANY, Call, check_settings, parameter_names, read_calls, restored_calls
from trimtab.catalog.signatures import default_of
from trimtab.lab.blackbox.problem import MakeSampler
from trimtab.study.errors import InputError
from trimtab.study.tunable import Settings, Tunables, Value

SLOT = "sampler"


class Sampler(Call):
    """A class of samplers, built with ``seed=`` and the settings in brackets."""

    @property
    def tunables(self) -> Tunables:
        """Nothing: settings in brackets make another candidate."""
        return {}

    def build(self, tuned: Settings) -> MakeSampler:
        """Returns what makes the sampler of a seed."""
        return partial(_make, self.entry.load(), self.settings(tuned))

    def code(self, tuned: Settings, total_steps: int | None = None) -> str:
        """Returns the lines that use it."""
        module, name = self.entry.public
        trials = "..." if total_steps is None else str(total_steps)
        return (
            f"import optuna\nfrom {module} import {name.partition('.')[0]}\n\n"
            f"study = optuna.create_study(sampler={name}(seed=0{self.arguments(tuned)}))\n"
            f"study.optimize(objective, n_trials={trials})"
        )

    def check(self) -> None:
        """Builds it once.

        Raises:
            InputError: it is no sampler, takes no seed, or has no such setting.
        """
        found = self.entry.load()
        if not (isinstance(found, type) and issubclass(found, BaseSampler)):
            raise InputError(f"{self.entry.id} is no optuna.samplers.BaseSampler")
        known = parameter_names(found)
        if "seed" not in known and ANY not in known:
            raise InputError(f"{self.entry.id} takes no seed=, from which all its randomness has to come")
        if "seed" in dict(self.fixed):
            raise InputError(f"{self.label}: the comparison gives each run a seed of its own; leave out seed=")
        check_settings(self, [name for name in known if name != "seed"])
        try:
            self.build({})(0)
        except Exception as error:
            raise InputError(f"{self.label} cannot be built: {type(error).__name__}: {error}") from error


def _make(kind: Callable[..., BaseSampler], settings: Mapping[str, Value], seed: int) -> BaseSampler:
    # else one that cannot say all of a space by itself would print three lines an evaluation
    quiet = {_WARNS: False} if _WARNS in parameter_names(kind) and default_of(kind, _WARNS) else {}
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):  # whoever names it has chosen it
        return kind(seed=seed, **{**quiet, **settings})


_WARNS = "warn_independent_sampling"


def read_samplers(text: str) -> tuple[Sampler, ...]:
    """Reads samplers separated by commas; see :func:`~trimtab.catalog.calls.read_calls`."""
    return read_calls(text, SLOT, Sampler)


def samplers_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Sampler, ...]:
    """Makes samplers again of labels and definitions."""
    return restored_calls(labels, definitions, SLOT, Sampler)
