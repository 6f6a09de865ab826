"""A comparison made up from formulas, with everything in it that a report has to cope with."""

import dataclasses
import math
import statistics as standard_statistics
from dataclasses import dataclass

import numpy as np

from trimtab.compare.conclusion import conclude
from trimtab.compare.over_problems.analysis import analyse_over_problems
from trimtab.compare.pairs import between, compared_pairs
from trimtab.compare.result import CandidateResult, ComparisonResult, Interval, Protocol, TrialResult
from trimtab.lab.measures import STATE_BYTES, STEP_SECONDS, STEPS, TEST_LOSS, TEST_METRIC
from trimtab.lab.training_facts import training_facts
from trimtab.lab.transforms.pruned import STORED
from trimtab.lab.transforms.pruned_digits import PrunedDigits
from trimtab.lab.transforms.run import BEFORE
from trimtab.study import statistics
from trimtab.study.facts import SECONDS
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint

HOSTILE = "</script><b>bold</b><img src=x onerror=alert(1)>"
TRACEBACK = f'Traceback (most recent call last):\n  File "task.py", line 3, in losses\nRuntimeError: {HOSTILE} & more'
BATCH = 64
BUDGET = 12_800
FIRST_FINAL_SEED = 1000


@dataclass(frozen=True)
class Shape:
    """How well a made-up candidate does."""

    label: str
    title: str
    kind: str
    loss: float
    best_rate: float
    milliseconds: float
    state_bytes: int
    noise: float = 0.004


SHAPES = (
    Shape("adabelief", "AdaBelief", "method", 0.0858, 2e-3, 1.31, 2_141_696),
    Shape("lion", "Lion", "method", 0.0861, 4e-4, 1.07, 1_070_848),
    Shape("nadam", "NAdam", "baseline", 0.0975, 1e-3, 1.52, 2_141_704, noise=0.008),
    Shape("adamw", "AdamW", "baseline", 0.0979, 1e-3, 1.24, 2_141_704),
    Shape("sgd", "SGD with Nesterov momentum", "baseline", 0.1342, 4e-2, 0.98, 1_070_848),
    Shape("radam(betas=(0.95, 0.999), weight_decay=0.01)", "RAdam", "baseline", 0.11, 1e-3, 1.49, 2_141_704),
)
BROKEN = SHAPES[-1].label


def comparison(shapes=SHAPES, *, seeds=10, trials=12, broken=(BROKEN,), reference="adamw", unit=1.0, drift=0.006):
    """Builds a comparison of ``shapes``; the final runs of ``broken`` ones partly fail, so that they have no rank.

    All losses are multiplied by ``unit``; seeds share a scatter of ``drift``.
    """
    random = np.random.default_rng(0)
    shared = random.normal(0, drift, size=seeds)  # what the seeds share makes pairing worthwhile
    runs = {}
    for shape in shapes:
        runs[shape.label] = [
            *(_tuning(shape, i, trials) for i in range(trials)),
            *(
                _final(shape, i, float(shared[i]), random, failing=shape.label in broken and i < 3)
                for i in range(seeds)
            ),
        ]
    runs = {label: [_in_unit(run, unit) for run in own] for label, own in runs.items()}
    ranked = [shape.label for shape in shapes if shape.label not in broken]
    pairs = compared_pairs({label: _final_losses(runs[label]) for label in ranked}) if seeds > 1 else ()
    results = [_candidate(shape, runs[shape.label], ranked, pairs, reference) for shape in shapes]
    results.sort(key=lambda c: (c.rank is None, c.rank or 0, c.loss.mean if c.loss else math.inf))
    problem = facts()
    return ComparisonResult(
        problem=problem,
        protocol=Protocol(trials, seeds, BUDGET // BATCH, BUDGET, 0, FIRST_FINAL_SEED, None),
        environment={
            "date": "2025-06-01",
            "python": "3.11.4",
            "processor": "Example CPU, 2 cores used",
            "torch": "2.9",
        },
        reference=reference,
        target="validation accuracy >= 0.97",
        conclusion=conclude(results, pairs, reference, seeds, problem),
        candidates=tuple(results),
        pairs=pairs,
        trials=tuple(trial for shape in shapes for trial in runs[shape.label]),
    )


def many_trials(candidates=20, *, trials=240, seeds=10, last=None):
    """Builds a comparison with 5,000 trials, as many as a page has to cope with; ``last`` is the last one's label."""
    variants = [
        dataclasses.replace(
            SHAPES[place % 5],
            label=SHAPES[place % 5].label + (f"(weight_decay={place / 1000})" if place >= 5 else ""),
            loss=SHAPES[place % 5].loss * (1 + place / 100),
        )
        for place in range(candidates)
    ]
    if last is not None:
        variants[-1] = dataclasses.replace(variants[-1], label=last)
    return comparison(tuple(variants), trials=trials, seeds=seeds, broken=())


COSTS = {
    "digits": {"adabelief": 640, "lion": 1280, "nadam": 1280, "adamw": 1600, "sgd": 6400, BROKEN: None},
    "diabetes": {"adabelief": 1600, "lion": 640, "nadam": 640, "adamw": 640, "sgd": None, BROKEN: None},
    HOSTILE: dict.fromkeys(shape.label for shape in SHAPES),
}
"""Cost to the target, by problem; nobody reaches the last one's."""


def over_problems(problems=tuple(COSTS), unfinished=(), *, never=False):
    """Builds a comparison over problems, the last of which has markup for a name; perhaps nobody reaches a target."""
    results = {}
    for name in problems:
        result = comparison(seeds=5 if name == "diabetes" else 10)
        candidates = tuple(
            dataclasses.replace(c, cost_to_target=None if never else COSTS[name][c.label]) for c in result.candidates
        )
        problem = dataclasses.replace(result.problem, name=name)
        results[name] = dataclasses.replace(result, problem=problem, candidates=candidates)
    return analyse_over_problems(results, unfinished, "adamw")


def pruned(labels=("lamp", "magnitude", "mine.py:my_pruning", "mine.py:my_pruning(first=0.8)")):
    """Builds a comparison of transforms, of which all store the same; the last one's first final runs failed."""
    shapes = [dataclasses.replace(shape, label=label) for shape, label in zip(SHAPES, labels, strict=False)]
    whole = comparison(tuple(shapes), broken=(labels[-1],), reference=labels[0])
    before = {TEST_LOSS: Interval(0.0742, 0.0531, 0.1049), BEFORE: Interval(0.57, 0.302, 1.071)}
    candidates = tuple(
        dataclasses.replace(
            c,
            settings={"finetune_lr": 0.00397},
            measures={**c.measures, **before},
            prices={STORED: 43_312.0, SECONDS: 7.88 + place},
            cost_to_target=0,
        )
        for place, c in enumerate(whole.candidates)
    )
    problem = PrunedDigits().facts("pruned-digits", (), None)
    return dataclasses.replace(whole, problem=problem, candidates=candidates)


def lonely():
    """Builds the smallest comparison: one candidate, one seed, nothing that needs two."""
    return comparison((SHAPES[3],), seeds=1, trials=1, broken=())


def unfinished():
    """Builds what there is when the first tuning trials are running: no trial, no rank, no number."""
    whole = comparison()
    empty = dict.fromkeys(("rank", "verdict", "against_reference", "loss", "metric"))
    candidates = tuple(
        CandidateResult(
            **empty,
            label=c.label,
            title=c.title,
            kind=c.kind,
            summary=c.summary,
            settings={},
            note="not ranked yet: 0 of 12 tuning trials are finished",
            final_losses=(),
            tuned_loss=None,
            cost_to_target=None,
            reached_target=0,
            rate_decades=None,
            measures={},
            prices={},
            trouble={},
            code="",
        )
        for c in whole.candidates
    )
    return ComparisonResult(
        problem=whole.problem,
        protocol=whole.protocol,
        environment=whole.environment,
        reference=whole.reference,
        target=whole.target,
        conclusion=conclude(candidates, (), whole.reference, whole.protocol.seeds, whole.problem),
        candidates=candidates,
        pairs=(),
        trials=(),
    )


def facts(name="digits"):
    """Returns what a reader has to know of the problem of all this."""
    samples = {"train": 1077, "validation": 360, "test": 360}
    metric = Metric("accuracy", "max", 0.97)
    return training_facts(name, name, metric, samples=samples, parameters=133_898, batch_size=BATCH, budget=BUDGET)


def _curve(loss, seed, start=2.31):
    bumps = np.random.default_rng(seed).normal(0, 0.03, size=21)
    points = []
    for step in range(21):
        value = loss + (start - loss) * math.exp(-step / 2.4) * (1 + bumps[step] * (0 < step < 20))
        accuracy = 1 - 0.9 * (value - 0.3 * loss) / start
        points.append(CurvePoint(step * BUDGET // 20, None if step == 0 else value * 0.9, value, min(1.0, accuracy)))
    points[-1] = CurvePoint(BUDGET, loss * 0.9, loss, 1 - 0.27 * loss)
    return tuple(points)


def _settings(shape, index, count):
    place = (index * 0.618) % 1
    rate = shape.best_rate * 10 ** (3 * (place - 0.5))
    return {"lr": rate, "weight_decay": 10 ** (-4 + 3 * ((index * 0.755) % 1))}


def _tuning(shape, index, count):
    settings = _settings(shape, index, count)
    distance = math.log10(settings["lr"] / shape.best_rate)
    key = f"digits/tune/{shape.label}/{index}"
    if distance > 1.2:
        error = "the loss stopped being finite at step 17: nan"
        return _trial(shape, key, "tune", 0, settings, "diverged", None, _curve(2.4, index)[:3], error)
    if shape.label in (BROKEN, "sgd") and index == 5:
        return _trial(shape, key, "tune", 0, settings, "failed", None, (), TRACEBACK)
    loss = shape.loss * (1 + 0.05 * abs(math.sin(index))) + 0.35 * distance**2 * (3 if distance > 0 else 1)
    return _trial(shape, key, "tune", 0, settings, "complete", loss, _curve(loss, index))


def _final(shape, index, drift, random, *, failing):
    settings = {"lr": shape.best_rate, "weight_decay": 0.0123}
    key = f"digits/final/{shape.label}/{index}"
    loss = shape.loss + drift + shape.noise * float(random.normal())
    if failing:
        return _trial(shape, key, "final", FIRST_FINAL_SEED + index, settings, "failed", None, (), TRACEBACK)
    return _trial(shape, key, "final", FIRST_FINAL_SEED + index, settings, "complete", loss, _curve(loss, 77 + index))


def _trial(shape, key, phase, seed, settings, status, loss, curve, error=None):
    complete, tested = status == "complete", status == "complete" and phase == "final"
    return TrialResult(
        key=key,
        candidate=shape.label,
        phase=phase,
        seed=seed,
        settings=settings,
        status=status,
        loss=loss,
        metric=curve[-1].metric if complete else None,
        cost=curve[-1].cost if curve else 0,
        seconds=0.7 if curve else 0.02,
        error=error,
        curve=curve,
        measures=(
            ({TEST_LOSS: loss * 1.04, TEST_METRIC: curve[-1].metric - 0.004} if tested else {})
            | {STEPS: curve[-1].cost // BATCH if curve else 0}
            | ({STEP_SECONDS: shape.milliseconds / 1000} if curve else {})
        ),
    )


def _in_unit(run, unit):
    def scaled(loss):
        return None if loss is None else unit * loss

    curve = [dataclasses.replace(p, loss=unit * p.loss, train_loss=scaled(p.train_loss)) for p in run.curve]
    measures = {name: unit * value if name == TEST_LOSS else value for name, value in run.measures.items()}
    return dataclasses.replace(run, loss=scaled(run.loss), measures=measures, curve=tuple(curve))


def _final_losses(runs):
    return [run.loss for run in runs if run.phase == "final"]


def _interval(values):
    known = [value for value in values if value is not None]
    mean, low, high = statistics.mean_interval(known)
    return Interval(mean, low, high) if len(known) > 1 else Interval(mean, None, None)


def _candidate(shape, runs, ranked, pairs, reference):
    finals = [run for run in runs if run.phase == "final"]
    tuned = min((run for run in runs if run.phase == "tune" and run.loss is not None), key=lambda run: run.loss)
    pair = between(pairs, shape.label, reference)
    better = [p for p in pairs if p.p_value < 0.05 and (p.second if p.improvement > 0 else p.first) == shape.label]
    reached = [p for run in finals for p in run.curve if p.metric >= 0.97]
    note = "" if shape.label in ranked else "not ranked: 3 of 10 final runs failed"
    if shape.label == "sgd":
        note = "the best lr is the most extreme that was tried: a wider range may do better"
    return CandidateResult(
        label=shape.label,
        title=shape.title,
        kind=shape.kind,
        summary=f"What {shape.title} does, in a line.",
        settings={"momentum": 0.9, **finals[0].settings},
        rank=1 + len(better) if shape.label in ranked else None,
        note=note,
        verdict=None if pair is None else pair.verdict,
        against_reference=pair,
        loss=_interval([run.loss for run in finals]),
        metric=_interval([run.metric for run in finals]),
        final_losses=tuple(run.loss for run in finals),
        tuned_loss=tuned.loss,
        cost_to_target=standard_statistics.median(p.cost for p in reached) if reached else None,
        reached_target=sum(any(p.metric >= 0.97 for p in run.curve) for run in finals),
        rate_decades=0.42,
        measures={name: _interval([run.measures.get(name) for run in finals]) for name in (TEST_LOSS, TEST_METRIC)},
        prices={SECONDS: 0.7, STEPS: 200, STEP_SECONDS: shape.milliseconds / 1000, STATE_BYTES: shape.state_bytes},
        trouble={s: n for s in ("diverged", "failed", "pruned") if (n := sum(run.status == s for run in runs))},
        code=f"from trimtab.optim import {shape.title.split()[0]}\n\n"
        f"optimizer = {shape.title.split()[0]}(model.parameters(), lr={shape.best_rate:.3g}, weight_decay=0.0123)",
    )
