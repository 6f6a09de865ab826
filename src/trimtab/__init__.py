"""Adaptive optimisation for PyTorch: methods that set their own knobs, and a fair way to tell which of them helps."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab import compress, optim, report, schedule, search
    from trimtab.catalog.create import create
    from trimtab.compare.comparison import Comparison
    from trimtab.compare.frames import read
    from trimtab.compare.imported.outcomes import analyse
    from trimtab.compare.options import Options
    from trimtab.compare.pairs import compare_losses
    from trimtab.lab.adapters.huggingface import TrainerTask
    from trimtab.lab.adapters.lightning import LightningTask
    from trimtab.lab.blackbox.observation import Observation
    from trimtab.lab.blackbox.problem import BlackBox
    from trimtab.lab.commands.problem import CommandProblem
    from trimtab.lab.problem import Problem
    from trimtab.lab.session import Session
    from trimtab.lab.tables.task import TableTask
    from trimtab.lab.task import Task
    from trimtab.lab.transforms.pruned import Pruned
    from trimtab.report.tracking.mlflow import MlflowCallback
    from trimtab.report.tracking.tensorboard import TensorBoardCallback
    from trimtab.report.tracking.wandb import WandbCallback
    from trimtab.study.metric import Evaluation, Metric

__version__ = "0.1.0"
__all__ = [
    "BlackBox",
    "CommandProblem",
    "Comparison",
    "Evaluation",
    "LightningTask",
    "Metric",
    "MlflowCallback",
    "Observation",
    "Options",
    "Problem",
    "Pruned",
    "Session",
    "TableTask",
    "Task",
    "TensorBoardCallback",
    "TrainerTask",
    "WandbCallback",
    "analyse",
    "compare_losses",
    "compress",
    "create",
    "optim",
    "read",
    "report",
    "schedule",
    "search",
]

_HOMES = {
    "analyse": "trimtab.compare.imported.outcomes",
    "BlackBox": "trimtab.lab.blackbox.problem",
    "CommandProblem": "trimtab.lab.commands.problem",
    "compare_losses": "trimtab.compare.pairs",
    "compress": "trimtab.compress",
    "create": "trimtab.catalog.create",
    "Comparison": "trimtab.compare.comparison",
    "Evaluation": "trimtab.study.metric",
    "LightningTask": "trimtab.lab.adapters.lightning",
    "Metric": "trimtab.study.metric",
    "MlflowCallback": "trimtab.report.tracking.mlflow",
    "Observation": "trimtab.lab.blackbox.observation",
    "optim": "trimtab.optim",
    "Options": "trimtab.compare.options",
    "Problem": "trimtab.lab.problem",
    "Pruned": "trimtab.lab.transforms.pruned",
    "read": "trimtab.compare.frames",
    "report": "trimtab.report",
    "schedule": "trimtab.schedule",
    "search": "trimtab.search",
    "Session": "trimtab.lab.session",
    "TableTask": "trimtab.lab.tables.task",
    "Task": "trimtab.lab.task",
    "TensorBoardCallback": "trimtab.report.tracking.tensorboard",
    "TrainerTask": "trimtab.lab.adapters.huggingface",
    "WandbCallback": "trimtab.report.tracking.wandb",
}


def __getattr__(name: str) -> object:
    # torch is imported with the first of these names, so that the command line answers at once where it can
    if name not in _HOMES:
        raise AttributeError(f"module 'trimtab' has no attribute {name!r}")
    import importlib

    home = importlib.import_module(_HOMES[name])
    return home if _HOMES[name] == f"{__name__}.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
