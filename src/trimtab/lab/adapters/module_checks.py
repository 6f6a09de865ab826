"""What of a Lightning module would change what is learned, and cannot be taken over."""

from typing import Any

from torch.optim import Optimizer

from trimtab.study.errors import InputError
from trimtab.study.phrases import NAMED, count, listed

HOOKS = (
    "on_fit_start",
    "on_train_start",
    "on_train_epoch_start",
    "on_train_batch_start",
    "transfer_batch_to_device",
    "on_before_batch_transfer",
    "on_after_batch_transfer",
    "on_before_zero_grad",
    "optimizer_zero_grad",
    "on_before_backward",
    "backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "configure_gradient_clipping",
    "optimizer_step",
    "on_train_batch_end",
    "on_train_epoch_end",
)
"""What may change batches, gradients or weights in training, and would not be called."""


def overrides(found: Any, name: str, kind: type) -> bool:
    """Tells whether a class of somebody's own has another method than Lightning's."""
    return getattr(type(found), name) is not getattr(kind, name)


def check_hooks(found: Any, kind: type) -> None:
    """Checks that nothing but ``training_step`` takes part in training.

    Args:
        found: a module, or a data module.
        kind: Lightning's own class of it.

    Raises:
        InputError: it optimises by itself, or has a hook that may change what is learned.
    """
    name = type(found).__name__
    if not getattr(found, "automatic_optimization", True):
        raise InputError(
            f"{name} optimises by itself (automatic_optimization=False), which cannot be compared as a task. If one "
            "optimizer and one loss will do, set automatic_optimization=True in the function that makes it, and give "
            "LightningTask(losses=...); else compare the script that trains it: trimtab compare --candidates ... "
            '--command "python train.py ..."'
        )
    hooks = [hook for hook in HOOKS if hasattr(kind, hook) and overrides(found, hook, kind)]
    if hooks:
        are = "is" if len(hooks) == 1 else "are"
        plain = "; ".join(f"{hook} = {kind.__name__}.{hook}" for hook in hooks)
        raise InputError(
            f"{name}.{' and '.join(hooks)} {are} not called in a comparison, and may change what is learned. Move what "
            "does to training_step or to the data set; if the rest only logs, compare it without: "
            f"class Plain({name}): {plain}"
        )


def check_optimizers(module: Any, kind: type) -> None:
    """Checks that a module has all of its parameters trained, as a comparison does, by one optimizer.

    Raises:
        InputError: ``configure_optimizers`` has several optimizers, or leaves parameters out that are not frozen.
    """
    if not overrides(module, "configure_optimizers", kind):
        return
    try:
        found = _optimizers(module.configure_optimizers())
    except Exception:  # it asks the Trainer, for the number of steps as a rule, and there is none
        return
    if len(found) > 1:
        raise InputError(
            f"{type(module).__name__}.configure_optimizers makes {len(found)} optimizers; a candidate is one"
        )
    trained = {id(param) for optimizer in found for group in optimizer.param_groups for param in group["params"]}
    left = [name for name, param in module.named_parameters() if param.requires_grad and id(param) not in trained]
    if found and left:
        names = left if len(left) <= NAMED else [*left[:NAMED], count(len(left) - NAMED, "other")]
        raise InputError(
            f"{type(module).__name__}.configure_optimizers leaves out {listed(names)}, and a comparison trains all "
            "that requires a gradient: freeze them in __init__, by requires_grad_(False)"
        )


def _optimizers(configured: Any) -> list[Optimizer]:
    """Returns the optimizers in whatever form Lightning takes them."""
    if isinstance(configured, Optimizer):
        return [configured]
    if isinstance(configured, dict):
        return _optimizers(configured.get("optimizer"))
    if isinstance(configured, list | tuple):
        return [optimizer for each in configured for optimizer in _optimizers(each)]
    return []


def schedulers_of(module: Any) -> list[tuple[Any, str]]:
    """Returns the schedules that ``configure_optimizers`` makes, with what each is stepped after: ``"5 steps"``.

    Raises:
        InputError: it cannot be called without a Trainer.
    """
    try:
        configured = module.configure_optimizers()
    except Exception as error:
        raise InputError(
            f"{type(module).__name__}.configure_optimizers raised {type(error).__name__} without a Trainer: {error}\n"
            "Have it do without, or leave trainer out and say the schedule by --schedule and --warmup"
        ) from error
    if isinstance(configured, dict):
        given = configured.get("lr_scheduler")
        return [] if given is None else [_with_stretch(given)]
    if isinstance(configured, list | tuple):
        if len(configured) == 2 and isinstance(configured[1], list | tuple):
            return [_with_stretch(each) for each in configured[1]]
        found = [each["lr_scheduler"] for each in configured if isinstance(each, dict) and "lr_scheduler" in each]
        return [_with_stretch(each) for each in found]
    return []


def _with_stretch(given: Any) -> tuple[Any, str]:
    if not isinstance(given, dict):
        return given, "epoch"
    interval, frequency = given.get("interval", "epoch"), given.get("frequency", 1)
    return given["scheduler"], str(interval) if frequency == 1 else f"{frequency} {interval}s"
