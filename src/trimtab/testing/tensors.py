"""Checks of what parameters and gradients may look like."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.testing.exceptions import require
from trimtab.testing.global_randomness import same_draws
from trimtab.testing.resume import follow
from trimtab.testing.support import (
    REFUSALS,
    Suite,
    give,
    gradients,
    parameters,
    require_close,
    require_moved,
    require_same,
    values,
    visible,
)

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "channels_last": lambda tensor: tensor.contiguous(memory_format=torch.channels_last),
    "transposed": lambda tensor: tensor.transpose(0, 3).contiguous().transpose(0, 3),
    "with_gaps": lambda tensor: torch.stack([tensor, torch.full_like(tensor, 7.0)], dim=-1)[..., 0],
}


class TensorChecks(Suite):
    """Every shape, layout and type of parameter works, or is refused by name."""

    @pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3)], ids=["0-d", "length-1", "empty", "empty-2-d"])
    def test_shape(self, shape: tuple[int, ...]) -> None:
        """0-d, empty and length-1 parameters move, and the others beside them as ever."""
        params = parameters([*self.shapes, shape])
        before = values(params)
        optimizer, steps = self.make(params, **self.decay()), 3 + self.resting()
        follow(optimizer, params, gradients(params, steps))
        require_moved(params, before, f"beside a parameter of shape {shape}")
        require(params[-1].shape == shape, f"the shape became {tuple(params[-1].shape)}")
        alone = self.run(self.decay(), steps=steps)
        require_same(params[:-1], alone, f"a parameter of shape {shape} changed the others' steps")

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("dense_gradient", [False, True], ids=["own", "contiguous-gradient"])
    def test_layout(self, layout: str, dense_gradient: bool) -> None:
        """Non-contiguous and channels-last parameters move like contiguous ones, whatever the gradient's layout.

        An optimizer that says at construction that it takes no such parameters is not accused.
        """
        plain = parameters([(2, 3, 4, 2)], torch.float64)
        param = nn.Parameter(LAYOUTS[layout](plain[0].detach().clone()))
        stride, whole = param.stride(), param.detach().as_strided((param.untyped_storage().size() // 8,), (1,), 0)
        optimizer, other = (self.make_or_skip(each, **self.decay()) for each in ([param], plain))
        for step in range(3):
            if dense_gradient:
                give([param], step)
                optimizer.step()
            else:
                follow(optimizer, [param], gradients([param], 1, step))
        follow(other, plain, gradients(plain, 3))
        require_close([param.detach()], [plain[0].detach()], f"a {layout} parameter moves differently")
        require(param.stride() == stride, "the parameter's memory layout was changed")
        if layout == "with_gaps":
            require(bool((whole[1::2] == 7).all()), "memory between the parameter's elements was written to")

    def test_tied_parameters(self) -> None:
        """A parameter that two layers share is updated once, by the sum of its gradients, and stays shared."""
        size = 4
        first, second = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        start = parameters([(size, size)])[0].detach()
        first.weight = nn.Parameter(start.clone())
        second.weight = first.weight
        model = nn.Sequential(first, second)
        optimizer = self.make(model.parameters())
        alone = nn.Parameter(start.clone())
        other = self.make([alone])
        inputs = torch.linspace(-1, 1, 2 * size).reshape(2, size)
        for _ in range(3 + self.resting()):
            optimizer.zero_grad()
            model(inputs).sum().backward()
            optimizer.step()
            other.zero_grad()
            nn.functional.linear(nn.functional.linear(inputs, alone), alone).sum().backward()  # type: ignore[no-untyped-call]
            other.step()
        require(first.weight is second.weight, "the layers no longer share their parameter")
        require(not torch.equal(first.weight, start), "a tied parameter has not moved")
        require_same([first.weight], [alone], "a tied parameter was not updated exactly once a step")

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
    def test_dtype(self, dtype: torch.dtype) -> None:
        """Parameters of every floating type keep it, and move as in float64 but for rounding."""
        steps = 3 + self.resting()
        params, exact = (self.run(steps=steps, dtype=each) for each in (dtype, torch.float64))
        start = parameters(self.shapes, torch.float64)
        require(all(param.dtype == dtype for param in params), "a parameter's type was changed")
        eps = torch.finfo(dtype).eps
        ways = [(value - old).abs().max() for value, old in zip(exact, start, strict=True)]
        if visible(exact, start, dtype):
            require_moved(params, values(parameters(self.shapes, dtype)), f"with parameters of type {dtype}")
        if dtype == torch.float64:
            # The reference below is this very run. What can be told without one is whether float32 came in between.
            with torch.no_grad():
                for param in start:
                    param.add_(2.0**-40)
            follow(self.make(start), start, gradients(start, steps))
            rounded = all(torch.equal(param, param.float().double()) for param in start)
            require(not rounded, "float64 parameters were rounded to float32")
        for param, value, way in zip(params, exact, ways, strict=True):
            # A step is rounded to the parameter's precision, and its state may be kept in that precision too; what is
            # made of decompositions and roots is less exact, and still far from what the next coarser type would give.
            allowed = 8 * eps * (way * 2 + value.abs().max()) + math.sqrt(eps) / 3 * way
            error = (param.double() - value).abs().max()
            require(bool(error <= allowed), f"{dtype} is off by {error.item():.1e}, the whole way is {way.item():.1e}")

    def test_mixed_dtypes(self) -> None:
        """Parameters of several types may share a group."""
        dtypes = (torch.float32, torch.bfloat16, torch.float64)
        params = [parameters(self.shapes[:1], dtype)[0] for dtype in dtypes]
        before, given = values(params), gradients(params, 2 + self.resting())
        follow(self.make(params), params, given)
        exact = [self.run(steps=len(given), dtype=torch.float64)[0]]
        if all(visible(exact, before[:1], dtype) for dtype in dtypes):
            require_moved(params, before, "in a group of several types")
        for param, dtype in zip(params, dtypes, strict=True):
            alone = parameters(self.shapes[:1], dtype)
            # gradients() draws in order: hand each parameter those that it had in the group
            steps = [[step[dtypes.index(dtype)]] for step in given]
            follow(self.make(alone), alone, steps)
            require_same([param], alone, f"a {dtype} parameter moves differently beside other types")

    def test_sparse_gradients(self) -> None:
        """A sparse gradient works like a dense one where it has rows, or is refused by name with nothing written.

        Also one that has a row twice, as an embedding's has of a word that comes twice.
        """
        try:
            steps = 1 + self.resting()
        except REFUSALS as error:  # that of torch's SparseAdam, which takes no others
            if "dense" not in str(error).lower():
                raise
            pytest.skip(f"dense gradients are refused, and there is nothing to compare with: {error}")
        self.follow_sparse([0, 2], steps, "a sparse gradient")
        self.follow_sparse([0, 2, 0], steps, "a sparse gradient that has a row twice")

    def follow_sparse(self, rows: list[int], steps: int, what: str) -> None:
        """Compares steps with a sparse gradient to those with the same one as a dense tensor."""
        params, twins = parameters([(5,), (4, 3)]), parameters([(5,), (4, 3)])
        before = values(params)
        try:
            with same_draws():
                follow_rows(self.make(params), params, rows, steps, sparse=True)
        except REFUSALS as error:
            require("sparse" in str(error).lower(), f"{what} is refused without saying so: {error}")
            require_same(params, before, "a refused step wrote to a parameter")
            return
        with same_draws():
            follow_rows(self.make(twins), twins, rows, steps, sparse=False)
        (dense, table), (dense_twin, table_twin) = values(params), values(twins)
        reached, others = [dense, table[[0, 2]]], table[[1, 3]]
        require_moved(reached, [before[0], before[1][[0, 2]]], f"a step with {what}")
        require_close(reached, [dense_twin, table_twin[[0, 2]]], f"{what} moves a parameter like no dense one")
        if not torch.equal(others, before[1][[1, 3]]):  # weight decay may reach them, as it does with a dense one
            require_close([others], [table_twin[[1, 3]]], f"{what} moves rows that it does not have")

    def test_complex_parameters(self) -> None:
        """A complex parameter moves like its real and imaginary parts, or is refused by name."""
        parts = parameters([(3, 4, 2)])
        param = nn.Parameter(torch.view_as_complex(parts[0].detach().clone()))
        before = values([param])
        grads = [torch.view_as_complex(step[0]) for step in gradients(parts, 3) if step[0] is not None]
        try:
            optimizer = self.make([param])
            follow(optimizer, [param], [[grad] for grad in grads])
        except REFUSALS as error:
            require("complex" in str(error).lower(), f"complex parameters are refused without saying so: {error}")
            require_same([param], before, "a refused step wrote to a parameter")
            return
        follow(self.make(parts), parts, gradients(parts, 3))
        require_close([torch.view_as_real(param.detach())], values(parts), "complex numbers are not two real ones")


def follow_rows(optimizer: Optimizer, params: Sequence[Tensor], rows: list[int], steps: int, *, sparse: bool) -> None:
    """Takes steps in which the last parameter has gradients in some rows alone, kept as these rows or with zeros.

    A row may be there several times, with parts of its gradient that are not the same.
    """
    for step in range(steps):
        whole = give(params, step)[-1]
        parts = list(dict.fromkeys([*rows, *range(len(whole))]))[: len(rows)]
        part = torch.sparse_coo_tensor(torch.tensor([rows]), whole[parts], whole.shape, check_invariants=False)
        if len(set(rows)) == len(rows):
            part = part.coalesce()
        params[-1].grad = part if sparse else part.to_dense()
        optimizer.step()
