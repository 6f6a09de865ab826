"""What a comparison found, as plain values: the report, ``results.json`` and the command line all draw from this."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from trimtab.compare.race import Departure
from trimtab.compare.tuning import Extension
from trimtab.study.again import AGAIN
from trimtab.study.beside import Beside
from trimtab.study.facts import SECONDS, Facts, Measure
from trimtab.study.numbers import MISSING
from trimtab.study.outcome import CurvePoint, Status, Trace
from trimtab.study.point import Phase
from trimtab.study.statistics import ALPHA
from trimtab.study.tunable import Value

Effect: TypeAlias = Literal["helps", "hurts", "no difference shown"]


NOT_YET = "not ranked yet: "
"""How the note of a candidate begins of which trials are still to be run."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval, which stays within what is possible.

    It is the t interval, on a scale where bounded values have no bounds.

    Args:
        mean: of the final runs.
        low: lower end; ``None`` with fewer than two runs, and where all of them are equal.
        high: upper end; ``None`` in the same cases.
    """

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Pair:
    """Where two candidates' final runs end, compared on the seeds that they share, or as they are if they are unpaired.

    The p-value, and what is called simultaneous, take into account how many pairs were tested. The rest would hold if
    nothing but this pair had been. All of it rests on one estimate of the spread, to which the other candidates' runs
    contribute as far as they agree on it.

    Args:
        first: label of a candidate.
        second: label of another one.
        improvement: how much lower the loss of ``first`` is, in the mean; positive means that ``first`` is better.
        low: lower end of the 95 % interval of this pair alone.
        high: upper end.
        simultaneous_low: lower end of the interval that holds for all pairs at once, with 95 %. It reaches beyond zero
            on both sides exactly where no difference is shown.
        simultaneous_high: upper end.
        p_value: of the two-sided t test, corrected by Holm's method for the number of pairs.
        smallest_detectable: the true difference that this many seeds would have shown four times out of five, if
            nothing but this pair were tested.
        simultaneous_detectable: the same when all pairs are.
        seeds: how many they share; of unpaired runs, how many the one with fewer has.
        freedom: degrees of freedom of the t test; ``seeds - 1`` are their own, and what is more is borrowed from the
            other candidates. Of unpaired runs, Welch's are their own.
        pairing: how many times as many seeds it would take to know the difference as well if the two had shared none;
            1 of unpaired runs.
    """

    first: str
    second: str
    improvement: float
    low: float
    high: float
    simultaneous_low: float
    simultaneous_high: float
    p_value: float
    smallest_detectable: float
    simultaneous_detectable: float
    seeds: int
    freedom: float
    pairing: float

    @property
    def shown(self) -> bool:
        """Whether a difference is shown."""
        return self.p_value < ALPHA and self.improvement != 0

    @property
    def verdict(self) -> Effect:
        """What is shown of ``first``, against ``second``."""
        if not self.shown:
            return "no difference shown"
        return "helps" if self.improvement > 0 else "hurts"

    def turned(self) -> "Pair":
        """Returns the same from the other side."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            improvement=-self.improvement,
            low=-self.high,
            high=-self.low,
            simultaneous_low=-self.simultaneous_high,
            simultaneous_high=-self.simultaneous_low,
        )


@dataclass(frozen=True)
class CandidateResult:
    """One candidate, tuned and run on fresh seeds.

    Args:
        label: the expression that names it.
        title: its full name.
        kind: ``method``, ``baseline``, ``command``, or ``your own`` for somebody's own class.
        summary: what it does, in a line.
        settings: the best settings found, with those that were fixed.
        rank: one plus the number of candidates that are significantly better; ``None`` when it could not be ranked.
            Where candidates were compared with the reference alone, its place among groups: better than the reference,
            neither, worse.
        note: why it could not be ranked, or what to be wary of; empty otherwise.
        verdict: against the reference; ``None`` for the reference itself and where there was no test.
        against_reference: the comparison behind the verdict, as this candidate's improvement on the reference.
        loss: where the final runs end, less being better: the objective, or its opposite where more of it is better.
        metric: what is quoted, at the end of the final runs.
        final_losses: the final loss by seed; ``None`` where a run did not finish, or has not yet.
        tuned_loss: mean loss of the setting that was chosen over its tuning seeds.
        cost_to_target: median cost until the target was reached, or ``None`` if half of the runs or more did not.
        reached_target: how many final runs reached the target.
        rate_decades: width of the range of learning rates, or of what is drawn in their place, within 1 % of the best
            loss, in powers of ten; ``None`` of fewer than six settings.
        measures: means over the final runs of what is measured of them, by name.
        prices: medians or largest values over all trials of what is measured of them, by name.
        trouble: how many trials ended ``diverged``, ``failed`` or ``pruned``.
        code: the lines that use it, to be pasted.
        erratic: whether its seeds differ so much from each other that its rank says little; ``note`` says how.
        in_all_pairs: whether it was compared with every other, not with the reference alone.
        winners_curse: how much lower ``tuned_loss`` is than the mean of the final losses, in standard deviations of
            these: positive where tuning looked better. ``None`` where a run is missing, there are fewer than five, or
            only rounding differs.
        extensions: ranges that went on, because the best value was the most extreme that was tried.
    """

    label: str
    title: str
    kind: str
    summary: str
    settings: dict[str, Value]
    rank: int | None
    note: str
    verdict: Effect | None
    against_reference: Pair | None
    loss: Interval | None
    metric: Interval | None
    final_losses: tuple[float | None, ...]
    tuned_loss: float | None
    cost_to_target: float | None
    reached_target: int
    rate_decades: float | None
    measures: dict[str, Interval]
    prices: dict[str, float]
    trouble: dict[str, int]
    code: str
    erratic: bool = False
    in_all_pairs: bool = True
    winners_curse: float | None = None
    extensions: tuple[Extension, ...] = ()

    @property
    def place(self) -> str:
        """Its rank as it is shown: with a question mark where its seeds differ so much that it says little."""
        if self.rank is None or not self.in_all_pairs:
            return MISSING
        return f"{self.rank}?" if self.erratic else str(self.rank)

    @property
    def waiting(self) -> bool:
        """Whether it is not ranked because trials of it are still to be run."""
        return self.note.startswith(NOT_YET)

    @property
    def runs(self) -> int:
        """How many of its final runs finished."""
        return sum(loss is not None for loss in self.final_losses)

    @property
    def standing(self) -> str:
        """Its rank in words, or what it was found to be beside the reference if it was compared with nobody else."""
        if self.rank is None:
            return "not ranked"
        return f"rank {self.place}" if self.in_all_pairs else self.verdict or "the reference"


@dataclass(frozen=True)
class TrialResult:
    """One trial, whatever became of it.

    Args:
        key: its name within the study.
        candidate: label.
        phase: ``tune`` or ``final``.
        seed: of the run.
        settings: tuned values.
        status: ``complete``, ``pruned``, ``diverged`` or ``failed``.
        loss: at the end, less being better.
        metric: what is quoted, at the end.
        cost: what was used of what the budget counts.
        seconds: wall-clock seconds.
        error: traceback or reason.
        curve: the run's course.
        measures: what else was measured, name to value.
        traces: quantities over a final run, from each change to the next; empty where nothing changed.
    """

    key: str
    candidate: str
    phase: Phase
    seed: int
    settings: dict[str, Value]
    status: Status
    loss: float | None
    metric: float | None
    cost: float
    seconds: float
    error: str | None
    curve: tuple[CurvePoint, ...]
    measures: dict[str, float] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """How the comparison was made.

    Args:
        trials: settings tried for each candidate.
        seeds: fresh seeds of the final runs.
        steps: length of a run in plain steps; ``None`` where there are none.
        budget: the same in what the cost counts; ``None`` where a run is as long as it is.
        tuning_seed: seed of the first tuning run of every setting.
        first_final_seed: final runs use this seed and the next ones.
        pruning: name of the pruner, or ``None``.
        against_reference: whether candidates were compared with the reference alone, so that there are no ranks.
        final_seeds: all seeds of the final runs, where they do not just follow the first; ``None`` where they do.
        unpaired: whether candidates were compared without regard to seeds, of which each may have others.
        tuning_seeds: with how many seeds the best settings were tried, the first included.
        again: how many settings were, at most.
    """

    trials: int
    seeds: int
    steps: int | None
    budget: int | None
    tuning_seed: int
    first_final_seed: int
    pruning: str | None
    against_reference: bool = False
    final_seeds: tuple[int, ...] | None = None
    unpaired: bool = False
    tuning_seeds: int = 1
    again: int = AGAIN

    @property
    def seed_numbers(self) -> Sequence[int]:
        """The seeds of the final runs."""
        if self.final_seeds is not None:
            return self.final_seeds
        return range(self.first_final_seed, self.first_final_seed + self.seeds)


@dataclass(frozen=True)
class RaceResult:
    """How the candidates raced.

    Args:
        looks: numbers of seeds at which it was looked at who goes on.
        departures: who left, in turn.
        over: whether nobody runs any more.
    """

    looks: tuple[int, ...]
    departures: tuple[Departure, ...]
    over: bool

    def departure(self, label: str) -> Departure | None:
        """Returns when and why a candidate left, if it did."""
        return next((each for each in self.departures if each.candidate == label), None)


@dataclass(frozen=True)
class ComparisonResult:
    """Everything that a comparison found.

    Args:
        problem: what a reader has to know of it.
        protocol: how it was made.
        environment: name to value: versions, processor, date.
        reference: label of the candidate that verdicts compare with.
        target: what ``cost_to_target`` refers to, in words.
        conclusion: what follows, in a few sentences.
        candidates: best first; those that could not be ranked last.
        pairs: every pair of ranked candidates.
        trials: every trial.
        beside: what the store holds that takes no part; ``None`` if there is nothing, and of one problem among several.
        race: how the candidates raced; ``None`` where all ran all seeds.
    """

    problem: Facts
    protocol: Protocol
    environment: dict[str, str]
    reference: str
    target: str
    conclusion: tuple[str, ...]
    candidates: tuple[CandidateResult, ...]
    pairs: tuple[Pair, ...]
    trials: tuple[TrialResult, ...] = field(repr=False)
    beside: Beside | None = None
    race: RaceResult | None = None

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is shown of runs beside what they are compared by."""
        measured = {name for trial in self.trials for name in trial.measures}
        return tuple(each for each in self.problem.measures if not each.optional or each.name in measured)

    @property
    def ranked(self) -> bool:
        """Whether every candidate was ranked."""
        return all(candidate.rank is not None for candidate in self.candidates)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold; every number in them is finite."""
        return asdict(self)


def measure_names(result: ComparisonResult) -> list[str]:
    """Returns what its trials' measures are called: what the problem tells of first, whether there are values yet."""
    told = [measure.name for measure in result.problem.measures if measure.name != SECONDS]
    return list(dict.fromkeys([*told, *(name for trial in result.trials for name in trial.measures)]))


def column_name(measure: str) -> str:
    """Returns what a measure's column is called in tables for programs."""
    return measure.replace(" ", "_")
