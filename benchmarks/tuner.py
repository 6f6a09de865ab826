r"""Whether a sampler in place of quasi-random points should tune inside ``trimtab compare``.

    nice -n 10 python benchmarks/tuner.py [--json benchmarks/recorded/tuner.json] [--runs RUNS.jsonl]
    python benchmarks/tuner.py --show benchmarks/recorded/tuner.json

This protocol was written, and committed, before the first run of it.

**Tasks** are ``digits`` (60 steps instead of 300), ``diabetes`` and ``breast-cancer`` (100 steps, as they ship).
**Candidates** are ``sgd``, ``adamw``, ``lion`` and ``adabelief``, each with its two default ranges. There are ten
**replications**: replication r has Halton's sequence scrambled with seed r, the tuning seeds 3 r, 3 r + 1 and 3 r + 2,
and the fresh seeds 1000 + 10 r to 1009 + 10 r, which are the same for all ways and candidates.

**Ways** to tune a candidate, each for the same sample-gradients:

* ``halton``, as now: 24 points once each, the best four of them with two further seeds, then up to four steps beyond
  the end of a range, with three seeds each (:mod:`trimtab.compare.tuning` itself); the lowest mean decides.
* ``recommend``: the runs of ``halton``, all of them; of their settings it is the one that
  ``trimtab.search.recommend(study)`` names, which has the best posterior mean of a Gaussian process.
* ``tpe`` and ``gp``: the first 12 of Halton's points, then three rounds of four, which Optuna's sampler suggests; what
  follows is as with ``halton``, with no more steps beyond a range than ``halton`` took there, so that it never costs
  more. Each round has a sampler of its own, with a seed that follows from replication, candidate and round, on a new
  study that holds the settings in the order of their numbers: nothing depends on who finishes first. A setting's value
  is the normal score of its rank, diverged runs behind all others; so one that nearly diverged says no more than that.
  The samplers are ``TPESampler(n_startup_trials=0, multivariate=True, constant_liar=True)`` and
  ``GPSampler(n_startup_trials=0)``, else with their defaults.

**Outcomes.** The chosen setting's validation loss at the end of runs with the ten fresh seeds. The gain of a way is
that of ``halton`` less its own, in standard deviations of the fresh seeds (of each candidate: the root of the mean
variance over all ways and replications), averaged over the candidates: one number a replication. Ten of them are tested
by the paired t test, which states the smallest effect that it would have found four times out of five. Regret is how
far a way lies above the best of all ways in its replication, in the same unit. Verdicts are those of the candidates
against ``adamw``, of the ten replications' mean losses, and their order by the mean over all replications; besides, it
is counted in how many replications a comparison with the ten fresh seeds gives a candidate the same verdict under two
ways, and under ``halton`` in one replication and the next. A fresh run that diverges counts as the worst loss that its
candidate had in any fresh run.

**What follows.** A way becomes an option if on two tasks at least its gain is larger than the smallest detectable
effect, and the verdicts and the order of candidates there are the same under ``tpe`` and ``gp`` (for ``recommend``: the
same as under ``halton``). Else it does not.

**What was cut** to stay near 25 minutes of one core: the length of runs on ``digits``, three cheap tasks without a
large one, two tuned settings a candidate. A way is tried with 24 settings alone; the default is 16, of which a sampler
would choose fewer.
"""

import argparse
import datetime
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import optuna
import torch
from scipy.stats import norm
from tuner_analysis import show

from trimtab.catalog.candidates import parse_candidates
from trimtab.compare.tuning import Tuning, may_go_on
from trimtab.lab.loading import load_problem
from trimtab.lab.problem import Workplace
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.tunable import quasi_random_settings

TASKS = {"digits": 60, "diabetes": None, "breast-cancer": None}
CANDIDATES = "sgd,adamw,lion,adabelief"
LABELS = tuple(CANDIDATES.split(","))
REPLICATIONS = 10
SETTINGS = 24
ROUND = 4
SEEDS = 3
FRESH = 10
SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True
    ),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=0),
}


class Runs:
    """Runs that were made, each once: ways share what they have in common.

    Kept in a file, a benchmark that was cut off goes on.

    Args:
        path: of the file, a line a run; ``None`` to keep nothing.
    """

    def __init__(self, path=None):
        self.path, self.known, self.problems, self.candidates = path, {}, {}, {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                *key, status, loss = json.loads(line)
                self.known[tuple(key)] = status, loss

    def loss(self, task, steps, label, settings, seed):
        """Returns the validation loss at the end of a run; ``None`` where it diverged."""
        key = (task, steps, label, json.dumps(settings), seed)
        if key not in self.known:
            self.known[key] = self._made(task, steps, label, settings, seed)
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([*key, *self.known[key]]) + "\n")
        return self.known[key][1]

    def _made(self, task, steps, label, settings, seed):
        if task not in self.problems:
            self.problems[task] = load_problem(task)
        if label not in self.candidates:
            (self.candidates[label],) = parse_candidates(label)
        problem = self.problems[task]
        outcome = problem.trial(
            self.candidates[label].build(settings),
            Point(problem.name, "tune", label, 0, settings, seed),
            budget=problem.budget(steps),
            report=lambda *_: None,
            place=Workplace(Path()),
        )
        return outcome.status, outcome.loss


@dataclass(frozen=True)
class Given(Tuning):
    """The tuning of a comparison, of settings that are given."""

    given: tuple = ()

    def first(self):
        """Returns the first run of every setting."""
        return [self._point(place, settings, 0) for place, settings in enumerate(self.given)]


@dataclass(frozen=True)
class Tuned:
    """What came of tuning: the choice, what ran, and how often a range went on."""

    chosen: dict
    runs: list
    steps: int


def tuned(tuning, loss, most_steps=math.inf):
    """Tunes a candidate as a comparison does, with so many steps beyond a range at most."""
    outcomes, standing = {}, None
    while standing is None or not standing.over:
        before, standing = standing, tuning.standing(outcomes)
        if len(standing.beyond) > most_steps:
            standing = before
            break
        for point in standing.points:
            if point.key not in outcomes:
                ended = loss(point.settings, point.seed)
                outcomes[point.key] = Outcome("diverged" if ended is None else "complete", loss=ended)
    best = standing.best(outcomes)
    runs = [(point.settings, point.seed, outcomes[point.key].loss) for point in standing.points]
    return Tuned(best.settings, runs, len(standing.beyond))


def in_rounds(tunables, count, scramble, make, loss):
    """Returns settings of which the first half are Halton's, and the others a sampler's, in rounds."""
    settings = quasi_random_settings(tunables, count // 2, scramble)
    space = {n: optuna.distributions.FloatDistribution(t.low, t.high, log=True) for n, t in tunables.items()}
    turn = 0
    while len(settings) < count:
        study = optuna.create_study(sampler=make(turn))
        for each, score in zip(settings, normal_scores([loss(each, 0) for each in settings]), strict=True):
            study.add_trial(optuna.create_trial(params=each, distributions=space, value=score))
        asked = [study.ask(space).params for _ in range(min(ROUND, count - len(settings)))]
        settings += [{name: each[name] for name in tunables} for each in asked]
        turn += 1
    return settings


def normal_scores(losses):
    """Returns the normal score of each loss's rank; diverged runs come last, in their order."""
    order = np.argsort([math.inf if loss is None else loss for loss in losses], kind="stable")
    ranks = np.empty(len(losses))
    ranks[order] = np.arange(1, len(losses) + 1)
    return norm.ppf((ranks - 0.375) / (len(losses) + 0.25)).tolist()


def recommended(runs, tunables):
    """Returns the setting of which a model of all runs expects most; ``None`` where that is not installed."""
    try:
        from trimtab.search import recommend
    except ImportError:
        return None
    ends = {n: [each[n] for each, _, _ in runs] for n in tunables}
    space = {
        n: optuna.distributions.FloatDistribution(min(t.low, *ends[n]), max(t.high, *ends[n]), log=True)
        for n, t in tunables.items()
    }
    study = optuna.create_study()
    worst = max(loss for _, _, loss in runs if loss is not None)
    for settings, _, loss in runs:
        value = worst if loss is None else loss
        study.add_trial(optuna.create_trial(params=settings, distributions=space, value=value))
    params = recommend(study).params
    return next(settings for settings, _, _ in runs if settings == params)


def replication(runs, task, steps, label, number, count=SETTINGS, fresh=FRESH):
    """Tunes a candidate in every way, and runs what was chosen with the fresh seeds."""
    (candidate,) = parse_candidates(label)
    tunables = candidate.tunables

    def loss(settings, seed):
        return runs.loss(task, steps, label, settings, SEEDS * number + seed)

    def tuning(given):
        return Given(task, label, tunables, count, SEEDS, may_go_on(tunables), given=tuple(given))

    halton = tuned(tuning(quasi_random_settings(tunables, count, number)), loss)
    found = {"halton": halton}
    chosen = recommended(halton.runs, tunables)
    if chosen is not None:
        found["recommend"] = Tuned(chosen, halton.runs, halton.steps)
    for way, sampler in SAMPLERS.items():

        def make(turn, sampler=sampler):
            entropy = [number, LABELS.index(label), turn]
            return sampler(int(np.random.SeedSequence(entropy).generate_state(1)[0]))

        found[way] = tuned(tuning(in_rounds(tunables, count, number, make, loss)), loss, halton.steps)
    seeds = range(1000 + FRESH * number, 1000 + FRESH * number + fresh)
    return {
        way: {
            "settings": each.chosen,
            "runs": len(each.runs),
            "steps": each.steps,
            "losses": [runs.loss(task, steps, label, each.chosen, seed) for seed in seeds],
        }
        for way, each in found.items()
    }


def measured(runs, tasks, replications, count=SETTINGS, fresh=FRESH):
    """Makes all runs; returns task to candidate to a list of replications."""
    found = {}
    for task, steps in tasks.items():
        found[task] = {label: [] for label in LABELS}
        for number in range(replications):
            for label in LABELS:
                found[task][label].append(replication(runs, task, steps, label, number, count, fresh))
            print(f"{task}: replication {number + 1} of {replications}, {time.process_time():.0f} s", flush=True)
    return found


def main():
    """Measures or shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=Path, help="a file that keeps the runs, so that the same command goes on")
    parser.add_argument("--show", type=Path, metavar="JSON")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    if options.show:
        show(json.loads(options.show.read_text(encoding="utf-8")))
        return
    found = measured(Runs(options.runs), TASKS, REPLICATIONS)
    environment = {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "torch": torch.__version__,
        "optuna": optuna.__version__,
        "processor_seconds": round(time.process_time()),
    }
    facts = {"command": "python benchmarks/tuner.py --json benchmarks/recorded/tuner.json", "environment": environment}
    facts |= {"steps": TASKS, "settings": SETTINGS, "found": found}
    if options.json:
        options.json.write_text(json.dumps(facts) + "\n", encoding="utf-8")
    show(facts)


if __name__ == "__main__":
    main()
