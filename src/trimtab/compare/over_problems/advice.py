"""What to do after a comparison over several problems, in one sentence that is no stronger than what was shown.

It counts the verdicts of the problems; scores are no test, and have no part in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.compare.cautions import FEW_SEEDS, alike
from trimtab.compare.over_problems.places import PROBLEMS, Places
from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.study.phrases import NAMED, either, listed


@dataclass(frozen=True)
class _Record:
    """The problems where a candidate helps, where it hurts, and where its seeds differ widely."""

    label: str
    helps: tuple[str, ...]
    hurts: tuple[str, ...]
    erratic: tuple[str, ...]


def advise(problems: Mapping[str, ComparisonResult], reference: str, places: Places = PROBLEMS) -> str:
    """Says what to do.

    Args:
        problems: what each place showed, by the name that stands in sentences; all have the same candidates.
        reference: label of the candidate that verdicts compare with.
        places: what the places are.
    """
    records = [_record(problems, c.label) for c in next(iter(problems.values())).candidates if c.label != reference]
    if not records:
        return f"No advice: {reference} is the only candidate; add others to compare it with."
    most = max(result.protocol.seeds for result in problems.values())
    if most == 1:
        return "Run more seeds before you choose: with one, no difference can be shown."
    silent = [name for name, result in problems.items() if not any(c.verdict for c in result.candidates)]
    if len(silent) == len(problems):
        return f"No advice: nothing could be tested against {reference} {places.at} any {places.noun}."
    if any(record.helps for record in records):
        return _use(records, len(problems), reference, places)
    if most <= FEW_SEEDS and not any(record.hurts for record in records):
        return f"Run more seeds: with two, no difference from {reference} was shown, and hardly any could be."
    return _keep(records, problems, silent, reference, places)


def _record(problems: Mapping[str, ComparisonResult], label: str) -> _Record:
    found = {name: _of(result, label) for name, result in problems.items()}
    return _Record(
        label,
        tuple(name for name, result in found.items() if result.verdict == "helps"),
        tuple(name for name, result in found.items() if result.verdict == "hurts"),
        tuple(name for name, result in found.items() if result.erratic),
    )


def _of(result: ComparisonResult, label: str) -> CandidateResult:
    return next(candidate for candidate in result.candidates if candidate.label == label)


def _use(records: Sequence[_Record], problems: int, reference: str, places: Places) -> str:
    """Some help somewhere: those that help most often, and of them those that hurt least often."""
    most = max(len(record.helps) for record in records)
    least = min(len(record.hurts) for record in records if len(record.helps) == most)
    best = [record for record in records if (len(record.helps), len(record.hurts)) == (most, least)]
    steady = [record.label for record in best if not set(record.erratic) & set(record.helps)]
    helps = f"helps {places.at} {_number(most, problems, places)}"
    if not steady:
        where = listed([name for name in best[0].helps if name in best[0].erratic])
        look = f"Look at the runs of {best[0].label} {places.at} {where} before you use it"
        return f"{look}: it {helps}, but its seeds differ widely."
    each = "it" if len(steady) == 1 else "each"
    if most == problems:
        return f"Use {either(steady)} instead of {reference}: {each} {helps}."
    if not least:
        return f"Keep {reference}, or try {either(steady)}: {each} {helps}, and hurts {places.at} {places.none}."
    return f"Choose by the {places.choice}: {either(steady)} {helps}, and hurts {places.at} {least}."


def _keep(
    records: Sequence[_Record],
    problems: Mapping[str, ComparisonResult],
    silent: Sequence[str],
    reference: str,
    places: Places,
) -> str:
    """Nothing helps anywhere: with the cautions that the page of each problem has."""
    at = places.at
    alike = [name for name, result in problems.items() if _all_alike(result, reference)]
    if len(alike) == len(problems):
        return f"Check that what is compared reaches the runs: all ended exactly like {reference} with every seed."
    erratic = [name for name, result in problems.items() if name not in silent and _of(result, reference).erratic]
    told = [name for name in problems if name not in (*silent, *alike, *erratic)]
    if erratic:
        differ = "its seeds differ so much that little can be shown against it"
        if not told:
            return f"Look at the runs of {reference} before you keep it: {differ}."
        look = f"Look at the runs of {reference} {at} {listed(erratic)} before you keep it: {differ} there"
        return f"{look}. Nothing was shown to be better {at} {listed(told)}{_worse(records, places)}."
    if alike:
        check = f"Check that what is compared reaches the runs {at} {listed(alike)}: all ended exactly"
        better = f"Nothing was shown to be better {at} {listed(told or silent)}{_worse(records, places)}"
        return f"{check} like {reference} there. {better}."
    few = {1: f"{at} the only {places.noun}", 2: f"{at} either of 2 {places.many}"}
    where = few.get(len(problems), f"{at} any of {len(problems)} {places.many}")
    if silent:
        where = f"{at} {listed(told)} (little can be shown {at} {listed(silent)})"
    wide = [f"{record.label} {at} {listed(on)}" for record in records if (on := _open(record, problems))]
    who = f"{len(wide)} candidates" if len(wide) > NAMED else listed(wide) if wide else ""
    differ = f"; of {who} nothing could be, for their seeds differ widely" if who else ""
    return f"Keep {reference}: nothing was shown to be better {where}{differ}{_worse(records, places, len(problems))}."


def _all_alike(result: ComparisonResult, reference: str) -> bool:
    """Whether nothing that was tested against the reference differs from it with any seed."""
    kept, tested = _of(result, reference), [c for c in result.candidates if c.verdict is not None]
    return bool(tested) and all(alike(c.final_losses, kept.final_losses) for c in tested)


def _open(record: _Record, problems: Mapping[str, ComparisonResult]) -> list[str]:
    """Where nothing was shown of a candidate because its seeds differ widely."""
    return [name for name in record.erratic if _of(problems[name], record.label).verdict == "no difference shown"]


def _worse(records: Sequence[_Record], places: Places, problems: int | None = None) -> str:
    """Who is worse, and on which of so many problems, or where, as the end of a sentence; empty if nobody is."""
    worse = [record for record in records if record.hurts]
    if not worse:
        return ""
    if len(worse) == 1:
        there = f"{places.at} it" if problems == 1 else _where(worse[0].hurts, places, problems)
        return f", and {worse[0].label} is worse {there}"
    who = listed([record.label for record in worse])
    if len(worse) >= NAMED:
        who = f"{'all' if len(worse) == len(records) else f'{len(worse)} of'} {len(records)} others"
    if problems == 1:
        return f", and {who} are worse there"
    where = [_where(record.hurts, places, problems) for record in worse]
    if len(set(where)) == 1 and len({record.hurts for record in worse}) == 1:
        return f", and {who} are worse {where[0]}"
    if len(worse) < NAMED and all(len(record.hurts) <= NAMED for record in worse):
        (first, second), (here, there) = [record.label for record in worse], where
        return f", {first} is worse {here}, and {second} {there}"
    return f", and {who} are worse {places.at} some"


def _where(found: Sequence[str], places: Places, problems: int | None) -> str:
    """At which of so many places, or, of many, at how many."""
    if len(found) == problems:
        return f"{places.at} all of them"
    return f"{places.at} {listed(found) if len(found) <= NAMED else f'{len(found)} of them'}"


def _number(number: int, problems: int, places: Places) -> str:
    """At how many of the places something was shown."""
    if problems == 1:
        return f"the only {places.noun}"
    if number == problems:
        return f"both {places.many}" if problems == 2 else f"all {problems} {places.many}"
    return f"{number} of {problems} {places.many}"
