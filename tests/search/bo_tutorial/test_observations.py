"""What was told and what is pending."""

import pytest
import torch

from tests.search.bo_tutorial.test_space import made
from trimtab.search.bo_tutorial.observations import Observations

X = torch.tensor([[0.5, 0.0], [1.5, 2.0]], dtype=torch.float64)
Y = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
OTHERS = {"Yvar": None, "C": None, "dY": None}


def told(given=None, **space):
    seen = Observations(made(**space))
    seen.tell(**{"X": X, "Y": Y, **OTHERS, **(given or {})})
    return seen


def test_observations_are_added():
    seen = told()
    seen.tell(X[0] + 0.1, Y[0], **OTHERS)
    assert len(seen) == 3
    assert torch.equal(seen.X, torch.cat([X, X[:1] + 0.1]))
    assert torch.equal(seen.Y, torch.cat([Y, Y[:1]]))


def test_what_was_told_is_no_longer_pending():
    seen = Observations(made())
    for point in (X[0], X[1], X[0]):
        seen.ask(point)
    seen.tell(X[:1] + 1e-12, Y[:1], **OTHERS)
    assert torch.equal(seen.pending, X.flip(0))
    seen.tell(torch.tensor([[0.1, 0.1]], dtype=torch.float64), Y[:1], **OTHERS)
    assert len(seen.pending) == 2


def test_a_pending_point_of_another_source_stays():
    seen = Observations(made(sources=[1.0, 0.1]))
    point = torch.tensor([0.5, 0.0, 0.0], dtype=torch.float64)
    seen.ask(point)
    seen.tell(point + torch.tensor([0.0, 0.0, 1.0]), Y[0], **OTHERS)
    assert len(seen.pending) == 1


def test_points_are_feasible_where_all_constraints_are():
    C = torch.tensor([[-1.0, 0.0], [-1.0, 0.1]], dtype=torch.float64)
    assert told({"C": C}, constraints=2).feasible().tolist() == [True, False]
    assert told().feasible().all()


def test_what_is_told_is_copied():
    values = Y.clone()
    seen = told({"Y": values})
    values += 1
    assert torch.equal(seen.Y, Y)
    state = seen.state_dict()
    seen.Y += 1
    assert torch.equal(state["Y"], Y)


def test_other_types_are_computed_in_float64():
    with pytest.warns(UserWarning, match="X is of type torch.float32: computed in float64"):
        seen = told({"X": X.float()})
    assert seen.X.dtype == torch.float64


@pytest.mark.parametrize(
    ("space", "given", "error", "message"),
    [
        ({}, {"X": torch.zeros(2, 2, dtype=torch.int64)}, TypeError, "X is of type torch.int64"),
        ({}, {"X": [[0.0, 0.0]]}, TypeError, "X is of type list"),
        ({}, {"X": X[:, :1]}, ValueError, r"X has the shape \(2, 1\): \(n, 2\) is needed"),
        ({}, {"X": X + 1}, ValueError, r"X holds \[2.5, 3.0\], which is not inside the bounds"),
        ({}, {"X": X * torch.nan}, ValueError, "X holds a number that is not finite"),
        ({}, {"Y": Y * torch.inf}, ValueError, "Y holds a number that is not finite"),
        ({}, {"Y": Y[:1]}, ValueError, r"Y has the shape \(1, 1\): \(2, 1\) is needed"),
        ({}, {"Y": torch.tensor([1, 2])}, TypeError, "Y is of type torch.int64"),
        ({}, {"Yvar": -Y}, ValueError, "Yvar holds -2.0: variances are >= 0"),
        ({}, {"C": Y}, ValueError, "C is given, and there are none"),
        ({"constraints": 1}, {}, ValueError, "C is missing"),
        ({"constraints": 2}, {"C": Y}, ValueError, r"C has the shape \(2, 1\): \(2, 2\) is needed"),
        ({}, {"dY": Y}, ValueError, r"dY has the shape \(2, 1\): \(2, 2\) is needed"),
        ({}, {"dY": X, "Yvar": Y}, ValueError, "dY and Yvar cannot be had together"),
        ({"constraints": 1}, {"dY": X, "C": Y}, ValueError, "dY cannot be had together with constraints"),
        ({"tasks": 2}, {"X": torch.cat([X, 2 * Y], -1)}, ValueError, "a task that there is not: 0 to 1"),
        ({"sources": [1.0, 1.0]}, {"X": torch.cat([X, Y / 2], -1)}, ValueError, "a source that there is not"),
    ],
)
def test_bad_input_is_named_and_nothing_is_added(space, given, error, message):
    seen = Observations(made(**space))
    with pytest.raises(error, match=message):
        seen.tell(**{"X": X, "Y": Y, **OTHERS, **given})
    assert len(seen) == 0
    assert (seen.C, seen.Yvar, seen.dY) == (None, None, None)


@pytest.mark.parametrize(("first", "then"), [({}, {"Yvar": Y}), ({"Yvar": Y}, {}), ({"dY": X}, {})])
def test_each_optional_part_is_for_all_points_or_none(first, then):
    seen = told(first)
    with pytest.raises(ValueError, match="for all points or none"):
        seen.tell(**{"X": X, "Y": Y, **OTHERS, **then})
    assert len(seen) == 2
