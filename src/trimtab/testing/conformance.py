"""The whole suite as one class."""

from trimtab.testing.configuring import SharingChecks
from trimtab.testing.extremes import ExtremeChecks
from trimtab.testing.grouping import GroupSettingChecks
from trimtab.testing.hooks import HookChecks
from trimtab.testing.learning import LearningChecks
from trimtab.testing.loading import LoadingChecks
from trimtab.testing.looping import LoopChecks
from trimtab.testing.settings import SettingChecks
from trimtab.testing.stepping import StepChecks
from trimtab.testing.tensors import TensorChecks
from trimtab.testing.training import TrainingChecks


class OptimizerConformance(
    StepChecks,
    HookChecks,
    LearningChecks,
    GroupSettingChecks,
    SharingChecks,
    TensorChecks,
    ExtremeChecks,
    SettingChecks,
    LoopChecks,
    TrainingChecks,
    LoadingChecks,
):
    """What ``torch.optim`` promises or should: derive from it, name the optimizer, and let pytest collect it.

    Each check is a method whose docstring says the contract in a line. Checks of settings that the optimizer does not
    have are skipped.

    Attributes:
        optimizer: a class, function or ``functools.partial`` that is called as ``optimizer(params, **settings)``.
        settings: passed to every construction, e.g. ``{"lr": 0.1}`` where there is no default. A step must move a
            parameter by more than rounding.
        exceptions: checks that are known to fail, with the reason: ``{"sparse_gradients": "..."}``, or one case only,
            ``{"refuses[lr=nan]": "..."}``. They are reported as expected failures; one that passes is an error.
        shapes: of the parameters in most checks, at least three; change them where a rule is for matrices only.
        device: where parameters and gradients are; ``"cpu"`` unless told otherwise.

    Raises:
        TypeError: ``exceptions`` names a check that there is not.

    Examples:
        >>> class TestAdamW(OptimizerConformance):
        ...     optimizer = torch.optim.AdamW
        ...     exceptions = {"callers_groups_not_aliased": "torch writes defaults to the caller's dicts"}
    """
