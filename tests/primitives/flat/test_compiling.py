import pytest
import torch
from torch import nn

from trimtab.optim import Lion
from trimtab.primitives.flat import compiling
from trimtab.primitives.flat.compiling import EXAMPLE_LENGTH, WORTH_COMPILING, compile_mode, compiled_flat, resolved

SMALL_MODEL, LARGE_MODEL = [torch.ones(10)], [torch.ones(WORTH_COMPILING)]


def test_large_models_are_compiled_where_a_compiler_is_at_hand(monkeypatch):
    monkeypatch.setattr(compiling, "compiler_at_hand", lambda device: True)
    assert resolved("auto", LARGE_MODEL)
    assert not resolved("auto", SMALL_MODEL)
    assert resolved(True, SMALL_MODEL)
    assert not resolved(False, LARGE_MODEL)
    monkeypatch.setattr(compiling, "compiler_at_hand", lambda device: False)
    assert not resolved("auto", LARGE_MODEL)
    with pytest.raises(RuntimeError, match="compile=True needs a compiler for cpu; set compile=False in every group"):
        resolved(True, SMALL_MODEL)
    assert resolved(True, [torch.ones(10, device="meta")])  # a state is made of it, and nothing computed


@pytest.mark.parametrize("value", [1, 0, None, "on", "True"])
def test_other_modes_are_refused(value):
    with pytest.raises(ValueError, match=r"compile=.* must be True, False or 'auto'"):
        compile_mode("compile", value)


def test_the_choice_of_the_first_step_is_saved_and_loaded():
    param = nn.Parameter(torch.ones(10))
    param.grad = torch.ones(10)
    optimizer = Lion([param])
    assert optimizer.state_dict()["param_groups"][0]["compile"] == "auto"
    optimizer.step()
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["compile"] is False
    other = Lion([nn.Parameter(torch.ones(WORTH_COMPILING))])
    with pytest.raises(ValueError, match="shape"):
        other.load_state_dict(saved)
    other = Lion([nn.Parameter(torch.ones(10))], compile=True)
    other.load_state_dict(saved)
    assert other.param_groups[0]["compile"] is False


def test_a_function_that_holds_for_some_lengths_only_is_refused():
    def special(values):
        return (values * 2 if values.shape[0] % 2 else values + 1,)

    with pytest.raises(RuntimeError, match=r"for some lengths only: .*Mod"):
        compiled_flat(special, [torch.ones(EXAMPLE_LENGTH)])


def test_nothing_is_compiled_without_a_compiler(monkeypatch):
    monkeypatch.setattr(compiling, "compiler_at_hand", lambda device: False)
    with pytest.raises(RuntimeError, match="compile=True needs a compiler for cpu"):
        compiled_flat(lambda values: (values * 2,), [torch.ones(EXAMPLE_LENGTH)])


def test_a_function_of_any_length_takes_them_all():
    doubled = compiled_flat(lambda values: (values * 2,), [torch.ones(EXAMPLE_LENGTH)])
    for length in (2, 3, 16, 1001, EXAMPLE_LENGTH + 1):
        assert torch.equal(doubled(torch.ones(length))[0], torch.full((length,), 2.0))


def test_auto_counts_what_moves():
    frozen, moving = nn.Parameter(torch.zeros(WORTH_COMPILING), requires_grad=False), nn.Parameter(torch.zeros(8))
    optimizer = Lion([frozen, moving])
    optimizer.step()
    assert optimizer.param_groups[0]["compile"] == "auto"
    moving.grad = torch.ones(8)
    optimizer.step()
    assert optimizer.param_groups[0]["compile"] is False
