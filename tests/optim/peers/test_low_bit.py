import pytest
import torch

from tests.optim.peers.runs import Regression, charges, require_resumption, run_of
from trimtab.optim.peers.low_bit import AdamW4bit, AdamW8bit
from trimtab.primitives.memory import storage_bytes


class Wide(Regression):
    def model(self, generator):
        return torch.nn.Sequential(torch.nn.Linear(6, 1024), torch.nn.Tanh(), torch.nn.Linear(1024, 3))


@pytest.mark.parametrize(("optimizer_class", "share"), [(AdamW8bit, 1 / 4), (AdamW4bit, 1 / 8)])
def test_states_take_that_share_of_adams_and_steps_are_adams_but_for_rounding(optimizer_class, share):
    params = [torch.nn.Parameter(torch.zeros(128, 128)) for _ in range(2)]
    optimizers = optimizer_class([params[0]], lr=0.1), torch.optim.AdamW([params[1]], lr=0.1)
    for step in range(3):
        grad = torch.randn(128, 128, generator=torch.Generator().manual_seed(step))
        for param, optimizer in zip(params, optimizers, strict=True):
            param.grad = grad.clone()
            optimizer.step()
    found, whole = (storage_bytes(optimizer.state) for optimizer in optimizers)
    assert found == pytest.approx(share * whole, rel=0.15)
    assert 0 < (params[0] - params[1]).abs().mean() < 0.1


@pytest.mark.parametrize(
    ("shape", "in_8", "in_4"),
    [
        ((64, 64), True, True),
        ((64, 65), False, False),  # 4,160 values, which neither divides
        ((33, 128), False, True),  # 33 times 128 values
        ((63, 64), False, False),  # 4,032
    ],
)
def test_sizes_that_a_block_divides_are_kept_in_few_bits_and_others_are_counted_as_they_are(shape, in_8, in_4):
    for optimizer_class, bits, small in ((AdamW8bit, 8, in_8), (AdamW4bit, 4, in_4)):
        param = torch.nn.Parameter(torch.zeros(shape))
        optimizer = optimizer_class([param])
        param.grad = torch.ones(shape)
        optimizer.step()
        averages = [optimizer.state[param][name] for name in ("exp_avg", "exp_avg_sq")]
        assert ["OptimState" in type(each).__name__ for each in averages] == [small] * 2
        many = param.numel() if small else 0
        assert optimizer_class.kept_in_words([param]).startswith(f"keeps the averages of {many:,} in {bits} bits and ")
        exact = 2 * param.numel() * (bits if small else 32) / 8
        assert exact <= storage_bytes(optimizer.state) <= 1.15 * exact + 2 * 4 * 256  # scales, and a table of values
        assert small or storage_bytes(averages) == exact


def test_a_schedule_may_set_a_number():
    param = torch.nn.Parameter(torch.ones(2))
    optimizer = AdamW8bit([param], lr=0.5, weight_decay=0.0)
    optimizer.param_groups[0]["lr"] = 0.25
    param.grad = torch.ones(2)
    optimizer.step()
    assert torch.allclose(param, torch.full((2,), 0.75))


@pytest.mark.parametrize("name", ["adamw8bit", "adamw4bit"])
def test_a_step_costs_a_gradient_and_runs_resume(name):
    run = run_of(name, Wide())
    assert charges(run, 2) == [10, 10]
    assert "OptimState" in type(next(iter(run.optimizer.state.values()))["exp_avg"]).__name__
    run.restore(run.snapshot())
    run.step()
    require_resumption(name)
