"""Sound optimizers of other shapes than the suite's own: what is not wrong with them is not said of them."""

import pytest
from torch.nn.parameter import is_lazy

from tests.testing.faults import Sound
from trimtab.testing.audit import audit_optimizer


class SettlesItsSettings(Sound):
    """Of its defaults nothing but the rate can be set."""

    def __init__(self, params, lr=0.125):
        super().__init__(params, lr, betas=(0.875, 0.25))


class SettlesByKeyword(Sound):
    def __init__(self, params, **settings):
        super().__init__(params, betas=(0.875, 0.25), **settings)


class GroupForEach(Sound):
    """Makes groups of its own, one for each parameter."""

    def add_param_group(self, param_group):
        for param in list(param_group["params"]):
            super().add_param_group({**param_group, "params": [param]})


class SizesItsSteps(Sound):
    """Has no rate unless it is told one."""

    def __init__(self, params, lr=None, **settings):
        super().__init__(params, lr, **settings)

    def check(self, group):
        super().check({**group, "lr": group["lr"] or 0.0})

    def move(self, group):
        super().move({**group, "lr": 0.125 if group["lr"] is None else group["lr"]})


class ThreeBetas(Sound):
    def __init__(self, params, lr=0.125, betas=(0.5, 0.25, 0.125), **settings):
        super().__init__(params, lr, betas, **settings)

    def check(self, group):
        _one, _two, _three = group["betas"]
        super().check(group)

    def gradient(self, param, grad, group):
        return grad * (1 - group["betas"][2])


class RefusesWhole(Sound):
    """Has a setting that is 0 by default and may be no number but a part of 1, and one without an end."""

    def __init__(self, params, dampening=0.0, largest=float("inf"), **settings):
        super().__init__(params, **settings)
        if not 0 <= dampening < 1:
            raise ValueError(f"dampening={dampening} must lie in [0, 1)")
        self.keep(dampening=dampening, largest=largest)

    def gradient(self, param, grad, group):
        return grad.clamp(-group["largest"], group["largest"]) * (1 - group["dampening"])


class RestsFirst(Sound):
    """Only looks at its first gradients."""

    def gradient(self, param, grad, group):
        return grad * (self.counted(param) > 5)

    def move(self, group):
        resting = [param for param in group["params"] if param.grad is not None and not self.rested(param)]
        kept = [param.clone() for param in resting]
        super().move(group)
        for param, value in zip(resting, kept, strict=True):
            param.copy_(value)

    def rested(self, param):
        return self.state.get(param, {}).get("step", 0) >= 5


class TakesSigns(Sound):
    """Weight decay is part of the gradient, of which only the sign counts."""

    def __init__(self, params, lr=2.0**-10, **settings):
        super().__init__(params, lr, **settings)

    def move(self, group):
        super().move({**group, "weight_decay": 0.0, "coupled": group["weight_decay"]})

    def gradient(self, param, grad, group):
        return (grad + param * group["coupled"]).sign()


class BeginsLate(Sound):
    """Has settings that count after dozens of steps."""

    def __init__(self, params, begin=25, every=1000, centred=True, **settings):
        super().__init__(params, **settings)
        self.keep(begin=begin, every=every, centred=centred)

    def gradient(self, param, grad, group):
        step = self.counted(param)
        late = step > group["begin"] and step % group["every"] == 0 and grad.numel() > 1
        return grad * (1.5 if group["centred"] else 1.25) if late else grad


class Unsupported(Exception):
    """What a package of its own would raise, which is no built-in error."""


class HasErrorsOfItsOwn(Sound):
    def refuse(self):
        try:
            super().refuse()
        except RuntimeError as error:
            raise Unsupported(str(error)) from None


class MovesByLittle(Sound):
    """Its steps are lost in the rounding of half a word."""

    def __init__(self, params, lr=2.0**-20, **settings):
        super().__init__(params, lr, **settings)


class HasOneRate(Sound):
    """Groups may have no rates of their own."""

    def take(self, closure):
        if len({float(group["lr"]) for group in self.param_groups}) > 1:
            raise ValueError("lr must be the same in all groups")
        return super().take(closure)


class NeedsAMatrix(Sound):
    """Refuses parameters among which there is nothing for it to do."""

    def __init__(self, params, lr=0.125, **settings):
        super().__init__(params, lr, **settings)
        given = [param for group in self.param_groups for param in group["params"]]
        shown = [param.shape for param in given if not is_lazy(param)]
        if shown and not any(len(shape) == 2 and min(shape) > 1 for shape in shown):
            raise ValueError("no parameter has two dimensions")


class FailsWithAFlag(Sound):
    def __init__(self, params, merge=False, **settings):
        super().__init__(params, **settings)
        self.keep(merge=merge)

    def gradient(self, param, grad, group):
        return grad.view(1) if group["merge"] else grad


TWINS = (
    SettlesItsSettings,
    SettlesByKeyword,
    GroupForEach,
    SizesItsSteps,
    ThreeBetas,
    RefusesWhole,
    RestsFirst,
    TakesSigns,
    BeginsLate,
    HasErrorsOfItsOwn,
    MovesByLittle,
    NeedsAMatrix,
)


def broken(optimizer, **told):
    found = audit_optimizer(optimizer, without={"new_process": "it takes seconds"}, **told)
    return {each.check: each.seen for each in found if each.outcome == "broken"}


@pytest.mark.parametrize("twin", TWINS)
def test_nothing_is_said_of_what_is_sound(twin):
    assert broken(twin) == {}


def test_nothing_is_said_of_what_is_sound_for_the_size_of_its_parameters():
    assert broken(Sound, shapes=((16, 8), (20,), (2, 3))) == {}


def test_what_is_refused_to_each_group_is_said_once():
    assert broken(HasOneRate) == {"added_group": "ValueError: lr must be the same in all groups"}


def test_of_a_flag_with_which_a_step_fails_it_is_not_said_that_it_makes_no_difference():
    (found,) = broken(FailsWithAFlag).items()
    assert found[0] == "flags"
    assert found[1].startswith("merge=True is accepted, and a step fails: shape '[1]' is invalid")


def test_of_parameters_that_are_refused_by_name_nothing_is_claimed():
    found = audit_optimizer(NeedsAMatrix, only=("layout", "torch_error_inputs"))
    assert {each.outcome for each in found} == {"skipped"}
    assert all(each.seen.endswith("refused: no parameter has two dimensions") for each in found)


@pytest.mark.parametrize("error", [RuntimeError("two dimensions"), TypeError("something is wrong")], ids=repr)
def test_a_construction_that_fails_in_other_words_is_no_refusal(error):
    class FailsWithoutAMatrix(NeedsAMatrix):
        def __init__(self, params, lr=0.125, **settings):
            try:
                super().__init__(params, lr, **settings)
            except ValueError as refusal:
                if "dimensions" not in str(refusal):
                    raise
                raise error from None

    found = audit_optimizer(FailsWithoutAMatrix, only=("layout", "torch_error_inputs"))
    assert {each.outcome for each in found} == {"broken"}


def test_what_refuses_all_parameters_is_broken():
    def refuses(params, lr=0.1):
        raise ValueError("no parameter has two dimensions")

    found = audit_optimizer(refuses, only=("layout", "torch_error_inputs"))
    assert {each.outcome for each in found} == {"broken"}
