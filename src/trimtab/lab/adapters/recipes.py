"""What people's own trainers say of how a model is trained, as options of a comparison.

Only what a comparison can do in the same way is taken over; all else is refused, because a recipe that is nearly
somebody's own shows nothing of it. Which parameters go without weight decay is the one exception: what differs is said.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import lr_scheduler

from trimtab.lab.adapters.common import is_of
from trimtab.lab.adapters.module_checks import schedulers_of
from trimtab.primitives.biases_and_norms import biases_and_norms
from trimtab.study.errors import InputError
from trimtab.study.phrases import NAMED, count, listed

Recipe = dict[str, Any]

_SCHEDULES: Mapping[str, str] = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "none",
    "constant_with_warmup": "none",
    "inverse_sqrt": "inverse-sqrt",
}

_REMEDY = "leave as_trained out, and say what comes nearest by --schedule, --warmup and --clip-norm"

_WITHOUT_TRAINER = _REMEDY.replace("as_trained", "trainer")


def trainer_recipe(arguments: Any, steps: int) -> Recipe:
    """Returns what ``TrainingArguments`` say: schedule, warm-up and clipping; biases and norms go without weight decay.

    Args:
        arguments: of a ``transformers.Trainer``.
        steps: of a run.

    Raises:
        InputError: they say something that a comparison cannot do.
    """
    schedule = str(getattr(arguments.lr_scheduler_type, "value", arguments.lr_scheduler_type))
    if schedule not in _SCHEDULES:
        raise InputError(
            f"lr_scheduler_type={schedule!r} cannot be taken over, as {', '.join(_SCHEDULES)} can; {_REMEDY}"
        )
    if arguments.lr_scheduler_kwargs:
        raise InputError(f"lr_scheduler_kwargs={arguments.lr_scheduler_kwargs!r} cannot be taken over; {_REMEDY}")
    if arguments.fp16:
        raise InputError("fp16=True cannot be taken over, as bf16=True can, which needs no scaling of the loss")
    for name in ("bf16_full_eval", "fp16_full_eval"):
        if getattr(arguments, name):
            raise InputError(
                f"{name}=True cannot be taken over: here a model is validated in the precision that it is trained in; "
                f"leave {name} out"
            )
    warmup = 0 if schedule == "constant" else arguments.get_warmup_steps(steps)
    if warmup >= steps:
        raise InputError(f"warmup_steps={warmup}: a run has {count(steps, 'step')}, and a warm-up has to end before")
    if schedule == "inverse_sqrt" and not warmup:
        raise InputError(f"lr_scheduler_type='inverse_sqrt' without warmup_steps cannot be taken over; {_REMEDY}")
    found: Recipe = {"schedule": _SCHEDULES[schedule], "no_decay": True}
    found |= {"warmup": warmup / steps} if warmup else {}
    return found | ({"clip_norm": float(arguments.max_grad_norm)} if arguments.max_grad_norm else {})


def check_trains_as_told(trainer: Any) -> None:
    """Checks that a ``transformers.Trainer`` makes schedule and groups as its arguments say.

    Raises:
        InputError: a subclass makes them by itself.
    """
    making = ("create_optimizer_and_scheduler", "create_scheduler", "create_optimizer", "get_decay_parameter_names")
    own = [name for name in making if not is_of(trainer, name, "transformers")]
    if own:
        raise InputError(
            f"{type(trainer).__name__}.{listed(own)} {'is' if len(own) == 1 else 'are'} not called in a comparison, so "
            f"that schedule and groups cannot be taken over: do without, or {_REMEDY}"
        )


def decayed_otherwise(trainer: Any) -> str:
    """Returns in a sentence which parameters a ``transformers.Trainer`` decays otherwise than a comparison, or nothing.

    It goes by names: a norm that is not called so decays, and whatever has ``bias`` in its name does not.
    """
    params = {name: param for name, param in trainer.model.named_parameters() if param.requires_grad}
    theirs, without = set(trainer.get_decay_parameter_names(trainer.model)), biases_and_norms(trainer.model)
    more = [name for name, param in params.items() if name in theirs and param in without]
    less = [name for name, param in params.items() if name not in theirs and param not in without]
    parts = [f"decays {_named(more)}, without decay here"] if more else []
    parts += [f"leaves out {_named(less)}, decayed here"] if less else []
    return f"Weight decay is not quite the Trainer's, which {', and '.join(parts)}." if parts else ""


def _named(names: Sequence[str]) -> str:
    shown = [*names[:NAMED], *([f"{len(names) - NAMED} more"] if len(names) > NAMED else [])]
    return f"{count(len(names), 'parameter')} ({listed(shown)})"


def lightning_recipe(trainer: Any, module: Any, steps: int) -> Recipe:
    """Returns what a Lightning ``Trainer`` and ``configure_optimizers`` say: clipping and the schedule.

    Args:
        trainer: the Trainer.
        module: the module.
        steps: of a run.

    Raises:
        InputError: they say something that a comparison cannot do.
    """
    clipping, algorithm = trainer.gradient_clip_val, trainer.gradient_clip_algorithm or "norm"
    kind = str(getattr(algorithm, "value", algorithm))
    if clipping and kind != "norm":
        raise InputError(f"gradient_clip_algorithm={kind!r} cannot be taken over, as 'norm' can; {_WITHOUT_TRAINER}")
    if trainer.accumulate_grad_batches != 1:
        raise InputError(
            f"accumulate_grad_batches={trainer.accumulate_grad_batches} cannot be taken over: a comparison takes a "
            "step at once; give the loader the batch size of a step"
        )
    found: Recipe = {"clip_norm": float(clipping)} if clipping else {}
    schedulers = schedulers_of(module)
    if len(schedulers) > 1:
        raise InputError(f"configure_optimizers has {len(schedulers)} schedules, of which one can be taken over")
    if schedulers and not is_of(module, "lr_scheduler_step", "lightning", "pytorch_lightning"):
        raise InputError(
            f"{type(module).__name__}.lr_scheduler_step is not called in a comparison, so that its schedule cannot be "
            f"taken over; {_WITHOUT_TRAINER}"
        )
    for scheduler, stretch in schedulers:
        name = type(scheduler).__name__
        if stretch != "step":
            raise InputError(
                f"{name} is stepped every {stretch}, and schedules are taken over that are stepped every step: "
                f"{{'scheduler': ..., 'interval': 'step', 'frequency': 1}}; or {_WITHOUT_TRAINER}"
            )
        found |= _schedule(scheduler, name, steps)
    return found


def _schedule(scheduler: Any, name: str, steps: int) -> Recipe:
    kind = type(scheduler)  # a subclass may have rates of its own
    if kind is lr_scheduler.CosineAnnealingLR and (scheduler.T_max, scheduler.eta_min) == (steps, 0):
        return {"schedule": "cosine"}
    if kind is lr_scheduler.LinearLR:
        ends = (scheduler.total_iters, scheduler.start_factor, scheduler.end_factor)
        if ends == (steps, 1.0, 0.0):
            return {"schedule": "linear"}
    if kind is lr_scheduler.OneCycleLR and scheduler.total_steps == steps:
        phases = scheduler._schedule_phases
        peak = (float(phases[0]["end_step"]) + 1) / steps
        usual = all(
            math.isclose(float(group["initial_lr"]) * 25, float(group["max_lr"]))
            and math.isclose(float(group["min_lr"]) * 1e4, float(group["initial_lr"]))
            for group in scheduler.optimizer.param_groups
        )
        if usual and len(phases) == 2:
            _check_cycle(scheduler)
            return {"schedule": "onecycle", "warmup": peak}
    raise InputError(
        f"{name} cannot be taken over: CosineAnnealingLR(T_max={steps}), LinearLR(1.0, 0.0, total_iters={steps}) and "
        f"OneCycleLR(total_steps={steps}) with its usual ends can, all of {steps} steps; or "
        f"{_WITHOUT_TRAINER}"
    )


def _check_cycle(scheduler: Any) -> None:
    other = []
    if scheduler._anneal_func_type != "cos":
        other.append((f"anneal_strategy={scheduler._anneal_func_type!r}", "anneal_strategy='cos'"))
    if scheduler.cycle_momentum:
        other.append(("cycle_momentum=True, its default,", "cycle_momentum=False"))
    if other:
        given, instead = (" and ".join(each) for each in zip(*other, strict=True))
        raise InputError(
            f"OneCycleLR with {given} cannot be taken over, because a cycle's rate goes along cosines here and "
            f"momentum stays; as OneCycleLR(..., {instead.replace(' and ', ', ')}) it can; or {_WITHOUT_TRAINER}"
        )
