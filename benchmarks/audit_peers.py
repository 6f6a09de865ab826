"""Which wrong updates of pytorch-optimizer 3.10.1 the checks of an audit find.

The list is of what the notes of later releases say was corrected in the update of an optimizer. Each correction is
held against the checks that shall see it, and counts as found only where one of them is broken in the version that is
installed and holds in the version that has the correction: run it in an environment of each, and hand the results of
that version to the other run.

Usage:
    pip install pytorch-optimizer==4.0.0 pytest einops
    python benchmarks/audit_peers.py --json fixed.json
    pip install pytorch-optimizer==3.10.1
    python benchmarks/audit_peers.py --fixed fixed.json --json docs/audit_peers.json
"""

import argparse
import datetime
import functools
import importlib.metadata
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from trimtab.testing.audit import audit_optimizer

PACKAGE = "pytorch_optimizer"


@dataclass(frozen=True)
class Fix:
    """A correction of an update.

    Args:
        number: of the pull request that the notes name.
        release: in which it came.
        optimizer: whose update it corrects.
        what: was wrong, in a few words of ours.
        checks: which shall see it; none where no check can, by itself.
        why_not: why no check sees it.
        settings: with which the optimizer is made.
        shapes: of parameters, where those of the suite do not do.
        make: makes it, where it is no class that takes parameters.
    """

    number: int
    release: str
    optimizer: str
    what: str
    checks: tuple[str, ...] = ()
    why_not: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] | None = None
    make: Callable[..., Any] | None = None

    def run(self) -> dict[str, str]:
        """Returns what was seen by each case that is broken."""
        factory = getattr(__import__(PACKAGE), self.optimizer) if self.make is None else self.make
        found = audit_optimizer(factory, self.settings, shapes=self.shapes, only=self.checks)
        return {each.check: each.seen for each in found if each.outcome == "broken"}


def _around(name: str, params: Any, *, lr: float = 1e-3, **settings: Any) -> Any:
    """A wrapper of the package around torch's SGD with momentum."""
    inner = torch.optim.SGD(params, lr=lr, momentum=0.9)
    return getattr(__import__(PACKAGE), name)(inner, **settings)


def _schedule_free(params: Any, *, lr: float = 1e-3, r: float = 0.0, weight_lr_power: float = 2.0) -> Any:
    return _around("ScheduleFreeWrapper", params, lr=lr, r=r, weight_lr_power=weight_lr_power)


def _in_a_group(params: Any, *, maximize: bool = False, weight_decay: float = 0.0, **_ways: Any) -> Any:
    """DeMo, which wants a process group, in one of this process alone."""
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    made = __import__(PACKAGE).DeMo
    return made(params, lr=1e-3, maximize=maximize, weight_decay=weight_decay)


FORMULA = "a wrong formula that keeps every property of an update that the checks know"

FIXES = (
    Fix(516, "3.11.0", "SignSGD", "the momentum was made anew in every step", ("momentum_memory",)),
    Fix(518, "3.11.0", "SignSGD", "weight decay did nothing", ("group_weight_decay", "weight_decay_forms")),
    Fix(520, "3.11.0", "SignSGD", "foreach and plain steps round differently", ("foreach",)),
    Fix(520, "3.11.0", "Tiger", "foreach and plain steps round differently", ("foreach",)),
    Fix(522, "3.11.0", "AdaSmooth", "NaN for parameters that begin at zero", ("zero_parameters",)),
    Fix(523, "3.11.0", "AdaShift", "NaN at its first update", ("many_steps", "constant_gradients")),
    Fix(524, "3.11.0", "A2Grad", "diverges to NaN: the mean is weighted by t instead of 1/t", ("many_steps",)),
    Fix(525, "3.11.0", "MSVAG", "moments are divided by beta^t", ("many_steps", "momentum_memory", "first_momentum")),
    Fix(529, "3.11.0", "MSVAG", "the weight of the variance", why_not=FORMULA),
    Fix(530, "3.11.0", "Shampoo", "matrices are raised to twice the power", ("scaled_gradients",)),
    Fix(
        533,
        "3.11.0",
        "MARS",
        "keeps the gradient itself, which the next backward pass overwrites",
        ("reused_gradients", "state_not_shared"),
    ),
    Fix(
        535,
        "3.11.0",
        "ApolloDQN",
        "a decay is divided on from one parameter to the next",
        ("alone",),
        settings={"weight_decay_type": "stable", "rebound": "belief", "warmup_steps": 1},
    ),
    Fix(536, "3.11.0", "AdaNorm", "the average norm never accumulated", ("numbers",)),
    Fix(538, "3.11.0", "DAdaptAdam", "the estimated distance is multiplied where it is to be divided", ("numbers",)),
    Fix(539, "3.11.0", "PID", "the first gradient is missing in the next derivative", why_not=FORMULA),
    Fix(544, "3.11.0", "StableAdamW", "scaled by the second moment of the step before", ("foreach",)),
    Fix(546, "3.11.0", "Prodigy", "steps are counted twice", ("step_counter",)),
    Fix(547, "3.11.0", "LaProp", "centering writes to the stored average", ("flags",)),
    Fix(549, "3.11.0", "AdEMAMix", "the slow moment is bias-corrected as well", why_not=FORMULA),
    Fix(
        550,
        "3.11.0",
        "Alice",
        "eigenvectors of the subspace are not lifted back",
        ("descends", "constant_gradients"),
        settings={"rank": 2, "leading_basis": 1},
    ),
    Fix(553, "3.11.0", "Ano", "the sign of the second moment's change is taken after the decay", why_not=FORMULA),
    Fix(526, "3.11.0", "MADGRAD", "eps is added to the learning rate", ("zero_lr",)),
    *(
        Fix(527, "3.11.0", name, "maximize is ignored", ("maximize",))
        for name in ("PAdam", "Kron", "RACS", "ROSE", "ASGD")
    ),
    # with as many directions as there are rows the fault above does not show
    Fix(
        527,
        "3.11.0",
        "Alice",
        "maximize is ignored",
        ("maximize",),
        settings={"rank": 3, "leading_basis": 2},
        shapes=((3, 4), (3, 2), (3, 3)),
    ),
    Fix(527, "3.11.0", "DeMo", "maximize is ignored", ("maximize",), make=_in_a_group),
    Fix(528, "3.11.0", "Adai", "maximize negates twice", ("maximize",)),
    Fix(557, "3.11.0", "FAdam", "the adaptive epsilon", why_not=FORMULA),
    Fix(
        558, "3.11.0", "ScheduleFreeWrapper", "its averages are weighted by step^lr", ("numbers",), make=_schedule_free
    ),
    Fix(558, "3.11.0", "AdamMini", "heads are grouped wrongly", why_not="takes a model, and no parameters"),
    Fix(559, "3.11.0", "MARS", "weight_decay_1d is dropped", ("settings_kept", "numbers")),
    Fix(560, "3.11.0", "StableAdamW", "foreach fails on mixed types", ("mixed_dtypes",), settings={"foreach": True}),
    Fix(561, "3.11.0", "FlashAdamW", "decouple_lr does nothing", ("flags",)),
    Fix(562, "3.11.0", "StableAdamW", "maximize is ignored without foreach", ("maximize",)),
    Fix(563, "3.11.0", "LOMO", "maximize is ignored", why_not="takes a model and steps inside the backward pass"),
    Fix(564, "3.11.0", "LARS", "the first gradient is counted twice", ("first_momentum",)),
    Fix(565, "3.11.0", "LARS", "decay is missing in the trust ratio", why_not=FORMULA),
    Fix(566, "3.11.0", "GrokFastAdamW", "the average begins with the wrong sign under maximize", ("maximize",)),
    Fix(568, "3.11.0", "Ranger21", "beta0 is dropped", ("settings_kept", "numbers"), settings={"num_iterations": 100}),
    Fix(569, "3.11.0", "Ranger21", "the maximum of the second moment is never kept", why_not=FORMULA),
    Fix(
        571,
        "3.11.0",
        "Ranger21",
        "options of gradient processing do nothing",
        ("flags",),
        settings={"num_iterations": 100},
    ),
    Fix(573, "3.11.0", "Lamb", "coupled decay", ("weight_decay_forms",)),
    Fix(574, "3.11.0", "NovoGrad", "the first update and the step size", ("first_momentum",)),
    Fix(
        575,
        "3.11.0",
        "AdaHessian",
        "random signs are all the same",
        why_not="asks for second derivatives, and the checks give gradients",
    ),
    Fix(575, "3.11.0", "AdaBound", "divides by a learning rate of zero", ("accepted_settings",)),
    Fix(581, "3.11.0", "StableAdamW", "coupled decay comes after the moments", ("weight_decay_forms",)),
    Fix(
        582,
        "3.11.0",
        "Lookahead",
        "the slow momentum is the fast one's memory",
        ("state_not_shared",),
        settings={"pullback_momentum": "pullback"},
        make=functools.partial(_around, "Lookahead"),
    ),
    Fix(
        583,
        "3.11.0",
        "OrthoGrad",
        "gradients are projected before the closure makes them",
        ("closure_gradients",),
        make=functools.partial(_around, "OrthoGrad"),
    ),
    Fix(586, "3.11.0", "OrthoGrad", "noise of rounding is scaled up where the gradient is parallel", why_not=FORMULA),
    Fix(586, "3.11.0", "FTRL", "a threshold of zero", ("zero_gradients", "zero_lr")),
    Fix(537, "4.0.0", "Grams", "the weights of past and present are exchanged", ("momentum_memory",)),
    Fix(545, "4.0.0", "ScheduleFreeRAdam", "a bias correction is outside of the root", why_not=FORMULA),
    Fix(
        601,
        "4.0.0",
        "DiffGrad",
        "decay never reaches the gradient, and the friction not the step",
        ("group_weight_decay", "weight_decay_forms"),
    ),
    Fix(601, "4.0.0", "AdaFactor", "clips where nothing is to be clipped", ("unreached_clipping",)),
    Fix(601, "4.0.0", "SPlus", "the order of decay and update", why_not=FORMULA),
    Fix(601, "4.0.0", "SOAP", "bias corrections are a step ahead", why_not=FORMULA),
)


def main() -> None:
    """Runs the checks, prints what they found, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the results")
    parser.add_argument("--fixed", type=Path, help="results of the version that has the corrections")
    parser.add_argument("--only", metavar="NAME", help="this optimizer alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    fixed = json.loads(arguments.fixed.read_text(encoding="utf-8"))["rows"] if arguments.fixed else None
    rows = []
    for index, fix in enumerate(FIXES):
        if arguments.only not in (None, fix.optimizer):
            continue
        broken = fix.run() if fix.checks else {}
        seen = {check: words for check, words in broken.items() if fixed is None or check not in fixed[index]["broken"]}
        row = {
            "number": fix.number,
            "release": fix.release,
            "optimizer": fix.optimizer,
            "what": fix.what,
            "why_not": fix.why_not,
            "broken": broken,
            "found": seen if fixed is not None else {},
        }
        rows.append(row)
        by = ", ".join(seen) or fix.why_not or "-"
        print(f"#{fix.number} {fix.optimizer:20} {fix.what[:50]:50} {by[:90]}", flush=True)
    found = sum(bool(row["found"]) for row in rows)
    if fixed is not None:
        print(f"found: {found} of {len(rows)}, {found / len(rows):.0%}")
    facts = {
        "package": f"pytorch-optimizer {importlib.metadata.version('pytorch-optimizer')}",
        "fixed": None if fixed is None else json.loads(arguments.fixed.read_text(encoding="utf-8"))["package"],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "found": found,
        "rows": rows,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
