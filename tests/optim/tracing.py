"""Whether the compiler can take a rule as it is."""

from types import FunctionType

import torch
from torch._dynamo.testing import CompileCounter


def traced_graphs(rule, hypers, steps=4):
    """Follows a traced rule beside the eager one, in several lengths and steps; returns how many graphs that took.

    The graphs are run as they are, without generating code, so that every element must be exactly what it is without
    the compiler. A rule that cannot be traced as a whole is an error of ``fullgraph``.
    """
    eager = rule.direction
    # A copy has a count of graphs of its own: the compiler allows a function only so many, whoever asked for them.
    copy = FunctionType(eager.__code__.replace(), eager.__globals__, eager.__name__, eager.__defaults__)
    counter = CompileCounter()
    traced = torch.compile(copy, backend=counter, fullgraph=True, dynamic=True)
    with torch.no_grad():
        for length in (5, 64, 1001):
            grads = torch.randn(steps, length, generator=torch.Generator().manual_seed(length), dtype=torch.float64)
            states = [torch.zeros(length, dtype=torch.float64) for _ in rule.state_names]
            for step, grad in enumerate(grads, start=1):
                # As tensors, because the compiler takes a Python number for a constant of the graph.
                numbers = rule.scalars(step, **hypers)
                scalars = {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
                before = [tensor.clone() for tensor in (grad, *states)]
                found = traced(grad, *states, **scalars)
                assert all(torch.equal(a, b) for a, b in zip((grad, *states), before, strict=True))
                expected = eager(grad, *states, **scalars)
                assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
                states = [state.clone() for state in found[1:]]
    return counter.frame_count
