"""Audits Optuna's own samplers, and BoTorch's in Optuna's hands, for the table in `docs/testing.md`.

Usage: python docs/sampler_audit.py docs/sampler_audit.json
"""

import datetime
import importlib
import importlib.metadata
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import torch

from trimtab.testing.audit import cases, outcome_of
from trimtab.testing.sampler_basics import BasicChecks
from trimtab.testing.sampler_histories import HistoryChecks
from trimtab.testing.sampler_resume import ResumeChecks
from trimtab.testing.sampler_spaces import SpaceChecks
from trimtab.testing.sampler_support import KINDS
from trimtab.testing.samplers import SamplerChecks

PARTS = {
    "suggestions": BasicChecks,
    "odd histories": HistoryChecks,
    "define by run": SpaceChecks,
    "resume": ResumeChecks,
}
"""The columns of the table."""

PACKAGES = ("optuna", "optuna-integration", "botorch", "cmaes", "scipy", "torch")

FINITE = ("step", "int", "choice")
"""Settings of which there are finitely many values, for samplers that take no others."""

GRID = {"step": [0.0, 0.25, 0.5, 0.75, 1.0], "int": list(range(1, 10)), "choice": ["near", "far", "none"]}


@dataclass(frozen=True)
class Audited:
    """A sampler, and how it is tried: so that it learns from the first evaluations on, if it can."""

    name: str
    where: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluations: int = 6
    kinds: Sequence[str] = tuple(KINDS)


SAMPLERS = (
    Audited("Random", "optuna.samplers:RandomSampler"),
    Audited("QMC, scrambled", "optuna.samplers:QMCSampler", {"scramble": True, "warn_independent_sampling": False}),
    Audited("TPE", "optuna.samplers:TPESampler", {"n_startup_trials": 1}),
    Audited(
        "TPE, multivariate, group",
        "optuna.samplers:TPESampler",
        {"n_startup_trials": 1, "multivariate": True, "group": True},
    ),
    Audited("CMA-ES", "optuna.samplers:CmaEsSampler", {"warn_independent_sampling": False}, evaluations=15),
    Audited("NSGA-II", "optuna.samplers:NSGAIISampler", {"population_size": 4}, evaluations=15),
    Audited(
        "GP", "optuna.samplers:GPSampler", {"n_startup_trials": 1, "warn_independent_sampling": False}, evaluations=4
    ),
    Audited("BoTorch", "optuna_integration:BoTorchSampler", {"n_startup_trials": 1}, evaluations=4),
    Audited("Grid", "optuna.samplers:GridSampler", {"search_space": GRID}, kinds=FINITE),
    Audited("Brute force", "optuna.samplers:BruteForceSampler", kinds=FINITE),
)


def audited(sampler: Audited) -> dict[str, Any]:
    """Returns what the table says of a sampler, or why it could not be tried."""
    row: dict[str, Any] = {"name": sampler.name, "kinds": list(sampler.kinds), "evaluations": sampler.evaluations}
    module, _, name = sampler.where.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except ImportError as error:
        return {**row, "missing": str(error)}
    held = {
        "sampler": staticmethod(factory),
        "settings": dict(sampler.settings),
        "evaluations": sampler.evaluations,
        "kinds": tuple(sampler.kinds),
    }
    parts: dict[str, Any] = {title: {"tried": 0, "broken": {}} for title in PARTS}
    for case, check in cases(type("Audited", (SamplerChecks,), held)):
        part = parts[next(title for title, owner in PARTS.items() if f"test_{case.partition('[')[0]}" in vars(owner))]
        outcome, seen = outcome_of(check)
        part["tried"] += outcome != "skipped"
        if outcome == "broken":
            part["broken"][case] = seen
    return {**row, "parts": parts}


def main() -> None:
    """Writes what was found."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = []
    for sampler in SAMPLERS:
        rows.append(audited(sampler))
        broken = {title: len(part["broken"]) for title, part in rows[-1].get("parts", {}).items()}
        print(sampler.name, rows[-1].get("missing", broken), flush=True)
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    facts = {"date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(), "packages": packages, "rows": rows}
    Path(sys.argv[1]).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
