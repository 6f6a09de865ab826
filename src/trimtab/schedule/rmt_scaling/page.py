"""Advice on another batch size in words: what to do, which regime holds and why, how sure that is."""

import json

from trimtab.schedule.rmt_scaling.rmt_scaling import EXPONENTS
from trimtab.schedule.rmt_scaling.scaling_advice import RULES, Law, ScalingAdvice
from trimtab.study.numbers import MISSING, setting, significant
from trimtab.study.pages import Axis, Column, Figure, Line, Marked, Page, Paragraphs, Row, Section, Table

SCHEMA = "trimtab.scaling"
SCHEMA_VERSION = 1
"""Grows when a field is renamed, removed or changes its meaning; not when one is added."""

FILE = "scaling.json"
"""Name of the file that holds the numbers."""

_MATRICES = {"ggn": "Gauss-Newton matrix", "hessian": "Hessian"}
_HOVER = "{x} samples: {y}"
_SOURCE = (
    "Granziol, Zohren and Roberts, ",
    Marked("Learning Rates as a Function of Batch Size: A Random Matrix Theory Approach to Neural Network Training"),
    ", 2020, arXiv:2006.09092.",
)


def scaling_page(advice: ScalingAdvice) -> Page:
    """Returns what a reader is shown of advice."""
    return Page(
        title=f"{advice.task}: from {advice.from_batch} to {advice.to_batch} samples a batch",
        brand="scaling",
        heading=(f"A batch of {advice.to_batch:,} on ", Marked(advice.task)),
        conclusion=tuple(conclusion(advice)),
        facts=_facts(advice),
        sections=(
            Section("settings", "Settings", "Settings", (_settings(advice),)),
            Section("figures", "Rate against batch size", "Figure", (largest_rates(advice),)),
            Section("method", "What it rests on", "Method", (Paragraphs((*cautions(advice), _SOURCE)),)),
        ),
        data_file=FILE,
        cautions=tuple(cautions(advice)),
    )


def to_json(advice: ScalingAdvice) -> str:
    """Returns advice as strict JSON, the reasons in words included."""
    values = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        **advice.to_dict(),
        "conclusion": conclusion(advice),
        "cautions": cautions(advice),
    }
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def conclusion(advice: ScalingAdvice) -> list[str]:
    """Returns what to do and why, the most important sentence first."""
    return [_headline(advice), _regime(advice), _momentum(advice), _damping(advice)]


def cautions(advice: ScalingAdvice) -> list[str]:
    """Returns what the advice rests on."""
    return [each for each in (_wigner(advice), _rate_is_large(advice), _adaptive(advice), _when(advice)) if each]


def _settings(advice: ScalingAdvice) -> Table:
    """Quantities, each at the one and at the other batch size."""
    begin, end = advice.from_batch, advice.to_batch
    columns = (
        Column("quantity", text=True, brief=advice.task),
        Column(f"at {begin:,} samples", brief=f"batch {begin:,}"),
        Column(f"at {end:,} samples", brief=f"batch {end:,}", strong=True),
    )
    bounds = tuple(significant(rate, 3) for rate in advice.largest_lr)
    rows = (
        ("learning rate", _rate(advice.given_lr), _rate(advice.lr)),
        ("its factor", "1", significant(advice.factor, 3)),
        ("heavy-ball momentum", MISSING, significant(advice.momentum, 3)),
        ("damping, factor", "1", significant(advice.damping, 3)),
        ("largest stable rate, plain SGD", bounds[0], bounds[1]),
        ("largest curvature of a batch", significant(advice.largest(begin), 3), significant(advice.largest(end), 3)),
    )
    return Table(columns, tuple(Row(cells) for cells in rows))


def _facts(advice: ScalingAdvice) -> tuple[tuple[str, str], ...]:
    return (
        ("optimizer", advice.optimizer),
        ("batch", f"{advice.from_batch:,} → {advice.to_batch:,} samples"),
        ("knee", _samples(advice.knee)),
        ("training data", f"{advice.samples:,} samples"),
        ("parameters", f"{advice.parameters:,}"),
        ("measured after", f"{advice.steps:,} steps"),
        ("measured on", f"{advice.curvature_batch:,} samples"),
        ("largest curvature", significant(advice.laws[0].eigenvalue, 3)),
    )


def largest_rates(advice: ScalingAdvice) -> Figure:
    """Shows how the largest stable rate goes with the batch size: both laws, the power law, the knee, both sizes."""
    adaptive = RULES[advice.optimizer] == "adaptive"
    rates = [rate for law in advice.laws for rate in law.rates]
    room = (max(rates) / min(rates)) ** 0.06 if max(rates) > min(rates) else 1.6
    ends = min(rates) / room, max(rates) * room
    laws = (_law(advice, law, index) for index, law in enumerate(advice.laws))
    return Figure(
        "rates",
        heading="The largest stable learning rate",
        caption=(
            "Left of the knee, the noise of a batch's curvature limits the rate; right of it, the curvature of all the "
            "data does. Both scales are logarithmic, so that a power of the batch size is a straight line."
        ),
        description=" ".join(conclusion(advice)[:2]),
        x=Axis("samples a batch", logarithmic=True, whole=True),
        y=Axis(
            "how the rate scales: 2 / root of the curvature" if adaptive else "largest stable rate of plain SGD",
            logarithmic=True,
            ends=ends,
        ),
        lines=(*laws, _power(advice), *_knee(advice, ends), _sizes(advice)),
    )


def _law(advice: ScalingAdvice, law: Law, index: int) -> Line:
    name = f"{law.name}, {_MATRICES[law.matrix]}"
    return Line(name, advice.batch_sizes, law.rates, index, dash="dash" if index else "solid", hover=_HOVER)


def _power(advice: ScalingAdvice) -> Line:
    """The power law through the smallest batch's rate, as far as the largest rate."""
    law, power = advice.laws[0], EXPONENTS[RULES[advice.optimizer]]
    ends = (1.0, min((law.rates[-1] / law.rates[0]) ** (1 / power), float(advice.samples)))
    name = "in proportion to the batch" if power == 1 else "with the root of the batch"
    return Line(name, ends, tuple(law.rates[0] * end**power for end in ends), "muted", dash="dot")


def _knee(advice: ScalingAdvice, ends: tuple[float, float]) -> tuple[Line, ...]:
    if not 1 <= advice.knee <= advice.samples:
        return ()
    return (Line(f"knee: {significant(advice.knee, 2)} samples", (advice.knee, advice.knee), ends, "ink", dash="dash"),)


def _sizes(advice: ScalingAdvice) -> Line:
    sizes = tuple(dict.fromkeys((advice.from_batch, advice.to_batch)))
    rates = tuple(advice.laws[0].rates[advice.batch_sizes.index(size)] for size in sizes)
    return Line("from and to", sizes, rates, 0, marks="points", hover=_HOVER)


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
