"""Advice on another batch size in words: what to do, which regime holds and why, how sure that is."""

from trimtab.report.numbers import MISSING, setting, significant
from trimtab.schedule.rmt_scaling.scaling_advice import RULES, ScalingAdvice


def conclusion(advice: ScalingAdvice) -> list[str]:
    """Returns what to do and why, the most important sentence first."""
    return [_headline(advice), _regime(advice), _momentum(advice), _damping(advice)]


def cautions(advice: ScalingAdvice) -> list[str]:
    """Returns what the advice rests on."""
    return [each for each in (_wigner(advice), _rate_is_large(advice), _adaptive(advice), _when(advice)) if each]


def rows(advice: ScalingAdvice) -> list[tuple[str, str, str]]:
    """Returns quantities, each at the one and at the other batch size."""
    begin, end = advice.from_batch, advice.to_batch
    bounds = tuple(significant(rate, 3) for rate in advice.largest_lr)
    return [
        ("learning rate", _rate(advice.given_lr), _rate(advice.lr)),
        ("its factor", "1", significant(advice.factor, 3)),
        ("heavy-ball momentum", MISSING, significant(advice.momentum, 3)),
        ("damping, factor", "1", significant(advice.damping, 3)),
        ("largest stable rate, plain SGD", bounds[0], bounds[1]),
        ("largest curvature of a batch", significant(advice.largest(begin), 3), significant(advice.largest(end), 3)),
    ]


def facts(advice: ScalingAdvice) -> list[tuple[str, str]]:
    """Returns the few facts that a reader wants first, name and value."""
    return [
        ("optimizer", advice.optimizer),
        ("batch", f"{advice.from_batch:,} → {advice.to_batch:,} samples"),
        ("knee", f"{_samples(advice.knee)}"),
        ("training data", f"{advice.samples:,} samples"),
        ("parameters", f"{advice.parameters:,}"),
        ("measured after", f"{advice.steps:,} steps"),
        ("measured on", f"{advice.curvature_batch:,} samples"),
        ("largest curvature", significant(advice.laws[0].eigenvalue, 3)),
    ]


def _samples(number: float) -> str:
    return f"{significant(number, 2) if number < 100 else f'{number:,.0f}'} samples"


def _rate(value: float | None) -> str:
    return MISSING if value is None else setting(value)


def _headline(advice: ScalingAdvice) -> str:
    ends = f"From {advice.from_batch:,} to {advice.to_batch:,} samples a batch"
    if advice.given_lr is not None:
        return (
            f"{ends}, multiply the learning rate by {significant(advice.factor, 3)}: from {_rate(advice.given_lr)} to "
            f"{_rate(advice.lr)}."
        )
    if advice.lr is not None:
        return (
            f"{ends}, a learning rate grows by the factor {significant(advice.factor, 3)}; start at "
            f"{_rate(advice.lr)} with momentum {significant(advice.momentum, 3)}."
        )
    return f"{ends}, multiply the learning rate by {significant(advice.factor, 3)}."


def _regime(advice: ScalingAdvice) -> str:
    grows = "in proportion to the batch" if RULES[advice.optimizer] == "sgd" else "with the square root of the batch"
    knee = _samples(advice.knee)
    if advice.regime == "noise":
        return (
            f"Both batches are below the knee of {knee}: the noise of a batch's curvature limits the rate, which goes "
            f"about {grows}."
        )
    if advice.regime == "curvature":
        return (
            f"Both batches are above the knee of {knee}: a batch shows nearly the curvature of all the data, and a "
            "larger one makes hardly a larger rate stable."
        )
    return (
        f"The knee of {knee} lies between the two: below it noise limits the rate, which goes {grows}; beyond, the "
        "curvature of all the data does, and the rate stays. The change is gradual."
    )


def _momentum(advice: ScalingAdvice) -> str:
    if advice.momentum is None:
        return "Heavy-ball momentum is not for this optimizer; its own averages may stay."
    return (
        f"Heavy-ball momentum {significant(advice.momentum, 3)} is what a quadratic with curvatures from "
        f"{significant(advice.smallest, 2)} to {significant(advice.largest(advice.to_batch), 3)} asks for; the least "
        "of them is uncertain, and momentum with it."
    )


def _damping(advice: ScalingAdvice) -> str:
    return (
        f"The damping of a second-order method, if there is one, is multiplied by {significant(advice.damping, 3)} "
        f"with that rate, and by {significant(advice.from_batch / advice.to_batch, 3)} if the rate stays."
    )


def _wigner(advice: ScalingAdvice) -> str:
    law = advice.laws[1]
    first = law.outlier_from
    lost = first is None or min(advice.from_batch, advice.to_batch) < first
    where = "is lost in the noise of the smaller batch" if lost else "stands out of the noise of both batches"
    return (
        "The advice follows Marchenko and Pastur's law for the Gauss-Newton matrix. By Wigner's law for the Hessian, "
        f"whose noise is spread evenly over all elements, the largest eigenvalue {where}, and the knee would be at "
        f"{_samples(law.knee)}. In networks noise is not spread evenly but strongest where curvature is, so that "
        "Wigner's law finds too little of it."
    )


def _rate_is_large(advice: ScalingAdvice) -> str:
    given, bound = advice.given_lr, advice.largest_lr[0]
    if given is None or RULES[advice.optimizer] != "sgd" or given <= bound:
        return ""
    return (
        f"The rate of {_rate(given)} is above {_rate(bound)}, what plain SGD stands at "
        f"{advice.from_batch:,} samples by this measurement. Momentum, and curvature that gives way, allow more; how "
        "much does not follow from here."
    )


def _adaptive(advice: ScalingAdvice) -> str:
    if RULES[advice.optimizer] != "adaptive":
        return ""
    beyond = (advice.to_batch / advice.from_batch) ** 0.5
    return (
        "For adaptive methods the square root is a sketch. On a small network the largest stable rate of Adam was seen "
        f"to go on with the square root beyond the knee, with which the factor were {significant(beyond, 3)}: try both."
    )


def _when(advice: ScalingAdvice) -> str:
    if advice.steps:
        return f"Curvature changes as training goes on; this is what it is after {advice.steps:,} steps."
    return "Curvature changes as training goes on, most of all in the first steps; --steps 100 measures it after these."
