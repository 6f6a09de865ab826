import pytest
import torch
from torch import nn

from trimtab.optim import Lion
from trimtab.primitives.standing_in import divided_groups, stand_in, stood_in


def optimizer_of(*params, **settings):
    groups = [{"params": [("a", params[0]), ("b", params[1])]}, {"params": [("c", params[2])], "lr": 0.5}]
    return torch.optim.SGD(groups, lr=1.0, momentum=0.9, weight_decay=0.25, **settings)


def three():
    return [nn.Parameter(torch.ones(2, 3)) for _ in range(3)]


def members(optimizer):
    return [(list(group["params"]), group["param_names"]) for group in optimizer.param_groups]


def test_others_take_the_steps_and_the_state_stays_with_the_parameters():
    a, b, c = three()
    optimizer = optimizer_of(a, b, c)
    before = members(optimizer)
    other = stand_in((1, 3), b, torch.float64)
    for param in (a, c):
        param.grad = torch.ones(2, 3)
    for step in range(2):
        other = stand_in((1, 3), b, torch.float64)
        other.grad = torch.ones(1, 3, dtype=torch.float64)
        with stood_in(optimizer, {b: other}):
            assert optimizer.param_groups[0]["params"][1] is other
            optimizer.step()
        assert other.tolist() == [[-1.0 - 0.9 * step] * 3]
    assert members(optimizer) == before
    assert list(optimizer.state) == [a, b, c]
    assert optimizer.state[b]["momentum_buffer"].shape == (1, 3)
    assert b.tolist() == [[1.0] * 3] * 2


def test_the_parameters_are_back_after_an_error():
    a, b, c = three()
    optimizer = optimizer_of(a, b, c)
    before, groups = members(optimizer), optimizer.param_groups
    optimizer.register_step_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), stood_in(optimizer, {a: stand_in((1,), a, a.dtype)}):  # noqa: SIM117
        with divided_groups(optimizer, {b}, {"lr": 0.0}):
            optimizer.step()
    assert optimizer.param_groups is groups
    assert members(optimizer) == before


def test_divided_groups_have_other_settings_and_keep_what_is_written():
    a, b, c = three()
    optimizer = optimizer_of(a, b, c)
    with divided_groups(optimizer, {b, c}, {"weight_decay": 0.0, "unknown": 1}):
        seen = [(group["params"], group["param_names"], group["weight_decay"]) for group in optimizer.param_groups]
        assert seen == [([a], ["a"], 0.25), ([b], ["b"], 0.0), ([c], ["c"], 0.0)]
        assert all("unknown" not in group for group in optimizer.param_groups)
        for group in optimizer.param_groups:
            group["momentum"] = 0.5
    assert [group["momentum"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.25, 0.25]
    assert members(optimizer) == [([a, b], ["a", "b"]), ([c], ["c"])]


def test_a_rule_forgets_those_who_stood_in():
    a, b, _ = three()
    rule = Lion([{"params": [a]}, {"params": [b]}], compile=False)
    for param in (a, b):
        param.grad = torch.ones(2, 3)
    rule.step()
    kept = dict(rule._plans)
    rule.forget({b})
    assert rule._plans == {0: kept[0]}
