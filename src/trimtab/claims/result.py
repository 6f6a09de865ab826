"""What came of a claim, as it is written down and shown. Reading one does not import torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

from trimtab.claims import CLAIMS
from trimtab.study.errors import InputError
from trimtab.study.tunable import Value

if TYPE_CHECKING:
    from trimtab.study.statistics import Verdict

RESULTS = resources.files("trimtab.claims") / "results"
"""The results that ship."""

SCHEMA = "trimtab.claim"
SCHEMA_VERSION = 1
"""Grows when a field is renamed, removed or changes its meaning; not when one is added."""


@dataclass(frozen=True)
class Tried:
    """A setting of the tuning.

    Args:
        settings: its values.
        loss: mean validation loss over the tuning seeds; ``None`` where a run diverged or failed.
    """

    settings: dict[str, Value]
    loss: float | None


@dataclass(frozen=True)
class ArmResult:
    """What an arm reached.

    Args:
        name: of the arm.
        settings: those that were chosen.
        tried: the tuning, empty where nothing was tuned.
        at_edge: settings whose chosen value is the lowest or the highest that was tried.
        seeds: of the final runs.
        values: measure to its value at each seed, ``None`` where a run diverged or has no such value.
        probed: the problem's and the claim's own measures, in the same way.
        curve: cost and mean validation loss of the final runs.
        diverged: how many trials diverged, tuning included.
        failed: how many tuning trials ended with an exception.
    """

    name: str
    settings: dict[str, Value]
    tried: tuple[Tried, ...]
    at_edge: tuple[str, ...]
    seeds: tuple[int, ...]
    values: dict[str, tuple[float | None, ...]]
    probed: dict[str, tuple[float | None, ...]]
    curve: tuple[tuple[int, float], ...]
    diverged: int
    failed: int


@dataclass(frozen=True)
class Finding:
    """What a comparison shows. Numbers are ``None`` where a run that it needs diverged.

    Args:
        name: in words.
        measure: that was compared.
        unit: of the numbers.
        claimed: the smallest mean improvement that makes it true.
        decides: whether the verdict on the claim needs it.
        verdict: of this comparison.
        mean: improvement, over seeds.
        low: lower end of the 95 % t interval, which is this comparison's alone.
        high: upper end.
        p_value: of the paired t test against no improvement, corrected by Holm's method within the claim.
        smallest_detectable: the smallest true improvement that so many seeds find four times out of five.
        seeds: number of pairs.
    """

    name: str
    measure: str
    unit: str
    claimed: float
    decides: bool
    verdict: "Verdict"
    mean: float | None
    low: float | None
    high: float | None
    p_value: float | None
    smallest_detectable: float | None
    seeds: int


@dataclass(frozen=True)
class ClaimResult:
    """Everything that a claim's experiment found.

    Args:
        id: of the claim.
        statement: what was claimed.
        protocol_hash: of what was run; see :func:`~trimtab.claims.fingerprint.protocol_hash`.
        verdict: on the claim.
        findings: what its comparisons show.
        notes: what a reader should be wary of.
        arms: what was run.
        trials: how many runs.
        processor_seconds: of all runs.
        environment: name to value: versions, processor, date.
        methods: name to the hash of its code then; see :func:`~trimtab.claims.fingerprint.code_hash`.
    """

    id: str
    statement: str
    protocol_hash: str
    verdict: "Verdict"
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    arms: tuple[ArmResult, ...]
    trials: int
    processor_seconds: float
    environment: dict[str, str]
    methods: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Returns it as strict JSON, an arm on a few long lines; :meth:`from_json` is the inverse."""
        values = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self)}
        arms = values.pop("arms")
        head = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False).removesuffix("\n}")
        blocks = ",\n".join(_block(arm) for arm in arms)
        return f'{head},\n  "arms": [\n{blocks}\n  ]\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Builds a result from what :meth:`to_json` returned.

        Raises:
            ValueError: it is of another schema.
        """
        values = json.loads(text)
        schema = (values.pop("schema", None), values.pop("schema_version", None))
        if schema != (SCHEMA, SCHEMA_VERSION):
            raise ValueError(f"schema={schema!r} must be {(SCHEMA, SCHEMA_VERSION)!r}")
        arms = tuple(_arm(each) for each in values["arms"])
        findings = tuple(Finding(**each) for each in values["findings"])
        return cls(**{**values, "arms": arms, "findings": findings, "notes": tuple(values["notes"])})


def _block(arm: Mapping[str, Any]) -> str:
    """An arm's fields, a line each: indenting every number would make a file of thousands of lines."""
    lines = (f"      {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in arm.items())
    return "    {\n" + ",\n".join(lines) + "\n    }"


def _arm(values: Mapping[str, Any]) -> ArmResult:
    restored: dict[str, Any] = {name: tuple(values[name]) for name in ("at_edge", "seeds")}
    for name in ("values", "probed"):
        restored[name] = {key: tuple(column) for key, column in values[name].items()}
    restored["curve"] = tuple((cost, loss) for cost, loss in values["curve"])
    restored["tried"] = tuple(Tried(**each) for each in values["tried"])
    return ArmResult(**{**values, **restored})


def committed(method: str) -> ClaimResult | None:
    """Returns the result that ships with the package, of the claim that a method takes part in, or ``None``.

    Raises:
        InputError: the file is damaged.
    """
    if method not in CLAIMS:
        return None
    module = CLAIMS[method].partition(":")[0]
    file = RESULTS / f"{module.rpartition('.')[2]}.json"
    if not file.is_file():
        return None
    try:
        return ClaimResult.from_json(file.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged ({error}): reinstall trimtab") from error
