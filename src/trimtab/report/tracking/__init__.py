"""A comparison's trials in other programs that draw runs: one run a trial, told by callbacks."""

import importlib
from collections.abc import Sequence

from trimtab.report.tracking.trial_log import TrialLog
from trimtab.study.checks import check_texts
from trimtab.study.errors import Faults, InputError
from trimtab.study.suggestions import nearest

TRACKERS = {"tensorboard": "TensorBoardCallback", "wandb": "WandbCallback", "mlflow": "MlflowCallback"}
"""Name on the command line, which is that of the module as well, and the class."""


def trackers(names: Sequence[str]) -> list[TrialLog]:
    """Returns callbacks by their names, each as it is by default.

    Raises:
        InputError: there is none of a name, or it needs a package that is not installed.
    """
    check_texts("log_to", names)
    made, faults = [], Faults()
    for name in dict.fromkeys(names):
        with faults:
            if name not in TRACKERS:
                raise InputError(f"log_to={name!r}: {nearest(name, TRACKERS)}")
            made.append(getattr(importlib.import_module(f"{__name__}.{name}"), TRACKERS[name])())
    faults.raise_any()
    return made
