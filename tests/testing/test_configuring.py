"""Optimizers whose settings are lost or do nothing, that fail where they accept, and whose states share memory."""

import pytest

from tests.testing.faults import LONG_ENOUGH, Sound, failures, of_each, without_cases
from trimtab.testing.audit import audit_optimizer


class SharesAmongState(Sound):
    def gradient(self, param, grad, group):
        self.state[param]["same"] = self.state[param]["momentum"]
        return grad


class DropsASetting(Sound):
    def __init__(self, params, warmup=3, **settings):
        super().__init__(params, **settings)


class NeverReadsASetting(Sound):
    def __init__(self, params, warmup=3, **settings):
        super().__init__(params, **settings)
        self.keep(warmup=warmup)


class NeverReadsOneOfSeveral(Sound):
    def __init__(self, params, scales=(0.5, 0.25), **settings):
        super().__init__(params, **settings)
        self.keep(scales=scales)

    def gradient(self, param, grad, group):
        return grad * group["scales"][0]


class NeverReadsWhatItChecks(Sound):
    def __init__(self, params, dampening=0.75, **settings):
        super().__init__(params, **settings)
        if dampening >= 1:
            raise ValueError(f"dampening={dampening} must lie below 1")
        self.keep(dampening=dampening)


class NeverReadsAFlag(Sound):
    def __init__(self, params, nesterov=False, **settings):
        super().__init__(params, **settings)
        self.keep(nesterov=nesterov)


class BlowsUpWithAFlag(Sound):
    def __init__(self, params, centred=False, **settings):
        super().__init__(params, **settings)
        self.keep(centred=centred)

    def gradient(self, param, grad, group):
        return grad / grad.norm() if group["centred"] else grad


class DividesByMomentum(Sound):
    def gradient(self, param, grad, group):
        return grad * (group["betas"][0] / group["betas"][0])


class ClipsBackwards(Sound):
    def __init__(self, params, clip=1e-3, **settings):
        super().__init__(params, **settings)
        self.keep(clip=clip)

    def gradient(self, param, grad, group):
        return grad / ((grad.norm() + 1) / group["clip"]).clamp(max=1)


class DecaysInOneForm(Sound):
    def __init__(self, params, decouple=True, **settings):
        super().__init__(params, **settings)
        self.keep(decouple=decouple)

    def move(self, group):
        super().move(group if group["decouple"] else {**group, "weight_decay": 0.0})


FAULTS = {
    SharesAmongState: "state_not_shared",
    DropsASetting: "settings_kept numbers",
    NeverReadsASetting: "numbers",
    NeverReadsOneOfSeveral: "numbers",
    NeverReadsWhatItChecks: "numbers",
    NeverReadsAFlag: "flags",
    BlowsUpWithAFlag: "flags",
    DividesByMomentum: "accepted_settings",
    ClipsBackwards: "unreached_clipping numbers",
    DecaysInOneForm: "weight_decay_forms",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, LONG_ENOUGH)
    assert without_cases(found) == expected, found


@pytest.mark.parametrize("nothing", [0.0, 0])
def test_a_number_that_counts_only_beside_a_factor_that_is_none_by_default_is_not_idle(nothing):
    class AddsByAShare(Sound):
        def __init__(self, params, share=nothing, sizes=(0.5, 0.25), **settings):
            super().__init__(params, **settings)
            self.keep(share=share, sizes=sizes)

        def gradient(self, param, grad, group):
            return grad * (1 + group["share"] * group["sizes"][0] + group["share"] ** 2 * group["sizes"][1])

    (found,) = audit_optimizer(AddsByAShare, only=("numbers",))
    assert found.outcome == "holds"


def test_of_several_numbers_the_one_that_is_not_read_is_named():
    (found,) = audit_optimizer(NeverReadsOneOfSeveral, only=("numbers",))
    assert found.seen == "made no difference in 60 steps, whatever it was: scales[1]"
