"""What there is to know of a problem that ships, or of one's own."""

import inspect
import shlex
from dataclasses import dataclass

from trimtab.catalog.entries import of_slot
from trimtab.catalog.slots import SLOTS
from trimtab.lab.loading import load_problem, parameters
from trimtab.lab.references import parse_reference
from trimtab.lab.shipped import PROBLEMS


@dataclass(frozen=True)
class Description:
    """A problem, for readers.

    Args:
        name: of it.
        slot: what of it is left open.
        candidates: what fills it.
        summary: what it is, in a line.
        metric: what counts, and which side is better.
        target: what runs are timed until, which decides scores over several problems; empty where that is where the
            reference ends.
        cost: what a run's budget counts, and how much of it a run has.
        seeds: fresh seeds of the final runs.
        takes: what may stand in brackets.
        sizes: name and value, but for what its cost says.
        fits: names of the catalogue that fit.
        own: how a candidate of one's own is written.
        use: the command line that compares on it.
    """

    name: str
    slot: str
    candidates: str
    summary: str
    metric: str
    target: str
    cost: str
    seeds: int
    takes: tuple[str, ...]
    sizes: tuple[tuple[str, str], ...]
    fits: tuple[str, ...]
    own: str
    use: str


def describe(reference: str) -> Description:
    """Loads a problem and says what it is.

    Raises:
        InputError: there is no such problem, or it cannot be made.
    """
    problem = load_problem(reference)
    budget, own = problem.budget(None), inspect.cleandoc(type(problem).__doc__ or "").partition("\n")[0]
    facts = problem.facts(reference, (), budget)
    shipped = PROBLEMS.get(parse_reference(reference).place)
    better = "higher" if facts.objective.direction == "max" else "lower"
    slot, fits = SLOTS[problem.slot], of_slot(problem.slot)
    compared = f" --candidates {slot.default}" if slot.default else ""
    return Description(
        name=problem.name,
        slot=problem.slot,
        candidates=slot.what,
        summary=shipped.summary if shipped else problem.introduction or own,
        metric=f"{facts.objective.name}, {better} is better",
        target=facts.solved.goal,
        cost=facts.cost.many if budget is None else f"{budget:,} {facts.cost.many}",
        seeds=problem.seeds,
        takes=tuple(each.name + _default(each) for each in parameters(reference)),
        sizes=tuple((name, value) for name, value in facts.sizes if name != f"{facts.cost.many} a run"),
        fits=tuple(fits),
        own=slot.own,
        use=f"trimtab compare {shlex.quote(reference)}{compared}",
    )


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is parameter.empty else f"={parameter.default!r}"
