"""An optimizer that does not apply what a loop makes of the gradients between ``backward`` and ``step``."""

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases


class CatchesGradients(Sound):
    """Takes gradients as the backward pass makes them, whatever the loop does to them afterwards."""

    def __init__(self, params, **settings):
        super().__init__(params, **settings)
        self.caught = {}
        for group in self.param_groups:
            for param in group["params"]:
                param.register_post_accumulate_grad_hook(self.catch)

    def catch(self, param):
        self.caught[id(param)] = param.grad.clone()

    def move(self, group):
        own = [param.grad for param in group["params"]]
        for param in group["params"]:
            param.grad = getattr(self, "caught", {}).pop(id(param), param.grad)
        super().move(group)
        for param, grad in zip(group["params"], own, strict=True):
            param.grad = grad


FAULTS = {
    CatchesGradients: "between_backward_and_step frozen_parameters copied_attributes",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found
