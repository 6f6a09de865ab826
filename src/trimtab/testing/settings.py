"""Checks of hyper-parameters: what is refused, when, and in which words."""

import math
import warnings
from typing import Any, Final

import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR

from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.support import (
    REFUSALS,
    Suite,
    further,
    give,
    gradients,
    parameters,
    require_close,
    require_same,
    values,
)

NAN: Final = math.nan
BAD: Final[list[tuple[str, float]]] = [
    *(("lr", value) for value in (-1.0, NAN)),
    *((betas, value) for betas in ("betas[0]", "betas[1:]") for value in (-0.5, 1.0, NAN)),
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
    ("setting", "value"), BAD, ids=[f"{setting}={value}" for setting, value in BAD]
)


class SettingChecks(Suite):
    """A setting out of its range never reaches a parameter."""

    @each_bad_setting
    def test_refuses(self, setting: str, value: float) -> None:
        """A bad setting is refused at construction with a ValueError that names it."""
        for name, bad in self.bad(setting, value):
            require_refusal(name, bad, lambda told={name: bad}: self.make(parameters(self.shapes), **told))

    @each_bad_setting
    def test_refuses_in_group(self, setting: str, value: float) -> None:
        """A bad setting of one group is refused, at construction and when the group is added."""
        for name, bad in self.bad(setting, value):
            first, *others = parameters(self.shapes)
            groups = [{"params": [first]}, {"params": others, name: bad}]
            require_refusal(name, bad, lambda groups=groups: self.make(groups))
            optimizer = self.make([first])
            made = len(optimizer.param_groups)
            group = {"params": further(optimizer, others), name: bad}
            require_refusal(name, bad, lambda add=optimizer.add_param_group, group=group: add(group))
            require(len(optimizer.param_groups) == made, "the refused group was added")

    @each_bad_setting
    def test_refuses_later(self, setting: str, value: float) -> None:
        """A bad setting that is written to a group is refused by the next step, which moves nothing."""
        for name, bad in self.bad(setting, value):
            params = parameters(self.shapes)
            optimizer = self.make([{"params": params[:1]}, {"params": params[1:]}])
            give(params)
            optimizer.step()
            before = values(params)
            optimizer.param_groups[-1][name] = bad
            require_refusal(name, bad, optimizer.step)
            require_same(params, before, "a refused step moved a parameter")

    def bad(self, setting: str, value: float) -> list[tuple[str, Any]]:
        """Returns the name and the bad values of a setting, or skips the check where it is nothing of that kind.

        Of several betas one is bad at a time.
        """
        name, _, which = setting.partition("[")
        self.need(name)
        usual = self.defaults()[name]
        if not which:
            self.need_number(name)
            return [(name, value)]
        several = list(usual) if isinstance(usual, tuple | list) else []
        # what a third one of 1 means is the method's own affair
        places = [0] if which == "0]" else range(1, 2 if value == 1 else len(several))
        places = [place for place in places if several and isinstance(several[place], float)]
        if not places:
            pytest.skip(f"{name} are {usual!r}")
        return [(name, (*several[:place], value, *several[place + 1 :])) for place in places]

    def test_refuses_lr_of_two(self) -> None:
        """A tensor of two elements as ``lr`` is refused with a ValueError that names it."""
        self.need_number("lr")
        lr = torch.tensor([1e-3, 1e-3])
        require_refusal("lr", lr.tolist(), lambda: self.make(parameters(self.shapes), lr=lr))

    def test_torch_error_inputs(self) -> None:
        """What torch's own tests say that all optimizers refuse, or warn of, this one does too, or refuses by name."""
        untold = None
        for given in torch_error_inputs():
            made = given.optimizer_error_input
            if "lr" in made.kwargs or not all(self.has(name) for name in made.kwargs):
                continue  # a rate of two elements has a check of its own
            params = parameters(self.shapes) if made.params is None else made.params
            said = f"accepted, where torch says {given.error_type.__name__}: {made.desc}"
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    self.make(params, **made.kwargs)
                except given.error_type:
                    continue
                except REFUSALS as error:
                    told = any(
                        word in str(error).lower() for word in ("duplicate", "twice", "more than one", "more than once")
                    )
                    if issubclass(given.error_type, Warning) and told:  # a parameter that a group has several times
                        continue
                    if made.params is not None and self.refuses_shape(error):  # before what is wrong with them
                        untold = error
                        continue
                    require(False, f"{described(error)}, where torch says {given.error_type.__name__}: {made.desc}")
            require(any(issubclass(each.category, given.error_type) for each in caught), said)
        if untold is not None:
            pytest.skip(f"parameters of one element, which torch's tests show, are refused: {untold}")

    def test_tensor_lr(self) -> None:
        """A tensor as ``lr`` does the same as a number but for rounding, under a schedule that writes to it too."""
        rate = 2.0 ** round(math.log2(self.default_lr()))  # exact in float32
        results = []
        for lr in (rate, torch.tensor(rate)):
            params = parameters(self.shapes)
            optimizer = self.make([{"params": params[:1]}, {"params": params[1:]}], lr=lr)
            scheduler = ExponentialLR(optimizer, gamma=0.5)
            begun = [float(group["lr"]) for group in optimizer.param_groups]
            for step in range(3):
                follow(optimizer, list(params), gradients(params, 1, step))
                scheduler.step()
                rates = [float(group["lr"]) for group in optimizer.param_groups]
                require(
                    rates == [each / 2 ** (step + 1) for each in begun],
                    f"with lr={lr!r} the schedule wrote {rates}: groups share the tensor, or a step changed it",
                )
            results.append(params)
        require_close(results[1], results[0], "a tensor as lr differs from the same number")

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
    except REFUSALS as error:
        require(False, f"{setting}={value} ends in {described(error)}, and in no ValueError")
    else:
        require(False, f"{setting}={value} is accepted")


def described(error: Exception) -> str:
    """Returns what was raised, as it is printed."""
    return f"{type(error).__name__}: {error}"
