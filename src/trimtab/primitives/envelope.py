r"""The expected maximum of lines whose common argument is a standard normal variable.

Where one more observation, standardised to :math:`Z \sim N(0, 1)`, moves the posterior mean at point :math:`i` from
:math:`a_i` to :math:`a_i + b_i Z`, the value of looking is the expected maximum of these lines less the maximum of
now. The upper envelope of the lines is piecewise linear: between neighbours on it, of slopes :math:`b < b'`, lies a
break point :math:`c = (a - a') / (b' - b)`, and (Frazier, Powell & Dayanik, 2009, doi:10.1287/ijoc.1080.0314)

.. math::
    E \max_i (a_i + b_i Z) - \max_i a_i = \sum_k (b_{k+1} - b_k)\, h(-|c_k|), \qquad h(z) = \varphi(z) + z\, \Phi(z).

Two decisions differ from that source, and change no value. It sorts lines by slope and scans them with a stack; here
the envelope is followed outwards from the line that is highest at :math:`Z = 0`, for all rows of a batch at once, which
takes as many vectorised steps as an envelope has lines, and no sort. And the sum can be had as a logarithm throughout,
which has a gradient where the sum itself underflows.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_TIED = 8
"""Break points within so many rounding errors of each other are one."""

_FAR = 20.0
"""From here on the series is more accurate than the difference of two numbers near one."""

_SERIES = [(-1) ** k * math.prod(range(1, 2 * k + 2, 2)) for k in range(12)]
"""(-1)^k (2k + 1)!!; the first that is left out is less than 1e-17 of the sum at 20."""


def expected_gain(
    intercepts: Float[Tensor, "*batch lines"], slopes: Float[Tensor, "*batch lines"], *, log: bool = False
) -> Float[Tensor, "*batch"]:
    r"""Returns :math:`E \max_i (a_i + b_i Z) - \max_i a_i \ge 0` for a standard normal :math:`Z`, exactly.

    It is zero (its logarithm minus infinity) where one line is highest everywhere: for a single line, and for lines of
    equal slopes. Lines that coincide count once. The gradient is exact wherever there is one; where two lines are
    equally high at :math:`Z = 0`, or are the same line, it is that of one side.

    Args:
        intercepts: :math:`a`, in float32 or float64.
        slopes: :math:`b`, of the same type; batches are broadcast.
        log: whether to return the logarithm, which is finite and has a gradient down to break points at 1e150 in
            float64.

    Returns:
        One value for each row; NaN for a row that holds a number that is not finite.

    Raises:
        TypeError: the numbers are not all float32 or all float64.
        ValueError: there is no line, or the two have different numbers of them.
    """
    _check(intercepts, slopes)
    shape = torch.broadcast_shapes(intercepts.shape, slopes.shape)  # type: ignore[no-untyped-call]  # torch has no types
    a, b = (each.expand(shape).reshape(shape[:-1].numel(), shape[-1]) for each in (intercepts, slopes))
    with torch.no_grad():
        highest = a.argmax(-1)
        right, left = _walk(a, b, highest), _walk(a, -b, highest)
        inner = torch.cat([right[:, :-1], left[:, :-1]], -1)
        outer = torch.cat([right[:, 1:], left[:, 1:]], -1)
        broken = inner != outer
        finite = a.isfinite().all(-1) & b.isfinite().all(-1)
    steps = torch.where(broken, (b.gather(-1, outer) - b.gather(-1, inner)).abs(), 1.0)
    points = (a.gather(-1, inner) - a.gather(-1, outer)) / steps
    gain = _log_sum(steps, points, broken) if log else _sum(steps, points, broken)
    return torch.where(finite, gain, torch.nan).reshape(shape[:-1])


def _check(intercepts: Tensor, slopes: Tensor) -> None:
    for name, given in (("intercepts", intercepts), ("slopes", slopes)):
        if given.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"{name} is of type {given.dtype}: float32 or float64 is needed")
        if given.dim() == 0 or given.shape[-1] == 0:
            raise ValueError(f"{name} has the shape {tuple(given.shape)}: at least one line is needed")
    if intercepts.dtype != slopes.dtype:
        raise TypeError(f"intercepts is of type {intercepts.dtype} and slopes of {slopes.dtype}: one type is needed")
    if intercepts.shape[-1] != slopes.shape[-1]:
        raise ValueError(
            f"intercepts has {intercepts.shape[-1]} lines and slopes has {slopes.shape[-1]}: as many are needed"
        )


def _walk(a: Float[Tensor, "r m"], b: Float[Tensor, "r m"], start: Int[Tensor, " r"]) -> Int[Tensor, "r k"]:
    """Follows the envelope of each row to ever larger Z; returns its lines, the last of which fills up the row."""
    path, current = [start, start], start
    rows: Int[Tensor, " r"] | None = None
    tied = 1 + _TIED * torch.finfo(a.dtype).eps
    for _ in range(a.shape[-1] - 1):
        steps = b - b.gather(-1, current[:, None])
        points = (a.gather(-1, current[:, None]) - a).div_(steps).masked_fill_(steps <= 0, torch.inf)
        nearest = points.amin(-1, keepdim=True)
        more = nearest[:, 0] < torch.inf
        if not more.all():
            rows = more.nonzero()[:, 0] if rows is None else rows[more]
            if not len(rows):
                break
            a, b, points, nearest, steps = a[more], b[more], points[more], nearest[more], steps[more]
        # of lines through one point the steepest goes on: where the others meet it is a matter of rounding errors
        current = steps.masked_fill_(points > nearest * tied, -1.0).argmax(-1)
        path.append(current if rows is None else path[-1].index_copy(0, rows, current))
    return torch.stack(path, -1)


def _sum(steps: Float[Tensor, "r k"], points: Float[Tensor, "r k"], broken: Bool[Tensor, "r k"]) -> Float[Tensor, " r"]:
    height = (-0.5 * points.square()).exp() / math.sqrt(2 * math.pi)
    far = points >= _FAR
    near = _scaled_loss(points.masked_fill(far, 0.0))
    beyond = points.masked_fill(~far, _FAR)
    scaled = torch.where(far, _series(beyond) / beyond.square(), near)
    return torch.where(broken, steps * height * scaled, 0.0).sum(-1)


def _log_sum(
    steps: Float[Tensor, "r k"], points: Float[Tensor, "r k"], broken: Bool[Tensor, "r k"]
) -> Float[Tensor, " r"]:
    terms = torch.where(broken, steps.log() + _log_loss(points), -torch.inf)
    top = terms.detach().amax(-1, keepdim=True)
    some = top.isfinite()
    # a row without any finite term would have the gradient NaN
    total = (terms - torch.where(some, top, 0.0)).exp().sum(-1, keepdim=True)
    return torch.where(some, torch.where(some, total, 1.0).log() + top, -torch.inf)[:, 0]


def _log_loss(points: Float[Tensor, "r k"]) -> Float[Tensor, "r k"]:
    """The logarithm of h(-t) for t >= 0."""
    far = points >= _FAR
    near = _scaled_loss(points.masked_fill(far, 0.0)).log()
    beyond = points.masked_fill(~far, _FAR)
    scaled = torch.where(far, _series(beyond).log() - 2 * beyond.log(), near)
    return scaled - 0.5 * points.square() - 0.5 * math.log(2 * math.pi)


def _scaled_loss(points: Float[Tensor, "r k"]) -> Float[Tensor, "r k"]:
    """h(-t) / phi(t) = 1 - t R(t), where R is Mills' ratio."""
    return torch.rsub(points * (math.sqrt(math.pi / 2) * torch.special.erfcx(points / math.sqrt(2))), 1)


def _series(points: Float[Tensor, "r k"]) -> Float[Tensor, "r k"]:
    """t^2 h(-t) / phi(t) = 1 - 3 / t^2 + 15 / t^4 - ..., for large t."""
    inverse = points.reciprocal().square()
    total = torch.full_like(points, _SERIES[-1])
    for coefficient in reversed(_SERIES[:-1]):
        total = total * inverse + coefficient
    return total
