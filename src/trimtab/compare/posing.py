"""From problems as they are given to problems that are loaded, checked and told apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trimtab.catalog.recipes import NONE, with_its_warmup
from trimtab.lab.loading import absolute_reference, fingerprint, load_problem
from trimtab.lab.problem import Problem, SteppedProblem
from trimtab.study.errors import Faults, InputError


@dataclass(frozen=True)
class Posed:
    """A problem of a comparison.

    Args:
        problem: the problem.
        reference: how the command line names it; empty if it is there as an object.
        fingerprint: changes when its file does.
        source: the problem, or the reference by which workers load it.
        schedule: of the learning rate, with which it is posed; ``None`` for its own.
    """

    problem: Problem
    reference: str
    fingerprint: str
    source: Problem | str
    schedule: str | None = None

    @property
    def name(self) -> str:
        """The name under which results are kept: with a schedule, that of another problem."""
        name = self.problem.name.replace("/", "-")
        schedule = NONE if self.schedule is None else with_its_warmup(self.schedule)[0]
        return name if schedule == NONE else f"{name}+{schedule}"

    def steps(self, steps: int | None) -> int | None:
        """Returns how many steps a run has; ``None`` where there are none.

        Args:
            steps: as many as were asked for.
        """
        if not isinstance(self.problem, SteppedProblem):
            return None
        return self.problem.steps if steps is None else steps


def posed_problems(
    given: Sequence[str | Problem], faults: Faults, schedules: Sequence[str | None] = (None,)
) -> list[Posed]:
    """Loads and checks problems, and gathers what is wrong with those that cannot be, so that the rest is looked at.

    Raises:
        InputError: it is no list, or there are none.
    """
    if not isinstance(given, list | tuple) or not given:
        raise InputError(f"problems={given!r}: at least one problem is needed")
    found = list[Posed]()
    for each in given:
        with faults:
            posed = _posed(each)
            if any(posed.name == replace(other, schedule=None).name for other in found):
                raise InputError(
                    f"{each} is a second problem with the name {posed.name}, under which results are kept: give it, or "
                    "its file, another name"
                )
            found += [replace(posed, schedule=schedule) for schedule in schedules]
    return found


def _posed(given: str | Problem) -> Posed:
    if isinstance(given, Problem):
        if not given.described:
            raise InputError(
                f"problems={given!r}: workers load it by themselves, so that its place is needed: path/to/file.py:name"
            )
        given.check(given.name)
        return Posed(given, "", "", given)
    problem = load_problem(given)
    problem.check(given)
    return Posed(problem, given, fingerprint(given), absolute_reference(given))
