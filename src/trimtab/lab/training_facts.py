"""What a reader has to know of a training task, in words."""

from collections.abc import Mapping
from dataclasses import replace

from trimtab.lab.measures import BATCH_SIZE, LEARNING_RATE, STATE_BYTES, STEP_SECONDS, STEPS, TEST_LOSS, TEST_METRIC
from trimtab.study.facts import TESTED_ONCE, Facts, Measure, Unit, Watched
from trimtab.study.metric import Metric
from trimtab.study.phrases import count

SAMPLE_GRADIENT = "A sample-gradient is the gradient of one sample's loss"

TIME = Measure(
    STEP_SECONDS,
    "ms a step",
    form="milliseconds",
    over="median",
    explanation="Median time of a step with its loss and gradient, as the workers ran: they shared the machine.",
    brief="ms/step",
    price="time",
    axis="milliseconds a step",
)
MEMORY = Measure(
    STATE_BYTES,
    "state",
    form="bytes",
    over="largest",
    unit="memory",
    explanation="Memory that the optimizer keeps between steps, beside the parameters and their gradients.",
    brief="state",
    price="memory",
    axis="bytes that the optimizer keeps",
)
WATCHED = (Watched(LEARNING_RATE, "learning rate"), Watched(BATCH_SIZE, "samples a batch"))


def training_facts(
    name: str,
    reference: str,
    metric: Metric,
    *,
    samples: Mapping[str, int],
    parameters: int,
    batch_size: int,
    budget: int,
) -> Facts:
    """Returns what a reader has to know.

    Args:
        name: of the task.
        reference: how the command line names it.
        metric: what is quoted.
        samples: number of samples by split.
        parameters: trainable parameters of the model.
        batch_size: samples a step.
        budget: sample-gradients of a run.
    """
    steps = budget // batch_size
    splits = ", ".join(f"{count(size, 'sample')} to {_purpose(split)}" for split, size in samples.items())
    full_name = name if name == reference else f"{name} ({reference})"
    return Facts(
        name=name,
        reference=reference,
        objective=Metric("validation loss", "min"),
        cost=Unit("sample-gradient", f"{SAMPLE_GRADIENT}: a step on {batch_size} costs {batch_size}."),
        quoted=replace(metric, name=f"validation {metric.name}"),
        step_cost=batch_size,
        rate="lr",
        rate_words="the learning rate",
        measures=(
            Measure(TEST_LOSS, "test loss"),
            Measure(
                TEST_METRIC, f"test {metric.name}", explanation="On data that had no part in any choice, by final runs."
            ),
            Measure(STEPS, "steps", form="whole", over="median"),
            TIME,
            MEMORY,
        ),
        watched=WATCHED,
        sizes=(
            ("steps a run", f"{steps:,} × {batch_size:,} samples"),
            ("parameters", f"{parameters:,}"),
            (
                f"samples to {' / '.join(map(_purpose, samples))}",
                " / ".join(f"{size:,}" for size in samples.values()),
            ),
        ),
        paragraphs=(("Task", f"{full_name}: {splits}; {count(parameters, 'trainable parameter')}."),),
        length=(
            f" and a budget of {count(budget, 'sample-gradient')}, which is {count(steps, 'plain step')} of "
            f"{count(batch_size, 'sample')}. {SAMPLE_GRADIENT}. A method that computes two gradients a step gets half "
            "the steps"
        ),
        ending=TESTED_ONCE,
    )


def _purpose(split: str) -> str:
    """What the samples of a split are there to do."""
    return {"train": "train on", "validation": "choose by"}.get(split, split)
