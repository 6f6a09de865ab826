"""Boxes, what may be beside their coordinates, and what is refused."""

import pytest
import torch
from torch.quasirandom import SobolEngine

from trimtab.search.bo_tutorial.space import all_with, sobol_point, space_from

BOX = [[0.0, -1.0], [2.0, 3.0]]
NOTHING = {"constraints": 0, "fidelity": None, "sources": None, "environment": None, "tasks": None}
ENVIRONMENT = {"dims": [1], "values": [[-1.0], [1.0]], "weights": [0.25, 0.75]}


def made(bounds=BOX, **given):
    return space_from(bounds, **{**NOTHING, **given})


def test_points_are_scaled_to_the_unit_cube_and_back():
    space = made(sources=[1.0, 0.1])
    points = torch.tensor([[0.0, 3.0, 1.0], [0.5, 0.0, 0.0]], dtype=torch.float64)
    assert space.to_unit(points).tolist() == [[0.0, 1.0, 1.0], [0.25, 0.25, 0.0]]
    assert torch.equal(space.from_unit(space.to_unit(points)), points)
    assert space.from_unit(torch.tensor([1 + 1e-12, -1e-12, 1.0], dtype=torch.float64)).tolist() == [2.0, -1.0, 1.0]


@pytest.mark.parametrize(
    ("given", "kind", "columns", "design", "choices"),
    [
        ({}, "plain", 2, [0, 1], [{}]),
        ({"constraints": 2}, "constraints", 2, [0, 1], [{}]),
        ({"fidelity": {"dim": 0}}, "fidelity", 2, [0, 1], [{}]),
        ({"sources": [2.0, 1.0]}, "sources", 3, [0, 1], [{2: 0.0}, {2: 1.0}]),
        ({"environment": ENVIRONMENT}, "environment", 2, [0], [{1: 0.0}, {1: 0.5}]),
        ({"tasks": 3}, "tasks", 3, [0, 1], [{2: 1.0}]),
    ],
)
def test_what_each_kind_has(given, kind, columns, design, choices):
    space = made(**given)
    assert (space.kind, space.columns, space.design, space.choices(1)) == (kind, columns, design, choices)


def test_what_is_left_out_has_its_default():
    fidelity = made(fidelity={"dim": 0}).fidelity
    assert (fidelity.target, fidelity.fixed, fidelity.weight) == (2.0, 0.01, 1.0)
    environment = made(environment={"dims": [0], "values": [[0.0], [1.0], [2.0], [0.5]]}).environment
    assert environment.weights.tolist() == [0.25] * 4


def test_each_design_meets_each_row():
    designs, rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[7.0], [8.0]])
    assert all_with(designs, [1], rows, 3).tolist() == [[1, 7, 2], [1, 8, 2], [3, 7, 4], [3, 8, 4]]


def test_columns_that_are_not_continuous_take_turns():
    space = made(environment={**ENVIRONMENT, "dims": [0], "values": [[0.0], [2.0]]})
    points = torch.stack([sobol_point(space, 0, number, 0) for number in range(4)])
    assert points[:, 0].tolist() == [0.0, 2.0, 0.0, 2.0]
    expected = SobolEngine(1, scramble=True, seed=0).draw(4, dtype=torch.float64)
    assert torch.equal(points[:, 1:], -1 + 4 * expected)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"bounds": [[0.0, 1.0]]}, ValueError, r"bounds has the shape \(1, 2\)"),
        ({"bounds": [[0.0, 1.0], [1.0, 1.0]]}, ValueError, "each lower bound below"),
        ({"bounds": [[0.0], [torch.inf]]}, ValueError, "finite numbers"),
        ({"bounds": "box"}, TypeError, "bounds='box'"),
        ({"constraints": -1}, ValueError, "constraints=-1"),
        ({"tasks": 1}, ValueError, "tasks=1"),
        ({"tasks": 2, "sources": [1.0]}, ValueError, "sources and tasks cannot be had together"),
        ({"constraints": 1, "tasks": 2}, ValueError, "tasks and constraints cannot be had together"),
        ({"fidelity": {"target": 1.0}}, ValueError, "a dict of 'dim', 'target', 'cost'"),
        ({"fidelity": {"dim": 2}}, ValueError, r"fidelity\['dim'\]=2"),
        ({"fidelity": {"dim": 0, "target": 3.0}}, ValueError, "inside its bounds, 0.0 to 2.0"),
        ({"fidelity": {"dim": 0, "cost": 1.0}}, ValueError, r"\(fixed, weight\), is needed"),
        ({"fidelity": {"dim": 1, "cost": (0.5, 1.0)}}, ValueError, "the cost has to be positive"),
        ({"bounds": [[0.0], [1.0]], "fidelity": {"dim": 0}}, ValueError, "a coordinate beside it"),
        ({"sources": []}, ValueError, "the costs of all sources"),
        ({"sources": [1.0, 0.0]}, ValueError, "costs are positive"),
        ({"environment": {"dims": [1]}}, ValueError, "a dict of 'dims', 'values', 'weights'"),
        ({"environment": {**ENVIRONMENT, "dims": [0, 1]}}, ValueError, "one beside them"),
        ({"environment": {**ENVIRONMENT, "dims": []}}, ValueError, "a list of coordinates"),
        ({"environment": {**ENVIRONMENT, "values": [[-1.0, 1.0]]}}, ValueError, r"\(k, 1\) is needed"),
        ({"environment": {**ENVIRONMENT, "values": [[-1.0], [9.0]]}}, ValueError, "a row outside the bounds"),
        ({"environment": {**ENVIRONMENT, "weights": [0.5, 0.6]}}, ValueError, "sum to 1.1: probabilities"),
        ({"environment": {**ENVIRONMENT, "weights": [-0.5, 1.5]}}, ValueError, "holds -0.5: probabilities"),
        ({"environment": {**ENVIRONMENT, "weights": [1.0]}}, ValueError, "one each is needed"),
    ],
)
def test_bad_input_is_named(given, error, message):
    with pytest.raises(error, match=message):
        made(**given)
