"""How far off the remaining time is that progress and `trimtab status` show.

Comparisons that were run are run again in thought: the same trials with the same durations, in an order that differs
from seed to seed, on so many workers, by a clock that jumps from event to event. When a tenth, a half and nine tenths
of the trials are done, the estimate is compared with the time that it then takes.

    python benchmarks/remaining_time.py runs/digits runs/other ...

Without directories it makes up comparisons whose candidates differ and of whose tuning trials some end early.
"""

import heapq
import itertools
import random
import statistics
import sys
from pathlib import Path

from trimtab.compare.stored import load_any
from trimtab.study.ledger import Ledger
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point

MOMENTS = (0.1, 0.5, 0.9)
SEEDS = range(20)


def recorded(directory):
    """Returns candidate to the outcomes of its tuning trials, and of its final runs."""
    result = load_any(Path(directory))
    return {
        candidate.label: tuple(
            [Outcome(t.status, t.loss, seconds=t.seconds) for t in result.trials if (t.candidate, t.phase) == which]
            for which in ((candidate.label, "tune"), (candidate.label, "final"))
        )
        for candidate in result.candidates
    }


def made_up(random_, trials=16, seeds=5):
    """Returns the same for four candidates: mean durations differ tenfold, a quarter of the trials end early."""
    found = {}
    for number in range(4):
        mean = 60 * 10 ** random_.uniform(-0.5, 0.5)

        def outcome(tuning, mean=mean):
            whole = mean * random_.lognormvariate(0, 0.1)
            if tuning and random_.random() < 0.25:
                return Outcome("diverged", seconds=random_.uniform(0.05, 0.6) * whole)
            return Outcome("complete", 1.0, seconds=whole)

        found[f"c{number}"] = ([outcome(True) for _ in range(trials)], [outcome(False) for _ in range(seeds)])
    return found


def replay(candidates, workers, random_):
    """Returns moment to the estimate and the truth."""
    seeds = max(len(final) for _, final in candidates.values())
    outcomes, points = {}, []
    for label, (tried, _) in candidates.items():
        tuning = random_.sample(tried, len(tried))
        group = [Point("replay", "tune", label, index, {}, 0) for index in range(len(tuning))]
        outcomes |= {point.key: outcome for point, outcome in zip(group, tuning, strict=True)}
        points += group
    points.sort(key=lambda point: point.index)
    now, done, running, queue, seen = 0.0, {}, [], list(points), {}
    order = itertools.count()  # between trials that end at once
    ledger = Ledger(lambda: seeds, clock=lambda: now, workers=workers)
    ledger.plan(points, {})
    while queue or running:
        while queue and len(running) < workers:
            point = queue.pop(0)
            heapq.heappush(running, (now + outcomes[point.key].seconds, next(order), point))
            ledger.start(point)
        now, _, point = heapq.heappop(running)
        done[point.key] = outcomes[point.key]
        ledger.finish(point, done[point.key])
        label = point.candidate
        if point.phase == "tune" and ledger.groups["replay", label].tuned:
            final = candidates[label][1]
            finals = [Point("replay", "final", label, i, {}, 1000 + i) for i in range(len(final))]
            outcomes |= {p.key: outcome for p, outcome in zip(finals, final, strict=True)}
            points += finals
            queue += finals
            ledger.plan(points, done)
        for moment in MOMENTS:
            if moment not in seen and ledger.done >= moment * ledger.total:
                seen[moment] = (ledger.remaining(), now)
    return {moment: (left, now - at) for moment, (left, at) in seen.items()}


def errors(candidates_of, workers):
    """Returns moment to relative errors of the middle, and to how often the truth was in the range."""
    off, inside = {m: [] for m in MOMENTS}, {m: [] for m in MOMENTS}
    for seed in SEEDS:
        random_ = random.Random(seed)
        for moment, (left, truth) in replay(candidates_of(random_), workers, random_).items():
            off[moment].append(left.seconds / truth - 1)
            inside[moment].append(left.low <= truth <= left.high)
    return off, inside


def main(directories):
    sources = {directory: recorded(directory) for directory in directories}
    makers = {name: (lambda _, found=found: found) for name, found in sources.items()} or {"made up": made_up}
    print("source, workers, trials done: error of the middle (median of absolute, worst); truth within the range")
    for name, maker in makers.items():
        for workers in (1, 2, 8):
            off, inside = errors(maker, workers)
            for moment in MOMENTS:
                sizes = [abs(each) for each in off[moment]]
                print(
                    f"{name}, {workers}, {moment:.0%}: {statistics.median(sizes):.0%}, {max(sizes):.0%}; "
                    f"{statistics.mean(off[moment]):+.0%} in the mean; {statistics.mean(inside[moment]):.0%}"
                )


if __name__ == "__main__":
    main(sys.argv[1:])
