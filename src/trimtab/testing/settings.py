"""Checks of hyper-parameters: what is refused, when, and in which words."""

import math
import warnings
from typing import Any, Final

import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR

from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.support import Suite, give, gradients, parameters, require_same, values

NAN: Final = math.nan
BAD: Final[list[tuple[str, Any]]] = [
    *(("lr", value) for value in (-1.0, NAN)),
    *(("betas", value) for value in ((-0.5, 0.9), (1.0, 0.9), (NAN, 0.9), (0.9, -0.5), (0.9, 1.0), (0.9, NAN))),
    *(("momentum", value) for value in (-0.5, NAN)),
    *(("eps", value) for value in (-1.0, NAN)),
    *(("weight_decay", value) for value in (-1.0, NAN)),
]
# What a message may call them: torch itself writes "Invalid beta parameter at index 0".
WORDS: Final = {
    "lr": ("lr", "learning rate", "learning_rate"),
    "betas": ("beta",),
    "momentum": ("momentum",),
    "eps": ("eps",),
    "weight_decay": ("weight_decay", "weight decay"),
}

each_bad_setting = pytest.mark.parametrize(
    ("setting", "value"), BAD, ids=[f"{setting}={value}".replace(" ", "") for setting, value in BAD]
)


class SettingChecks(Suite):
    """A setting out of its range never reaches a parameter."""

    @each_bad_setting
    def test_refuses(self, setting: str, value: Any) -> None:
        """A bad setting is refused at construction with a ValueError that names it."""
        self.need(setting)
        require_refusal(setting, value, lambda: self.make(parameters(self.shapes), **{setting: value}))

    @each_bad_setting
    def test_refuses_in_group(self, setting: str, value: Any) -> None:
        """A bad setting of one group is refused, at construction and when the group is added."""
        self.need(setting)
        first, *others = parameters(self.shapes)
        group = {"params": others, setting: value}
        require_refusal(setting, value, lambda: self.make([{"params": [first]}, dict(group)]))
        optimizer = self.make([first])
        require_refusal(setting, value, lambda: optimizer.add_param_group(dict(group)))
        require(len(optimizer.param_groups) == 1, "the refused group was added")

    @each_bad_setting
    def test_refuses_later(self, setting: str, value: Any) -> None:
        """A bad setting that is written to a group is refused by the next step, which moves nothing."""
        self.need(setting)
        params = parameters(self.shapes)
        optimizer = self.make([{"params": params[:1]}, {"params": params[1:]}])
        give(params)
        optimizer.step()
        before = values(params)
        optimizer.param_groups[1][setting] = value
        require_refusal(setting, value, optimizer.step)
        require_same(params, before, "a refused step moved a parameter")

    def test_refuses_lr_of_two(self) -> None:
        """A tensor of two elements as ``lr`` is refused with a ValueError that names it."""
        self.need("lr")
        lr = torch.tensor([1e-3, 1e-3])
        require_refusal("lr", lr.tolist(), lambda: self.make(parameters(self.shapes), lr=lr))

    def test_torch_error_inputs(self) -> None:
        """What torch's own tests say that all optimizers refuse, or warn of, this one does too."""
        for given in torch_error_inputs():
            made = given.optimizer_error_input
            params = parameters(self.shapes) if made.params is None else made.params
            said = f"accepted, where torch says {given.error_type.__name__}: {made.desc}"
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    self.make(params, **made.kwargs)
                except given.error_type:
                    continue
            require(any(issubclass(each.category, given.error_type) for each in caught), said)

    def test_tensor_lr(self) -> None:
        """A tensor as ``lr`` does the same as a number, under a schedule that writes to it too."""
        rate = 2.0 ** round(math.log2(self.default_lr()))  # exact in float32
        results = []
        for lr in (rate, torch.tensor(rate)):
            params = parameters(self.shapes)
            optimizer = self.make([{"params": params[:1]}, {"params": params[1:]}], lr=lr)
            scheduler = ExponentialLR(optimizer, gamma=0.5)
            for step in range(3):
                follow(optimizer, list(params), gradients(params, 1, step))
                scheduler.step()
                rates = [float(group["lr"]) for group in optimizer.param_groups]
                require(
                    rates == [rate / 2 ** (step + 1)] * 2,
                    f"with lr={lr!r} the schedule wrote {rates}: groups share the tensor, or a step changed it",
                )
            results.append(params)
        require_same(results[1], results[0], "a tensor as lr differs from the same number")

    def test_tensor_lr_not_aliased(self) -> None:
        """The caller's ``lr`` tensor is copied for each group: nobody sees what others write to it."""
        rate = self.default_lr()
        lr = torch.tensor(rate)
        given = lr.clone()
        optimizer = self.make([{"params": [param]} for param in parameters(self.shapes)], lr=lr)
        for group in optimizer.param_groups:
            group["lr"] *= 0.5  # in place where it is a tensor, as some schedules write
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        halved = [pytest.approx(given.item() / 2)] * len(rates)
        require(rates == halved, f"each group's lr of {given.item()} was halved once, and they are {rates}")
        require(torch.equal(lr, given), "writing to a group's lr changed the caller's tensor")
        require(float(optimizer.defaults["lr"]) == given.item(), "writing to a group's lr changed the defaults")
        optimizer = self.make(parameters(self.shapes), lr=lr)
        lr.fill_(0.5)
        require(
            float(optimizer.param_groups[0]["lr"]) == given.item(),
            "writing to the caller's lr tensor changed the optimizer's",
        )


def torch_error_inputs() -> Any:
    """Returns the inputs that every optimizer of torch refuses, or skips the check where torch does not ship them.

    The module is torch's own: it may move, and needs packages that an installation does not.
    """
    try:
        from torch.testing._internal.common_optimizers import get_error_inputs_for_all_optims
    except ImportError as error:
        pytest.skip(f"torch's descriptions of its own tests are not at hand: {error}")
    found: Any = get_error_inputs_for_all_optims("cpu", torch.float32)  # type: ignore[no-untyped-call]  # no types
    return found


def require_refusal(setting: str, value: Any, act: Any) -> None:
    """Fails the check unless ``act`` raises a ValueError that names the setting."""
    try:
        act()
    except ValueError as error:
        named = any(word in str(error).lower() for word in WORDS[setting])
        require(named, f"{setting}={value} is refused without naming it: {error}")
    else:
        require(False, f"{setting}={value} is accepted")
