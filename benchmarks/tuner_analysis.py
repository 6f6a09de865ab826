"""What the runs of ``benchmarks/tuner.py`` show, by the protocol that stands there."""

import math

import numpy as np

from trimtab.compare.pairs import compare_losses
from trimtab.study.statistics.paired import paired_difference

REFERENCE = "adamw"
SAMPLERS = ("tpe", "gp")
WAYS = ("halton", "recommend", *SAMPLERS)


def analysed(found):
    """Returns what the losses of a task's chosen settings show.

    Args:
        found: candidate to a list of replications, each of which has what was chosen in every way.
    """
    ways = [way for way in WAYS if way in next(iter(found.values()))[0]]
    losses = {label: {way: _finite(rows, way) for way in ways} for label, rows in found.items()}
    unit = {
        label: math.sqrt(np.mean([each.var(axis=1, ddof=1).mean() for each in by.values()]))
        for label, by in losses.items()
    }
    means = {way: {label: by[way].mean(axis=1) for label, by in losses.items()} for way in ways}
    least = {label: np.min([means[way][label] for way in ways], axis=0) for label in found}
    shown = {}
    for way in ways:
        gains = {label: (means["halton"][label] - mean) / unit[label] for label, mean in means[way].items()}
        test = paired_difference(together := np.mean(list(gains.values()), axis=0), np.zeros(len(together)))
        rows = [row for label in found for row in found[label]]
        shown[way] = {
            "runs": float(np.mean([row[way]["runs"] for row in rows])),
            "diverged": sum(loss is None for row in rows for loss in row[way]["losses"]),
            "same_choice": float(np.mean([row[way]["settings"] == row["halton"]["settings"] for row in rows])),
            "regret": float(np.mean([(each - least[label]) / unit[label] for label, each in means[way].items()])),
            "gain": test.mean,
            "interval": (test.low, test.high),
            "p_value": test.p_value,
            "smallest_detectable": test.smallest_detectable,
            "gains": {label: float(each.mean()) for label, each in gains.items()},
            "order": sorted(found, key=lambda label: means[way][label].mean()),
            "verdicts": verdicts(means[way]),
        }
    return {"unit": unit, "ways": shown, "agreement": _agreement(losses, ways)}


def _agreement(losses, ways):
    """Returns how often single comparisons, a replication each, give a candidate the same verdict."""
    count = len(next(iter(losses.values()))["halton"])
    each = {
        way: [verdicts({label: by[way][number] for label, by in losses.items()}) for number in range(count)]
        for way in ways
    }
    found = {}
    for place, one in enumerate(ways):
        for other in ways[place + 1 :]:
            found[f"{one} and {other}"] = _equal(each[one], each[other])
    found["halton and halton in the next replication"] = _equal(each["halton"], each["halton"][1:] + each["halton"][:1])
    return found


def _finite(rows, way):
    """An array of fresh losses, a row a replication; what diverged counts as the candidate's worst loss."""
    worst = max(loss for row in rows for each in row.values() for loss in each["losses"] if loss is not None)
    return np.array([[worst if loss is None else loss for loss in row[way]["losses"]] for row in rows])


def verdicts(losses):
    """Returns candidate to verdict against the reference."""
    return {pair.first: pair.verdict for pair in compare_losses(losses, reference=REFERENCE)}


def _equal(one, other):
    return float(np.mean([a[label] == b[label] for a, b in zip(one, other, strict=True) for label in a]))


def decided(analyses):
    """Returns on which tasks each way is worth an option by the protocol."""
    found = {}
    for way in WAYS[1:]:
        partner = {"recommend": ("recommend", "halton")}.get(way, tuple(SAMPLERS))
        found[way] = [
            task
            for task, each in analyses.items()
            if way in each["ways"]
            and each["ways"][way]["gain"] > each["ways"][way]["smallest_detectable"]
            and all(each["ways"][partner[0]][what] == each["ways"][partner[1]][what] for what in ("order", "verdicts"))
        ]
    return found


def markdown(facts):
    """Returns the table of the page on comparisons."""
    rows = [
        "| task | way | runs | regret | gain (95 %) | smallest detectable | better than AdamW, worse | order |",
        "|---|---|---:|---:|---:|---:|---|---|",
    ]
    for task, found in facts["found"].items():
        for way, row in analysed(found)["ways"].items():
            gain = "" if way == "halton" else "{:+.2f} ({:+.2f} to {:+.2f})".format(row["gain"], *row["interval"])
            least = "" if way == "halton" else f"{row['smallest_detectable']:.2f}"
            told = (
                ", ".join(label for label, verdict in row["verdicts"].items() if verdict == wanted) or "–"
                for wanted in ("helps", "hurts")
            )
            cells = (task, way, f"{row['runs']:.1f}", f"{row['regret']:.2f}", gain, least, "; ".join(told))
            rows.append(f"| {' | '.join(cells)} | {', '.join(row['order'])} |")
    return "\n".join(rows)


def show(facts):
    """Prints what was found."""
    analyses = {task: analysed(found) for task, found in facts["found"].items()}
    for task, each in analyses.items():
        print(f"\n{task}, in standard deviations of the fresh seeds")
        print(f"  {'way':9}  runs  regret   gain            (95 %)  detectable  p      same choice  diverged")
        for way, row in each["ways"].items():
            low, high = row["interval"]
            print(
                f"  {way:9} {row['runs']:5.1f} {row['regret']:7.2f} {row['gain']:+6.2f} "
                f"{f'({low:+.2f} to {high:+.2f})':>17} {row['smallest_detectable']:11.2f}  {row['p_value']:.3f} "
                f"{row['same_choice']:11.0%} {row['diverged']:9}"
            )
        for way, row in each["ways"].items():
            gains = ", ".join(f"{label} {gain:+.2f}" for label, gain in row["gains"].items())
            print(f"  {way:9} {' < '.join(row['order'])}; {row['verdicts']}; gains {gains}")
        print("  the same verdict in single comparisons:")
        for pair, share in each["agreement"].items():
            print(f"    {pair}: {share:.0%}")
    print(f"\n{markdown(facts)}\n")
    for way, tasks in decided(analyses).items():
        print(f"{way}: worth an option on {len(tasks)} of {len(analyses)} tasks: {', '.join(tasks) or 'none'}")
