"""Optimizers with an update that is wrong, which no reference implementation is needed to see."""

from tests.testing.faults import LONG_ENOUGH, Sound, failures, of_each, without_cases


class DividesByTheirNumber(Sound):
    def move(self, group):
        super().move({**group, "lr": group["lr"] / len(self.params)})


class KeepsMomentumByShape(Sound):
    """Parameters of the same shape have one memory."""

    def before(self):
        self._by_shape = getattr(self, "_by_shape", {})

    def gradient(self, param, grad, group):
        kind = (param.shape, param.dtype)
        self.state[param]["momentum"] = self._by_shape.setdefault(kind, self.state[param]["momentum"])
        return grad


class DividesByWeights(Sound):
    def before(self):
        for param in self.params:
            param.mul_(param.norm() / param.norm())


class FearsLargeGradients(Sound):
    def gradient(self, param, grad, group):
        return grad / (1 + grad.square().sum())


class KeepsTheGradientItself(Sound):
    def gradient(self, param, grad, group):
        before = self.state[param].get("last", param.grad)
        self.state[param]["last"] = param.grad
        return grad + 0 * before + (before - param.grad).abs() * 0.25


class LooksBeforeTheClosure(Sound):
    def take(self, closure):
        self._largest = {param: param.grad.abs().max() for param in self.params if param.numel()}
        return super().take(closure)

    def gradient(self, param, grad, group):
        return grad / (1 + self._largest.get(param, 0))


class TurnsAround(Sound):
    def gradient(self, param, grad, group):
        return -2 * grad if self.counted(param) > 10 else grad


class GrowsWithoutEnd(Sound):
    def gradient(self, param, grad, group):
        return grad * 1.2 ** float(self.counted(param))


class CountsTwice(Sound):
    def gradient(self, param, grad, group):
        self.counted(param, 2)
        return grad


class BeginsWithTheGradient(Sound):
    def gradient(self, param, grad, group):
        if self.counted(param) == 1:
            self.state[param]["momentum"].copy_(grad)
        return grad


class RemembersNothing(Sound):
    def gradient(self, param, grad, group):
        self.state[param]["momentum"].zero_()
        return grad


FAULTS = {
    DividesByTheirNumber: "alone added_group late_gradients mixed_dtypes shape without_gradients",
    KeepsMomentumByShape: "alone distributed_state state_not_shared",
    DividesByWeights: "zero_parameters gradient_size",
    FearsLargeGradients: "scaled_gradients",
    KeepsTheGradientItself: "reused_gradients state_not_shared between_backward_and_step",
    LooksBeforeTheClosure: "closure_gradients",
    TurnsAround: "constant_gradients",
    GrowsWithoutEnd: "many_steps",
    CountsTwice: "step_counter",
    BeginsWithTheGradient: "first_momentum",
    RemembersNothing: "momentum_memory numbers",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, LONG_ENOUGH)
    assert without_cases(found) == expected, found
