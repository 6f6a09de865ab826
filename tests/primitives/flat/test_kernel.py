"""Graphs are counted: a rule that is compiled again and again, or silently not at all, is the worst failure here."""

from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from trimtab.optim import AdaBelief, Lamb, Lars, Lion
from trimtab.primitives.flat import compiling
from trimtab.primitives.flat.chunks import SMALL
from trimtab.primitives.flat.flat_step import FlatOptimizer
from trimtab.primitives.hyperparameters import FRACTION, pair

RULES = (AdaBelief, Lamb, Lars, Lion)


def parameters(shapes, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in shapes]


def take_steps(optimizer, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        for group in optimizer.param_groups:
            for param in group["params"]:
                param.grad = torch.randn(param.shape, generator=generator).to(param.dtype)
        optimizer.step()


def graphs():
    """Returns how many kernels have been compiled in this process."""
    return compiling.compilations


def new_rule():
    """Returns a rule that no test has compiled."""

    class Momentum(FlatOptimizer):
        state_names = ("average",)
        hyperparameters: ClassVar = {"betas": pair(FRACTION)}

        def __init__(self, params, lr=0.1, betas=(0.5, 0.0), weight_decay=0.1, **options):
            options = {"maximize": False, "compile": True, **options}
            super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay, **options)

        @staticmethod
        def scalars(step, /, *, betas):
            return {"beta": betas[0], "correction": 1 - betas[0] ** step}

        @staticmethod
        def direction(grad, average, *, beta, correction):
            average = beta * average + (1 - beta) * grad
            return average / correction, average

    return Momentum


def test_one_graph_serves_every_length_schedule_and_optimizer():
    rule = new_rule()
    optimizer = rule(parameters([(7,), (300, 200), (SMALL,), (1,), (), (0,), (3, 4, 5), (5,)]))
    before = graphs()
    scheduler = OneCycleLR(optimizer, max_lr=0.5, total_steps=10)
    for seed in range(8):
        take_steps(optimizer, 1, seed)
        scheduler.step()
    optimizer.param_groups[0]["weight_decay"] = 0.0
    take_steps(optimizer, 1)
    take_steps(rule(parameters([(2,), (3,)]), lr=1e-3), 2)
    take_steps(rule(parameters([(5, 5)])), 1)
    assert graphs() - before == 1


@pytest.mark.parametrize("count", range(2, 8))
def test_a_length_that_equals_the_count_of_numbers_is_no_special_case(count):
    rule = new_rule()
    before = graphs()
    take_steps(rule(parameters([(count,)])), 1)
    take_steps(rule(parameters([(100,)])), 1)
    assert graphs() - before == 1


def test_modes_of_the_caller_make_no_graph():
    rule = new_rule()
    optimizer = rule(parameters([(50,)]))
    take_steps(optimizer, 1)
    before = graphs()
    with torch.enable_grad():
        optimizer.step()
    with torch.no_grad():
        optimizer.step()
    with torch.inference_mode():
        optimizer.step()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        optimizer.step()
    assert graphs() == before
    assert not optimizer.state[optimizer.param_groups[0]["params"][0]]["average"].is_inference()


def test_each_type_has_one_graph_and_thread_counts_at_most_one_more():
    rule = new_rule()
    before = graphs()
    dtypes = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    optimizers = [rule(parameters([(50,), (60,)], dtype)) for dtype in dtypes]
    optimizers.append(rule(parameters([(50,)]), state_dtype=torch.bfloat16))
    for _ in range(2):
        for optimizer in optimizers:
            take_steps(optimizer, 2)
    assert graphs() - before == len(optimizers)
    threads = torch.get_num_threads()
    try:
        for count in (threads + 1, threads, threads + 1):
            torch.set_num_threads(count)
            take_steps(optimizers[0], 2)
    finally:
        torch.set_num_threads(threads)
    assert graphs() - before <= len(optimizers) + 1


def test_more_rules_than_dynamo_allows_graphs_stay_compiled():
    rules = [new_rule() for _ in range(torch._dynamo.config.recompile_limit + 2)]
    before = graphs()
    optimizers = [rule(parameters([(50,)])) for rule in rules]
    for _ in range(2):
        for optimizer in optimizers:
            take_steps(optimizer, 1)
    assert graphs() - before == len(rules)


def test_all_methods_side_by_side_stay_compiled():
    shapes = [(40, 30), (200, 200), (7,), ()]
    optimizers = [rule(parameters(shapes), compile=True) for rule in RULES]
    for optimizer in optimizers:
        take_steps(optimizer, 2)
    before = graphs()
    for optimizer in optimizers:
        take_steps(optimizer, 3, seed=1)
    assert graphs() == before


@pytest.mark.parametrize("rule", RULES)
def test_compiled_is_eager_to_rounding(rule):
    shapes = [(40, 30), (200, 200), (7,), ()]
    ours, eager = parameters(shapes), parameters(shapes)
    take_steps(rule(ours, compile=True, weight_decay=0.1), 5)
    take_steps(rule(eager, compile=False, weight_decay=0.1), 5)
    for a, b in zip(ours, eager, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-6, atol=2e-6)


def test_a_compiled_training_step_may_call_ours():
    params = parameters([(50,)])
    optimizer = new_rule()(params)

    @torch.compile
    def train(values):
        optimizer.zero_grad()
        (params[0] * values).sum().backward()
        optimizer.step()

    before = params[0].detach().clone()
    train(torch.ones(50))
    assert not torch.equal(params[0], before)
    assert optimizer.state[params[0]]["step"] == 1
