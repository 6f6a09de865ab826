"""What a comparison over several problems found, as plain values."""

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from trimtab.compare.over_problems.places import scheduled
from trimtab.compare.result import ComparisonResult
from trimtab.study.beside import Beside


@dataclass(frozen=True)
class CandidateProfile:
    """How close a candidate comes to the fastest one, over the problems that count.

    Args:
        label: the candidate.
        score: integral of its performance profile, between 0 and 1; ``None`` where no problem counts.
        costs: problem to the median cost at which its final runs reach the target, runs that never do counting as
            later than any; ``None`` if that is most of them.
        ratios: problem to its cost over the lowest of all candidates; ``None`` where it does not reach the target.
        taus: where its profile rises, from 1 to the end of the integral, both included.
        shares: share of the problems on which the ratio is at most so large, from each of ``taus`` on.
    """

    label: str
    score: float | None
    costs: dict[str, float | None]
    ratios: dict[str, float | None]
    taus: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class ResultOverProblems:
    """Everything that a comparison over several problems found.

    Args:
        problems: what each showed by itself, under the name by which its trials are kept.
        reference: label of the candidate that verdicts compare with.
        counted: names of the problems that profiles are made of.
        left_out: names of the others, and why.
        tau_max: ratio at which profiles and their integral end.
        profiles: highest score first.
        conclusion: what follows, in a few sentences.
        beside: what the store holds that takes no part; ``None`` if there is nothing.
    """

    problems: dict[str, ComparisonResult]
    reference: str
    counted: tuple[str, ...]
    left_out: dict[str, str]
    tau_max: float
    profiles: tuple[CandidateProfile, ...]
    conclusion: tuple[str, ...]
    beside: Beside | None = None

    @property
    def ranked(self) -> bool:
        """Whether every candidate was ranked on every problem."""
        return all(found.ranked for found in self.problems.values())

    @property
    def costed(self) -> bool:
        """Whether costs are known of any problem's runs; without them there are no profiles."""
        return any(found.problem.costed for found in self.problems.values())

    @property
    def scored(self) -> bool:
        """Whether scores say something: costs are known, and it is not one problem with several schedules."""
        return self.costed and not scheduled(self.problems)

    @property
    def reached(self) -> tuple[str, ...]:
        """Names of the problems that profiles are made of whose target some candidate reaches."""
        return tuple(name for name in self.counted if any(p.ratios[name] is not None for p in self.profiles))

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold; every number in them is finite."""
        return asdict(self)


AnyResult: TypeAlias = ComparisonResult | ResultOverProblems
"""What a comparison found, on one problem or over several."""
