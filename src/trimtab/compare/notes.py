"""What a store's notes say of its problem, and what those of trimtab 0.1 said."""

from collections.abc import Mapping
from typing import Any

from trimtab.compare.plan import Plan
from trimtab.lab.commands.problem import command_facts
from trimtab.lab.training_facts import training_facts
from trimtab.study.facts import Facts
from trimtab.study.metric import Metric


def stored_facts(plan: Plan, notes: Mapping[str, Any]) -> Facts:
    """Returns what a reader has to know of the problem."""
    return Facts.from_dict(notes["facts"]) if "facts" in notes else _of_before(plan, notes["task"])


def _of_before(plan: Plan, task: Mapping[str, Any]) -> Facts:
    bounds = task.get("bounds")
    metric = Metric(task["metric"], task["direction"], task["target"], None if bounds is None else tuple(bounds))
    if task.get("kind") == "command":
        return command_facts(
            task["name"],
            task["reference"],
            metric,
            source=task["metric_source"],
            rate=task["rate"],
            timeout=task.get("timeout"),
        )
    return training_facts(
        task["name"],
        task["reference"],
        metric,
        samples=task["samples"],
        parameters=task["parameters"],
        batch_size=task["batch_size"],
        budget=plan.budget or 0,
    )
