"""Optimizers that parameters and gradients of some shape, layout or type are too much for."""

import pytest
import torch

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases
from trimtab.testing.audit import audit_optimizer


class SkipsScalars(Sound):
    def before(self):
        self.kept = [(param, param.clone()) for param in self.params if param.dim() == 0]

    def after(self):
        for param, value in self.kept:
            param.copy_(value)


class WritesToGaps(Sound):
    def after(self):
        for param in self.params:
            if param.numel() and not param.is_contiguous():
                size = param.untyped_storage().size() // param.element_size()
                param.as_strided((size,), (1,), 0).add_(1e-3)


class MakesContiguous(Sound):
    def after(self):
        for param in self.params:
            param.data = param.data.contiguous()


class RefusesLayoutsTooLate(Sound):
    def refuse(self):
        super().refuse()
        if not all(param.is_contiguous() for param in self.params):
            raise ValueError("parameters must be contiguous in memory")


class MixesLayouts(Sound):
    """Takes elements in the order of memory, for the gradient another one than for the parameter."""

    def before(self):
        for param in self.params:
            if not param.is_contiguous() and param.dim() == 4:
                param.grad = param.grad.transpose(0, 3).reshape(param.shape)


class MakesFloat32(Sound):
    def after(self):
        for param in self.params:
            if param.dtype == torch.bfloat16:
                param.data = param.data.float()


class RefusesAny(Sound):
    """Does not say what it refuses."""

    def check(self, group):
        if any(param.is_complex() for param in group["params"]):
            raise TypeError("something is wrong")
        super().check(group)

    def refuse(self):
        if any(param.grad.is_sparse for param in self.params):
            raise RuntimeError("something is wrong")


class MovesThenRefuses(Sound):
    def refuse(self):
        for param in self.params:
            if any(other.grad.is_sparse for other in self.params):
                param.add_(1)
        super().refuse()


class TakesSparse(Sound):
    """Takes sparse gradients as dense ones; faults replace what becomes of them."""

    def refuse(self):
        for param in self.params:
            if param.grad.is_sparse:
                param.grad = self.of_rows(param.grad)

    def of_rows(self, grad):
        return grad.to_dense()


class GoesUphillWithRows(TakesSparse):
    def of_rows(self, grad):
        return -grad.to_dense()


class MovesOtherRows(TakesSparse):
    def of_rows(self, grad):
        dense = grad.to_dense()
        return torch.where(dense == 0, 1.0, dense)


class MixesRows(TakesSparse):
    def of_rows(self, grad):
        flipped = torch.sparse_coo_tensor(grad.indices().flip(1), grad.values(), grad.shape, check_invariants=False)
        return flipped.to_dense()


class LosesRowsThatComeTwice(TakesSparse):
    def of_rows(self, grad):
        dense = torch.zeros_like(grad.to_dense())
        dense[grad._indices()[0]] = grad._values()
        return dense


class TakesNoRowTwice(TakesSparse):
    def of_rows(self, grad):
        return torch.sparse_coo_tensor(grad.indices(), grad.values(), grad.shape, check_invariants=False).to_dense()


class SkipsSquares(Sound):
    """Leaves out what has as many rows as columns, as only the layers of the check for tied parameters have."""

    def move(self, group):
        chosen = [param for param in group["params"] if param.dim() != 2 or param.shape[0] != param.shape[1]]
        super().move({**group, "params": chosen})


class RestsInBfloat16(Sound):
    def move(self, group):
        super().move({**group, "params": [param for param in group["params"] if param.dtype != torch.bfloat16]})


class RoundsFloat64(Sound):
    def after(self):
        for param in self.params:
            param.copy_(param.float())


FAULTS = {
    SkipsScalars: "shape copied_attributes",
    SkipsSquares: "tied_parameters",
    WritesToGaps: "layout",
    MakesContiguous: "layout",
    MixesLayouts: "layout",
    RefusesLayoutsTooLate: "layout",
    MakesFloat32: "dtype state_dict state_of_another_type",
    RestsInBfloat16: "dtype mixed_dtypes state_of_another_type",
    RoundsFloat64: "dtype",
    RefusesAny: "sparse_gradients complex_parameters frozen_parameters",
    MovesThenRefuses: "sparse_gradients",
    GoesUphillWithRows: "sparse_gradients",
    MovesOtherRows: "sparse_gradients",
    MixesRows: "sparse_gradients",
    LosesRowsThatComeTwice: "sparse_gradients",
    TakesNoRowTwice: "sparse_gradients",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found


class RestsWhereThereAreNoRows(TakesSparse):
    """Leaves rows without a gradient out, weight decay and momentum included."""

    def before(self):
        self.kept = [(param, param.clone(), self.idle(param.grad)) for param in self.params]

    def idle(self, grad):
        return (grad == 0).all(dim=-1, keepdim=True) if grad.dim() == 2 else torch.zeros_like(grad, dtype=torch.bool)

    def after(self):
        for param, value, idle in self.kept:
            param.copy_(torch.where(idle, value, param))


class SignsOfLostRows(LosesRowsThatComeTwice):
    """Of its gradients it sees the signs alone, which a lost part changes less often."""

    def gradient(self, param, grad, group):
        return grad.sign()


def test_rows_that_come_twice_are_what_is_named():
    for kind in (LosesRowsThatComeTwice, SignsOfLostRows):
        (found,) = audit_optimizer(kind, only=("sparse_gradients",))
        assert found.seen == "a sparse gradient that has a row twice moves a parameter like no dense one (parameter 1)"
    (found,) = audit_optimizer(TakesNoRowTwice, only=("sparse_gradients",))
    assert found.seen.startswith("a sparse gradient that has a row twice is refused without saying so: ")


class RefusesRowsThatComeTwice(TakesSparse):
    def of_rows(self, grad):
        if not grad.is_coalesced():
            raise ValueError("a sparse gradient must be coalesced")
        return grad.to_dense()


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (RefusesRowsThatComeTwice, {}),
        (TakesSparse, {"weight_decay": 0.5}),
        (RestsWhereThereAreNoRows, {"weight_decay": 0.5}),
        (torch.optim.SGD, {}),
        (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        (torch.optim.Adagrad, {}),
    ],
)
def test_nothing_is_said_of_what_takes_sparse_gradients(kind, settings):
    (found,) = audit_optimizer(kind, settings, only=("sparse_gradients",))
    assert (found.outcome, found.seen) == ("holds", "")


def test_what_takes_sparse_gradients_alone_is_not_compared_with_dense_ones():
    (found,) = audit_optimizer(torch.optim.SparseAdam, only=("sparse_gradients",))
    assert found.outcome == "skipped"
    assert "dense gradients are refused, and there is nothing to compare with" in found.seen
