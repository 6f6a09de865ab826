"""Whether rules are compiled, as optimizers settle it when they step."""

import pytest
import torch
from torch import nn

from trimtab.optim import Lion
from trimtab.primitives.flat import compiling

REFUSED = pytest.raises(RuntimeError, match="compile=True needs a compiler for cpu; set compile=False in every group")


@pytest.fixture
def asked(monkeypatch):
    """The devices for which a compiler was looked for; there is none."""
    devices = []
    monkeypatch.setattr(compiling, "compiler_at_hand", lambda device: devices.append(device) or False)
    return devices


def parameter(gradient=1.0):
    param = nn.Parameter(torch.ones(4))
    param.grad = None if gradient is None else torch.full((4,), gradient)
    return param


def asked_for(param):
    return Lion([param], compile=True)


def loaded(param):
    optimizer = Lion([param])
    optimizer.step()
    saved = optimizer.state_dict()
    saved["param_groups"][0]["compile"] = True  # where the run was begun, there was one
    optimizer.load_state_dict(saved)
    return optimizer


def set_in_mid_run(param):
    optimizer = Lion([param], compile=False)
    optimizer.step()
    optimizer.param_groups[0]["compile"] = True
    return optimizer


def added(param):
    optimizer = Lion([parameter()], compile=False)
    optimizer.step()
    optimizer.add_param_group({"params": [param], "compile": True})
    return optimizer


def beside_one_that_waits(param):
    return Lion([{"params": [parameter(None)], "compile": "auto"}, {"params": [param]}], compile=True)


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("check_finite", [False, True])
@pytest.mark.parametrize("make", [asked_for, loaded, set_in_mid_run, added, beside_one_that_waits])
def test_a_step_that_shall_be_compiled_says_that_it_cannot_and_writes_nothing(make, check_finite):
    param = parameter()
    optimizer = make(param)
    for group in optimizer.param_groups:
        group["check_finite"] = check_finite
    before, state = param.detach().clone(), dict(optimizer.state.get(param, {}))
    for _ in range(2):
        with REFUSED:
            optimizer.step()
    assert torch.equal(param, before)
    assert optimizer.state.get(param, {}) == state
    for group in optimizer.param_groups:
        group["compile"] = False
    optimizer.step()
    assert not torch.equal(param, before)


def test_no_compiler_is_looked_for_where_none_is_needed(asked):
    frozen = parameter(None).requires_grad_(False)
    optimizer = Lion([{"params": [parameter()], "compile": False}, {"params": [frozen], "compile": True}])
    for _ in range(2):
        optimizer.step()
    assert asked == []


def test_it_is_looked_for_once(monkeypatch):
    asked = []
    monkeypatch.setattr(compiling, "compiler_at_hand", lambda device: asked.append(device) or True)
    optimizer = Lion([parameter()], compile=True)
    optimizer.step()
    del asked[:]
    for _ in range(3):
        optimizer.step()
    assert asked == []
