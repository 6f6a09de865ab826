"""What is reported at the end: the point with the largest posterior mean of those that may be."""

from typing import Any

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.utils.sampling import manual_seed
from botorch.utils.transforms import t_batch_mode_transform
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.case import Case, target_of
from trimtab.search.bo_tutorial.constrained import log_feasibility
from trimtab.search.bo_tutorial.maximising import maximised
from trimtab.search.bo_tutorial.space import all_with
from trimtab.study.errors import InputError

REPORTS = ("evaluated", "anywhere")


def checked_report(report: Any, kind: str, acquisition: str) -> str:
    """Returns what may be reported, which follows from the acquisition function where it was not said.

    Raises:
        InputError: it is neither ``evaluated`` nor ``anywhere``, or not possible with this kind of space.
    """
    only_evaluated = kind in ("constraints", "tasks")
    if report is None:
        return "evaluated" if only_evaluated or acquisition in ("noisy_ei", "ei", "nei") else "anywhere"
    if report not in REPORTS:
        raise InputError(f"report={report!r}: one of {', '.join(REPORTS)} is needed")
    if report == "anywhere" and only_evaluated:
        raise InputError(f"report='anywhere' is not possible with {kind}")
    checked: str = report
    return checked


class ReportedMean(AcquisitionFunction):
    r"""The posterior mean of a design where its result is used.

    That is at the target of a fidelity, of the objective among sources, of the task in question, and averaged over an
    environment.

    Args:
        case: with the model.
        columns: of a design.
    """

    def __init__(self, case: Case, columns: int) -> None:
        super().__init__(model=case.model)
        self._columns = columns
        self._total = case.X.shape[1]
        self._dims, self._rows, self._weights = used(case)

    @t_batch_mode_transform(expected_q=1)  # type: ignore[arg-type]  # it is typed for the base class alone
    def forward(self, X: Float[Tensor, "*batch 1 k"]) -> Float[Tensor, "*batch"]:
        """Returns the mean of each design."""
        points = all_with(X.reshape(-1, self._columns), self._dims, self._rows, self._total)
        posterior: Any = self.model.posterior(points.reshape(-1, len(self._rows), self._total))
        mean: Tensor = posterior.mean[..., 0] @ self._weights
        return mean.reshape(X.shape[:-2])


def used(case: Case) -> tuple[list[int], Float[Tensor, "k e"], Float[Tensor, " k"]]:
    """Returns the columns that are no part of a design, what they are where it is used, and how probable that is."""
    one = torch.ones(1, dtype=torch.float64)
    if case.space.environment is not None:
        return list(case.space.environment.dims), case.space.unit_environment(), case.space.environment.weights
    if case.space.fidelity is not None:
        dim, target = target_of(case)
        return [dim], one[:, None] * target, one
    if case.space.labels:
        return [case.space.dimensions], one[:, None] * case.task, one  # of sources, 0 is the objective
    return [], one[:, None][:, :0], one


def recommended(case: Case, report: str) -> Float[Tensor, " c"]:
    """Returns the point, in the coordinates of the problem.

    Args:
        case: with the model, and with what was evaluated.
        report: ``evaluated`` or ``anywhere``.
    """
    dims, rows, _ = used(case)
    rest = [column for column in range(case.X.shape[1]) if column not in dims]
    designs = case.X[:, rest]
    mean = ReportedMean(case, len(rest))
    if report == "anywhere":
        with manual_seed(case.seed):
            effort = case.effort
            design = maximised(
                mean,
                len(rest),
                [{}],
                num_restarts=effort.num_restarts,
                raw_samples=effort.raw_samples,
                max_steps=effort.max_steps,
                seed=case.seed,
            )
    else:
        design = designs[_best(case, designs, mean)]
    return _whole(case, design, rest, dims, rows)


@torch.no_grad()
def _best(case: Case, designs: Float[Tensor, "n k"], mean: Any) -> int:
    if case.constraints is not None and not bool(case.feasible.any()):
        return int(log_feasibility(case.constraints)(designs[:, None]).argmax())
    return int(torch.where(case.feasible, mean(designs[:, None]), -torch.inf).argmax())


def _whole(
    case: Case, design: Float[Tensor, " k"], rest: list[int], dims: list[int], rows: Float[Tensor, "k e"]
) -> Float[Tensor, " c"]:
    """A point with all columns; but without those of an environment, which nobody chooses."""
    point = torch.zeros(case.space.columns, dtype=torch.float64)
    point[rest] = design
    if case.space.environment is not None:
        return case.space.from_unit(point)[rest]
    point[dims] = rows[0]
    return case.space.from_unit(point)
