"""A comparison of a made-up problem that is neither a task nor commands: samplers that look for the highest hill.

The height is to be large, and ranks; how far away the summit is stands beside it. A run costs evaluations, nothing is
a rate, and the problem has measures of its own and watches one quantity.
"""

import math
from dataclasses import dataclass, field

from trimtab.compare.analysis import analyse
from trimtab.compare.plan import Plan
from trimtab.study.facts import Facts, Measure, Unit, Watched
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint, Outcome
from trimtab.study.tunable import LogUniform

FACTS = Facts(
    "hills",
    "hills(dimensions=2)",
    Metric("height", "max"),
    Unit("evaluation", "An evaluation climbs one hill."),
    quoted=Metric("distance", "min", bounds=(0, None)),
    measures=(
        Measure("regret", "regret", explanation="What the best hill has more."),
        Measure(
            "think seconds",
            "ms a proposal",
            form="milliseconds",
            over="median",
            explanation="Median time until a proposal is made.",
            brief="ms/prop",
            price="thinking",
            axis="milliseconds a proposal",
        ),
        Measure("hills", "hills", form="whole", over="median"),
    ),
    watched=(Watched("spread", "width of the proposals"),),
    sizes=(("dimensions", "2"),),
    paragraphs=(("Landscape", "hills: 2 dimensions."),),
    length=" and 20 evaluations",
    ending="The summit is known to nobody who looks for it.",
)

HEIGHTS = {"high": 9.0, "middle": 7.0, "low": 3.0}
SEEDS, TRIALS = 4, 3


@dataclass(frozen=True)
class Sampler:
    """What fills the slot."""

    label: str
    tunables: dict = field(default_factory=lambda: {"width": LogUniform(0.1, 10.0)})
    kind: str = "sampler"
    summary: str = "looks around"

    @property
    def title(self):
        return self.label.title()

    def settings(self, tuned):
        return dict(tuned)

    def code(self, tuned, total_steps=None):
        return f"{self.title}(width={tuned['width']:.3g})"


def third_kind():
    """Builds what is found of three samplers."""
    plan = Plan("hills", "hash", tuple(map(Sampler, HEIGHTS)), trials=TRIALS, seeds=SEEDS, budget=20)
    outcomes = {}
    for candidate in plan.candidates:
        for points in (plan.tuning_points, lambda c: plan.final_points(c, outcomes)):
            for point in points(candidate):
                outcomes[point.key] = _outcome(candidate.label, point)
    return analyse(plan, outcomes, FACTS, reference="middle", environment={"date": "2025-06-01"})


def _outcome(label, point):
    final = point.phase == "final"
    height = HEIGHTS[label] + 0.01 * math.sin(point.seed * (1 + len(label))) + 0.001 * point.index
    curve = tuple(CurvePoint(5 * i, None, -height * i / 4, 10.0 - height * i / 4) for i in range(5))
    measures = {"think seconds": 0.001 * (1 + len(label)), "hills": 20} | ({"regret": 10.0 - height} if final else {})
    traces = {"spread": ((0, 4.0), (10, 2.0), (20, 2.0))} if final and label == "high" else {}
    return Outcome(
        "complete", -height, 10.0 - height, cost=20, seconds=0.5, measures=measures, curve=curve, traces=traces
    )
