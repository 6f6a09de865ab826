"""What can be chosen of a comparison, whatever its problems are."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import optuna
from optuna.pruners import BasePruner

from trimtab.catalog.recipes import Recipe, schedules, share_of_run, with_its_warmup
from trimtab.compare.budget import parse_duration
from trimtab.lab.devices import CPU, usable_device, visibilities
from trimtab.study.again import MOST_TUNING_SEEDS
from trimtab.study.checks import MANY, MANY_WORKERS, check_flag, check_path, check_text, check_texts, check_whole
from trimtab.study.contact import Contact
from trimtab.study.cores import usable_cores
from trimtab.study.errors import Faults, InputError, StoreAwayError, StoreUnreachableError
from trimtab.study.executor import Executor
from trimtab.study.lease import Limits
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.location import Location, parse_url, shown
from trimtab.study.phrases import count
from trimtab.study.ray_executor import RayExecutor
from trimtab.study.statistics.sequential import FEWEST
from trimtab.study.suggestions import nearest
from trimtab.study.trial import Work

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "successive-halving": optuna.pruners.SuccessiveHalvingPruner,
}

EXECUTORS = ("local", "ray")
USUAL = ("adamw", "tpe")
"""What people use where they have not thought about it: an optimizer, and a sampler."""

Result = TypeVar("Result")


def chosen_reference(labels: list[str], wanted: str | None) -> str:
    """Returns the candidate that verdicts compare with: the one that is wanted, else the usual one, else the first.

    Raises:
        InputError: the one that is wanted does not take part.
    """
    if not labels:
        raise InputError(f"labels={labels!r}: there are no candidates")
    if wanted is not None:
        check_text("reference", wanted)
    if wanted is None:
        return next((usual for usual in USUAL if usual in labels), labels[0])
    if wanted not in labels:
        raise InputError(f"reference={wanted!r} is not among the candidates: {nearest(wanted, labels)}")
    return wanted


@dataclass(frozen=True)
class Options:
    """How large a comparison is, how its trials are run, and where their outcomes are kept.

    Args:
        out: directory of the study, ``runs/<name of the problem>`` by default; made if missing, gone on with if it
            holds this study.
        trials: quasi-random settings tried for each candidate; 16 by default, or as many as fit the budget.
        seeds: fresh seeds of the final runs; the problem's own number by default, or as many as fit the budget.
        tuning_seeds: seeds with which the best settings are tried, whose mean decides; the problem's own number by
            default, three where a run is cheap, else one.
        steps: length of a run in steps of the problem's own; as long as usual by default.
        budget: wall-clock time for all of it, such as ``"20m"`` or ``"1h30m"``, for which trials and seeds are chosen.
        tune: ranges, such as ``"lr=1e-4..1e-1:log"``, ``"batch=16,32"``, ``"lion.lr=1e-5..1e-2:log"`` and
            ``"adamw.beta2=0.9..0.9999:log1m"``.
        schedule: of the learning rate, for all candidates alike but those that bring their own: ``"none"``,
            ``"cosine"``, ``"linear"``, ``"wsd"``, ``"onecycle"`` or ``"inverse-sqrt"``. With several, separated by
            commas, every problem is there with each; one may have a warm-up of its own, as in
            ``"none,cosine(warmup=5%)"``. By default what the problem's own ``recipe`` says, and the same for the
            following ones, or none.
        warmup: over which the learning rate rises: a share of the run (``"5%"``, 0.05) or a number of steps.
        clip_norm: largest norm of the gradient, all parameters together; nothing is clipped by default.
        ema: decay of an average of the weights, which is what is evaluated; by default the weights themselves are.
        no_decay: whether biases and the parameters of normalisation layers go without weight decay.
        reference: label of the candidate that verdicts compare with; AdamW or TPE if it takes part, else the first.
        against_reference: compares candidates with the reference alone: so few pairs need little correction, and more
            differences are found, but there are no ranks.
        race: gives further seeds only to candidates whose verdict is open, and prunes settings that cannot win: fewer
            runs for nearly the same verdicts (:mod:`trimtab.compare.race`). ``seeds`` are then the most that are run.
        pruner: gives up hopeless tuning trials: ``"median"`` or ``"successive-halving"``. What is pruned then depends
            on the order in which trials finish, so that two runs of one comparison may differ.
        jobs: worker processes; one a core by default, or one a CUDA device. With Ray, trials at once; as many as the
            cluster has CPUs, or CUDA devices.
        store: SQLAlchemy URL of the database that keeps the results, which processes on several machines can share; a
            file in ``out`` by default.
        limits: how long processes that share a store wait for each other and for the database.
        executor: where trials run: ``"local"``, in processes on this machine, or ``"ray"``.
        ray_address: of a Ray cluster that runs already; by default Ray is started on this machine.
        device: where models and batches are: ``"cpu"``, ``"cuda"``, of which every worker sees one device alone,
            ``"cuda:1"`` or ``"mps"``. A command is shown its device by ``CUDA_VISIBLE_DEVICES``, and uses it or not.

    Raises:
        InputError: one of them cannot be.
    """

    out: str | Path | None = None
    trials: int | None = None
    seeds: int | None = None
    tuning_seeds: int | None = None
    steps: int | None = None
    budget: str | None = None
    tune: Sequence[str] = ()
    schedule: str | None = None
    warmup: str | float | None = None
    clip_norm: float | None = None
    ema: float | None = None
    no_decay: bool = False
    reference: str | None = None
    against_reference: bool = False
    race: bool = False
    pruner: str | None = None
    jobs: int | None = None
    store: str | None = None
    limits: Limits | None = None
    executor: str = "local"
    ray_address: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.out is not None:
            check_path("out", self.out)
        for name in ("budget", "reference", "pruner", "executor", "ray_address", "device"):
            if getattr(self, name) is not None:
                check_text(name, getattr(self, name))
        check_texts("tune", self.tune)
        check_flag("against_reference", self.against_reference)
        check_flag("race", self.race)
        check_flag("no_decay", self.no_decay)
        if self.limits is not None and not isinstance(self.limits, Limits):
            raise InputError(f"limits={self.limits!r}: Limits are needed")
        self._check_values()

    def _check_values(self) -> None:
        faults = Faults()
        with faults:
            self._check_recipe()
        for name, most in (("trials", MANY), ("seeds", MANY), ("tuning_seeds", MOST_TUNING_SEEDS), ("steps", None)):
            with faults:
                if getattr(self, name) is not None:
                    check_whole(name, getattr(self, name), most=most)
        with faults:
            if self.budget is not None:
                parse_duration(self.budget)
        with faults:
            if self.pruner is not None and self.pruner not in PRUNERS:
                raise InputError(f"pruner={self.pruner!r}: {nearest(self.pruner, PRUNERS)}")
            if self.pruner is not None and self.race:
                raise InputError(
                    f"pruner={self.pruner!r}: with --race, which prunes settings by itself, it has no place"
                )
        with faults:
            if self.race and self.seeds is not None and self.seeds < FEWEST:
                raise InputError(f"seeds={self.seeds}: a race needs {FEWEST} or more, so that somebody can leave it")
        with faults:
            if self.jobs is not None:
                check_whole("jobs", self.jobs, most=MANY_WORKERS)
        with faults:
            if self.executor not in EXECUTORS:
                raise InputError(f"executor={self.executor!r}: {nearest(str(self.executor), EXECUTORS)}")
            if self.ray_address is not None and self.executor != "ray":
                raise InputError(f"ray_address={self.ray_address!r} is only of use with executor='ray'")
        with faults:
            if self.store is not None:
                parse_url(self.store)
        with faults:
            if self.executor == "ray" and self.device not in ("cpu", "cuda"):
                raise InputError(
                    f"device={self.device!r}: with Ray 'cpu' and 'cuda' are possible; Ray chooses among several"
                )
            if self.device_here != CPU:  # which is always there; to ask torch is to import it, for seconds
                usable_device(self.device_here)
        faults.raise_any()

    def _check_recipe(self) -> None:
        for schedule in self.schedules:
            self.recipe(schedule, self.steps or MANY)  # how many steps problems have is seen later

    @property
    def schedules(self) -> Sequence[str | None]:
        """The schedules that were asked for; ``None`` for that of each problem."""
        return [None] if self.schedule is None else schedules(self.schedule)

    def recipe(self, schedule: str | None, steps: int | None, own: Mapping[str, Any] = MappingProxyType({})) -> Recipe:
        """Returns what goes around every candidate.

        Args:
            schedule: one of those that were asked for; ``None`` for the problem's own.
            steps: of a run; ``None`` where it has none.
            own: the problem's own, where nothing was asked for.

        Raises:
            InputError: something of it cannot be.
        """
        name, warmup = (None, None) if schedule is None else with_its_warmup(schedule)
        wanted = self.warmup if warmup is None else warmup
        share = share_of_run(wanted, steps)
        if share and steps is not None and round(share * steps) == 0:
            raise InputError(f"warmup={wanted!r}: a run has {count(steps, 'step')}, and that is not one of them")
        asked = {
            "schedule": name,
            "warmup": share,
            "clip_norm": self.clip_norm,
            "ema": self.ema,
            "no_decay": self.no_decay or None,
        }
        brought = _brought(own, steps)
        if brought.get("schedule") == "onecycle" and name not in (None, "onecycle"):
            brought.pop("warmup", None)  # it is where a cycle has its peak, and no warm-up that anybody asked for
        return Recipe(**{**brought, **{name: value for name, value in asked.items() if value is not None}})

    @property
    def device_here(self) -> str:
        """Where this process tries what the workers will do; a cluster may have devices that this machine has not."""
        return self.device if self.executor == "local" else "cpu"

    @property
    def on_cuda(self) -> bool:
        """Whether runs are on CUDA devices."""
        return self.device.startswith("cuda")

    @property
    def workers(self) -> int:
        """How many trials this machine runs at once."""
        if self.jobs is not None:
            return self.jobs
        return len(visibilities(self.device)) if self.on_cuda else usable_cores()

    @property
    def at_once(self) -> int | None:
        """How many trials this process runs at once, if that is known before it has started; a cluster has its own."""
        return self.workers if self.executor == "local" else self.jobs

    def patiently(self, ask: Callable[[], Result], location: Location) -> Result:
        """Asks something of a store; a database that is away is waited for as long as when outcomes are written."""
        contact = Contact(shown(location), (self.limits or Limits()).patience)
        while True:
            try:
                return ask()
            except StoreUnreachableError as error:
                contact.failed(StoreAwayError(str(error).rstrip(".")), unwritten=0)
                time.sleep(contact.seconds_left)

    def make_executor(self, work: Work, *, answers: bool) -> Executor:
        """Returns what runs trials; ``answers`` says whether these wait for answers to their reports."""
        if self.executor == "ray":
            return RayExecutor(work, address=self.ray_address, jobs=self.jobs, answers=answers, cuda=self.on_cuda)
        return LocalExecutor(work, jobs=self.workers, answers=answers, visible=visibilities(self.device))


def _brought(own: Any, steps: int | None) -> dict[str, Any]:
    """Returns the recipe that a problem brings, when it has been looked at by itself."""
    place = f"recipe={dict(own) if isinstance(own, Mapping) else own!r}, which the problem has"
    if not isinstance(own, Mapping):
        raise InputError(f"{place}: a dictionary such as {{'schedule': 'cosine', 'warmup': 0.05}} is needed")
    names = [each.name for each in fields(Recipe)]
    if unknown := [name for name in own if name not in names]:
        raise InputError(f"{place}: {unknown[0]!r} is none of {', '.join(names)}")
    try:
        found = {**own, **({"warmup": share_of_run(own["warmup"], steps)} if "warmup" in own else {})}
        Recipe(**found)
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
    return found
