"""What is searched: a box, and what beside its coordinates decides what an evaluation tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.quasirandom import SobolEngine

from trimtab.study.checks import check_number, check_whole
from trimtab.study.errors import InputError

_SUM = 1e-9


@dataclass(frozen=True)
class Fidelity:
    """One coordinate says how faithful an evaluation is.

    Args:
        dim: which coordinate.
        target: where it is the true objective.
        fixed: what any evaluation costs.
        weight: what it costs more for each unit of the coordinate.
    """

    dim: int
    target: float
    fixed: float
    weight: float


@dataclass(frozen=True)
class Environment:
    """Some coordinates can be chosen for an evaluation and not where the result is used.

    Args:
        dims: which coordinates.
        values: what they can be, a row each.
        weights: the probabilities of the rows.
    """

    dims: tuple[int, ...]
    values: Float[Tensor, "k e"]
    weights: Float[Tensor, " k"]


@dataclass(frozen=True)
class Space:
    """A box with at most one of four kinds of further structure; see ``BayesianOptimizer``.

    Args:
        bounds: the least and the largest of each coordinate.
        constraints: how many there are.
        fidelity: of evaluations.
        costs: of information sources, the first of which is the objective; a last column says which it is.
        environment: that nobody controls.
        tasks: how many there are; a last column says which it is.
    """

    bounds: Float[Tensor, "2 d"]
    constraints: int = 0
    fidelity: Fidelity | None = None
    costs: tuple[float, ...] | None = None
    environment: Environment | None = None
    tasks: int | None = None

    @property
    def kind(self) -> str:
        """Which structure there is, in the words of the arguments."""
        given = {"fidelity": self.fidelity, "sources": self.costs, "environment": self.environment, "tasks": self.tasks}
        named = [name for name, each in given.items() if each is not None]
        return named[0] if named else "constraints" if self.constraints else "plain"

    @property
    def dimensions(self) -> int:
        """The number of coordinates."""
        return self.bounds.shape[1]

    @property
    def labels(self) -> int:
        """How many values the last column has, beside the coordinates; 0 where there is none."""
        return len(self.costs) if self.costs is not None else self.tasks or 0

    @property
    def columns(self) -> int:
        """The number of columns of a point."""
        return self.dimensions + bool(self.labels)

    @property
    def design(self) -> list[int]:
        """The coordinates that are chosen for good: all but those of an environment."""
        without = self.environment.dims if self.environment is not None else ()
        return [dim for dim in range(self.dimensions) if dim not in without]

    def to_unit(self, points: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
        """Returns points with their coordinates scaled to the unit cube; a last column beside them stays."""
        low, high = self.bounds
        scaled = (points[..., : self.dimensions] - low) / (high - low)
        return torch.cat([scaled, points[..., self.dimensions :]], -1)

    def from_unit(self, points: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
        """Returns points of the unit cube in the coordinates of the problem, inside the bounds in spite of rounding."""
        low, high = self.bounds
        scaled = torch.minimum(torch.maximum(low + points[..., : self.dimensions] * (high - low), low), high)
        return torch.cat([scaled, points[..., self.dimensions :]], -1)

    def choices(self, task: int) -> list[dict[int, float]]:
        """Returns what the columns that are not continuous can be, in the unit cube; one empty choice without any.

        Args:
            task: which it has to be, where there are tasks.
        """
        if self.tasks is not None:
            return [{self.dimensions: float(task)}]
        if self.environment is not None:
            rows = self.unit_environment().tolist()
            return [dict(zip(self.environment.dims, row, strict=True)) for row in rows]
        if self.costs is not None:
            return [{self.dimensions: float(source)} for source in range(self.labels)]
        return [{}]

    def unit_environment(self) -> Float[Tensor, "k e"]:
        """Returns the values of the environment in the unit cube."""
        assert self.environment is not None  # noqa: S101 - for the type checker
        low, high = self.bounds[:, list(self.environment.dims)]
        return torch.div(self.environment.values - low, high - low)


def space_from(bounds: Any, *, constraints: Any, fidelity: Any, sources: Any, environment: Any, tasks: Any) -> Space:
    """Returns the space of a ``BayesianOptimizer``'s arguments.

    Raises:
        TypeError: one has the wrong type.
        InputError: one cannot be, or two do not go together.
    """
    box = _box(bounds)
    check_whole("constraints", constraints, least=0)
    given = {"fidelity": fidelity, "sources": sources, "environment": environment, "tasks": tasks}
    named = [name for name, each in given.items() if each is not None] + ["constraints"] * bool(constraints)
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} cannot be had together: at most one of them is possible")
    if tasks is not None:
        check_whole("tasks", tasks, least=2)
    return Space(
        bounds=box,
        constraints=constraints,
        fidelity=None if fidelity is None else _fidelity(fidelity, box),
        costs=None if sources is None else _costs(sources),
        environment=None if environment is None else _environment(environment, box),
        tasks=tasks,
    )


def _box(bounds: Any) -> Float[Tensor, "2 d"]:
    try:
        box = torch.as_tensor(bounds, dtype=torch.float64).detach().clone()
    except (TypeError, ValueError) as error:
        raise TypeError(f"bounds={bounds!r}: a tensor of the shape (2, d) is needed") from error
    if box.dim() != 2 or box.shape[0] != 2 or not box.shape[1]:
        raise InputError(f"bounds has the shape {tuple(box.shape)}: (2, d) is needed")
    if not bool(box.isfinite().all()) or not bool((box[0] < box[1]).all()):
        raise InputError(f"bounds={box.tolist()}: finite numbers are needed, each lower bound below its upper one")
    return box


def _keys(name: str, given: Any, needed: Sequence[str], possible: Sequence[str] = ()) -> Mapping[str, Any]:
    allowed = [*needed, *possible]
    if not isinstance(given, Mapping) or not set(needed) <= set(given) <= set(allowed):
        raise InputError(f"{name}={given!r}: a dict of {', '.join(map(repr, allowed))} is needed")
    return given


def _fidelity(given: Any, box: Float[Tensor, "2 d"]) -> Fidelity:
    settings = _keys("fidelity", given, ["dim"], ["target", "cost"])
    check_whole("fidelity['dim']", settings["dim"], least=0, most=box.shape[1] - 1)
    if box.shape[1] < 2:
        raise InputError("fidelity: a coordinate beside it is needed")
    low, high = box[:, settings["dim"]].tolist()
    target = settings.get("target", high)
    check_number("fidelity['target']", target)
    if not low <= target <= high:
        raise InputError(f"fidelity['target']={target!r}: a value inside its bounds, {low} to {high}, is needed")
    cost = settings.get("cost", (0.01, 1.0))
    if not isinstance(cost, Sequence) or isinstance(cost, str) or len(cost) != 2:
        raise InputError(f"fidelity['cost']={cost!r}: what is fixed and what a unit costs, (fixed, weight), is needed")
    for part in cost:
        check_number("fidelity['cost']", part)
    fixed, weight = map(float, cost)
    if weight < 0 or fixed + weight * low <= 0:
        raise InputError(f"fidelity['cost']={cost!r}: the cost has to be positive, and not to fall with fidelity")
    return Fidelity(settings["dim"], float(target), fixed, weight)


def _costs(given: Any) -> tuple[float, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise InputError(f"sources={given!r}: the costs of all sources are needed, that of the objective first")
    for cost in given:
        check_number("sources", cost)
        if cost <= 0:
            raise InputError(f"sources={given!r}: costs are positive")
    return tuple(map(float, given))


def _environment(given: Any, box: Float[Tensor, "2 d"]) -> Environment:
    settings = _keys("environment", given, ["dims", "values"], ["weights"])
    dims = settings["dims"]
    if not isinstance(dims, Sequence) or isinstance(dims, str) or not dims:
        raise InputError(f"environment['dims']={dims!r}: a list of coordinates is needed")
    for dim in dims:
        check_whole("environment['dims']", dim, least=0, most=box.shape[1] - 1)
    if len(set(dims)) != len(dims) or len(dims) == box.shape[1]:
        raise InputError(f"environment['dims']={dims!r}: different coordinates are needed, and one beside them")
    values = torch.as_tensor(settings["values"], dtype=torch.float64).detach()
    if values.dim() != 2 or values.shape[1] != len(dims) or not len(values):
        raise InputError(
            f"environment['values'] has the shape {tuple(values.shape)}: (k, {len(dims)}) is needed, a row each"
        )
    low, high = box[:, list(dims)]
    if not bool(((low <= values) & (values <= high)).all()):
        raise InputError("environment['values'] has a row outside the bounds")
    if settings.get("weights") is None:
        weights = torch.full((len(values),), 1 / len(values), dtype=torch.float64)
    else:
        weights = torch.as_tensor(settings["weights"], dtype=torch.float64).detach()
    if weights.shape != values.shape[:1]:
        raise InputError(
            f"environment['weights'] has the shape {tuple(weights.shape)} for {len(values)} rows: one each is needed"
        )
    if not bool((weights >= 0).all()):
        raise InputError(f"environment['weights'] holds {float(weights.min())!r}: probabilities are needed")
    if abs(float(weights.sum()) - 1) > _SUM:
        raise InputError(f"environment['weights'] sum to {float(weights.sum())!r}: probabilities are needed")
    return Environment(tuple(dims), values, weights)


def all_with(
    designs: Float[Tensor, "p c"], dims: Sequence[int], rows: Float[Tensor, "k e"], columns: int
) -> Float[Tensor, "m d"]:
    """Returns each design with each row of values for the other columns, all rows of one design together."""
    points = designs.new_empty(len(designs), len(rows), columns)
    rest = [column for column in range(columns) if column not in dims]
    points[..., rest] = designs[:, None]
    points[..., list(dims)] = rows
    return points.reshape(-1, columns)


def sobol_point(space: Space, seed: int, number: int, task: int) -> Float[Tensor, " c"]:
    """Returns a point of a scrambled Sobol sequence, in the coordinates of the problem.

    Columns that are not continuous take their values in turn.

    Args:
        space: where it is.
        seed: of the scrambling.
        number: of the point in the sequence.
        task: which, where there are tasks.
    """
    engine: Any = SobolEngine(len(space.design), scramble=True, seed=seed)  # type: ignore[no-untyped-call]  # torch has no types here
    engine.fast_forward(number)
    point = torch.empty(space.columns, dtype=torch.float64)
    point[space.design] = engine.draw(1, dtype=torch.float64)[0]
    choices = space.choices(task)
    for column, value in choices[number % len(choices)].items():
        point[column] = value
    return space.from_unit(point)
