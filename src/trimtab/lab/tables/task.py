"""A task made of a table: learn one column from the others."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from trimtab.lab.measures import TEST_LOSS
from trimtab.lab.problem import EVALUATIONS, Build, Filling, Workplace
from trimtab.lab.references import Reference
from trimtab.lab.tables.columns import Columns, sorted_columns, with_decimal_commas
from trimtab.lab.tables.copies import without_copies
from trimtab.lab.tables.network import TableNetwork, size_for
from trimtab.lab.tables.preparation import Preparation
from trimtab.lab.tables.reading import Source, read_source
from trimtab.lab.tables.references import is_table
from trimtab.lab.tables.scores import RMSE, chosen_score
from trimtab.lab.tables.splitting import Parts, split
from trimtab.lab.tables.target import KINDS, Kind, Target, read_target
from trimtab.lab.tables.words import Understood, as_choice
from trimtab.lab.task import EVALUATION_BATCH, Batch, Task, samples_in, take_rows, to_device
from trimtab.lab.tasks.seeding import seeded
from trimtab.primitives.training_modes import evaluating
from trimtab.study.checks import check_whole
from trimtab.study.errors import Faults, InputError
from trimtab.study.facts import Facts, Measure
from trimtab.study.metric import Evaluation, Split
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.suggestions import nearest
from trimtab.study.trial import Reporter

TEST_RMSE = "test rmse"

_LONGEST_NAME = 60
"""Letters of the file and the target in the name of a problem."""

_LONGEST_WITH_CHOICES = 78
"""Letters of all of it, so that ``pruned(..., sparsity=0.9)`` around it is a name as well."""


class TableTask(Task):
    """One column of a table, learned from the others by a perceptron with embedded categories.

    Rows whose target is missing are left out; of the others, three fifths are trained on, a fifth chooses settings and
    a fifth tests, split by scikit-learn with classes, or fifths of the target, in equal shares. Numbers are
    standardised with the mean and deviation of the training rows, and cut off at five deviations; the median stands for
    missing ones, and a column of its own says where. Categories are embedded; names in fewer than three training rows
    share a place. Columns that are empty, constant, copies, that name the row or that are free text are left out;
    :attr:`introduction` says which, and :attr:`introduction_details` where they are many. Network, batch, steps
    and tuning seeds follow from the number of rows.

    Numbers are learned by squared error in units of the training targets' variance, so that a loss of 1 is what
    guessing their mean costs; classes by cross-entropy.

    Args:
        source: path of a CSV file, or a data frame of pandas, whose categorical columns hold names even where these are
            numbers.
        target: the column to be learned.
        kind: ``"regression"`` or ``"classification"``; by default what the column looks like.
        metric: what is quoted: ``"r2"`` or ``"rmse"`` of numbers; ``"accuracy"``, ``"balanced-accuracy"`` or, of two
            classes, ``"auc"``. By default R², and accuracy as long as no class has four fifths of the rows.
        drop: columns to be left out, with commas between them or as a sequence; in a text, a name with a comma stands
            in quotes of its own.
        categories: columns whose numbers are names, such as postal codes, given in the same way.
        split_seed: makes another split.

    Attributes:
        reference: how a command line names it; empty for a data frame and a file whose name is not that of a table.

    Raises:
        InputError: it cannot be read, or nothing can be learned from it; the message names the place and the remedy.
    """

    described: ClassVar[bool] = True

    def __init__(
        self,
        source: Source,
        target: str | None = None,
        *,
        kind: Kind | None = None,
        metric: str | None = None,
        drop: str | Sequence[str] = (),
        categories: str | Sequence[str] = (),
        split_seed: int = 0,
    ) -> None:
        table = read_source(source)
        faults = Faults()
        if kind is not None and kind not in KINDS:
            with faults:
                raise InputError(f"{table.place}: kind={kind!r}: {nearest(str(kind), KINDS)}")
        with faults:
            check_whole("split_seed", split_seed, least=0, most=2**32 - 1)
        chosen = ""
        with faults:
            chosen = table.column("target", target)
        left_out, named = list[str](), list[str]()
        with faults:
            left_out = table.several("drop", drop)
        with faults:
            named = table.several("categories", categories)
        with faults:
            if chosen and chosen in left_out:
                raise InputError(f"{table.place}: drop={chosen!r} is the target")
        faults.raise_any()

        commas = with_decimal_commas(table.columns, table.separator)
        classes: Kind | None = "classification" if chosen in table.categories else None
        found = read_target(
            table.place, chosen, table.columns[chosen], table.lines, kind=kind or classes, decimal_commas=commas
        )
        others: dict[str, Sequence[str]] = {
            name: [cells[row] for row in found.rows]
            for name, cells in table.columns.items()
            if name != chosen and name not in left_out
        }
        columns = without_copies(
            sorted_columns(others, rows=found.rows, categories={*named, *table.categories}, decimal_commas=commas)
        )
        parts = split(found, split_seed)
        preparation = Preparation.fitted(columns, parts.train)
        self.understood = Understood(table.place, len(table.lines), found, columns, preparation, tuple(left_out), parts)
        self.understood.check()

        values = found.values
        self._spread = 1.0
        if not found.classes:
            mean, self._spread = _mean_and_deviation(table.place, chosen, values[parts.train])
            values = ((values - mean) / self._spread).astype(np.float32)
        self.train, self.validation, self.test = (
            TensorDataset(*preparation.inputs(columns, part), torch.from_numpy(values[part])) for part in parts
        )
        self._score = chosen_score(table.place, found, self._spread, metric)
        self.metric = self._score.metric
        size = size_for(len(parts.train))
        self.batch_size, self.steps, self._size = size.batch_size, size.steps, size
        self.tuning_seeds = size.tuning_seeds

        choices = {
            "kind": kind,
            "metric": metric,
            "drop": as_choice(left_out),
            "categories": as_choice(named),
            "split_seed": split_seed,
        }
        told = tuple((name, value) for name, value in choices.items() if value)
        self._choices = Reference("", settings=told).brackets
        self.name = _with_choices(_short(f"{table.name}-{chosen}"), self._choices)
        settings = (("target", chosen), *told)
        self.reference = Reference(table.path, settings=settings).text if is_table(table.path) else ""
        self._fingerprint = _fingerprint(found, columns, parts)
        self.introduction = self.understood.sentence(self.metric)
        self.introduction_details = self.understood.details()

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds a perceptron."""
        numbers, levels = self.understood.preparation.width, [each.size for each in self.understood.preparation.levels]
        outputs, size = len(self.understood.target.classes) or 1, self._size
        return seeded(generator, lambda: TableNetwork(numbers, levels, outputs, width=size.width, depth=size.depth))

    def outputs(self, model: nn.Module, batch: Batch) -> Float[Tensor, "batch outputs"]:
        """Returns one logit a class, or one standardised number."""
        outputs: Tensor = model(batch[0], batch[1])
        return outputs

    def losses(self, outputs: Float[Tensor, "batch outputs"], batch: Batch) -> Float[Tensor, " batch"]:
        """Returns the cross-entropy of each row, or its squared error in units of the training targets' variance."""
        if self.understood.target.classes:
            return functional.cross_entropy(outputs, batch[2], reduction="none")
        return functional.mse_loss(outputs.squeeze(1), batch[2], reduction="none")

    def score(self, outputs: Float[Tensor, "batch outputs"], batch: Batch) -> float:
        """Returns what is quoted, of one batch."""
        return self._score.of(outputs.detach(), batch[2])

    def evaluate(self, model: nn.Module, split: Split = "validation") -> Evaluation:
        """Scores a model on a whole split: what is quoted need not be a mean over batches."""
        data = getattr(self, split)
        device = next(p.device for p in model.parameters())
        with torch.no_grad(), evaluating(model):
            batches = [
                to_device(take_rows(data, rows), device)
                for rows in torch.split(torch.arange(samples_in(data)), EVALUATION_BATCH)
            ]
            outputs = [self.outputs(model, batch) for batch in batches]
            losses = [self.losses(each, batch) for each, batch in zip(outputs, batches, strict=True)]
        targets = torch.cat([batch[2] for batch in batches])
        return Evaluation(float(torch.cat(losses).double().mean()), self._score.of(torch.cat(outputs), targets))

    def trial(
        self,
        build: Build,
        point: Point,
        *,
        budget: int | None,
        report: Reporter,
        place: Workplace,
        evaluations: int = EVALUATIONS,
        probe: Callable[[Any], Mapping[str, float]] | None = None,
    ) -> Outcome:
        """Takes a run to the end of its budget; of numbers, the error on test data is kept in their own units, too."""
        outcome = super().trial(
            build, point, budget=budget, report=report, place=place, evaluations=evaluations, probe=probe
        )
        if self.understood.target.classes or TEST_LOSS not in outcome.measures:
            return outcome
        error = self._spread * outcome.measures[TEST_LOSS] ** 0.5
        return replace(outcome, measures={**outcome.measures, TEST_RMSE: error})

    def facts(self, reference: str, candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know."""
        found = super().facts(reference or self.reference or self.name, candidates, budget)
        measures, paragraphs = list(found.measures), [*found.paragraphs]
        paragraphs.append(("Table", self.understood.paragraph(self.metric)))
        if not self.name.endswith(self._choices):
            paragraphs.append(("Choices", f"{self.name} is short for the choices {self._choices}."))
        if not self.understood.target.classes:
            name = self.understood.target.name
            if self._score.metric.name != RMSE:  # it stands there already, as what is quoted
                units = f"Root of the mean squared error on the test data, in the units of {name}."
                measures.insert(2, Measure(TEST_RMSE, "test RMSE", explanation=units))
            paragraphs.append(
                (
                    "Loss",
                    f"Errors are measured in standard deviations of the training rows' {name}, {self._spread:.6g}: a "
                    "loss of 1 is what guessing their mean costs.",
                )
            )
        return replace(found, measures=tuple(measures), paragraphs=tuple(paragraphs))

    def definition(self) -> dict[str, Any]:
        """Returns what changes when a cell that is learned from, how it is understood, or the split does."""
        return {"table": self._fingerprint}


def _fingerprint(target: Target, columns: Columns, parts: Parts) -> str:
    """What changes when the target, what is learned from, or the split does; the same on all machines."""
    digest = hashlib.sha256()
    numbers = [(target.name, target.values), *((each.name, each.values) for each in columns.numbers)]
    words = [target.classes, *((each.name, *each.values) for each in columns.categories)]
    for name, values in numbers:
        digest.update(f"{name}\x1f".encode(errors="surrogatepass") + values.astype("<f8").tobytes())
    for texts in words:
        written = "\x1f".join("\x1d" if text is None else text for text in texts)
        digest.update(f"{written}\x1e".encode(errors="surrogatepass"))
    for part in parts:
        digest.update(part.astype("<i8").tobytes())
    return digest.hexdigest()[:16]


def _mean_and_deviation(place: str, name: str, values: np.ndarray) -> tuple[float, float]:
    largest = float(np.abs(values).max()) or 1.0  # squares of large numbers have no place in a float
    mean, spread = float((values / largest).mean()) * largest, float((values / largest).std()) * largest
    if not spread > 1e-9 * largest:
        raise InputError(
            f"{place}: the target {name} hardly varies in the training rows, so that nothing can be learned; subtract "
            "what all its numbers have in common"
        )
    return mean, spread


def _with_choices(name: str, choices: str) -> str:
    """Returns a name with choices behind it, or with a hash that only these have, where they are long."""
    whole = f"{name}{choices}"
    if not choices or (len(whole) <= _LONGEST_WITH_CHOICES and whole.isprintable()):
        return whole
    return f"{name}(choices {hashlib.sha256(choices.encode(errors='surrogatepass')).hexdigest()[:8]})"


def _short(name: str) -> str:
    """Returns a name without what a shell or a file system takes for something else."""
    return re.sub(r"[^\w.+]+", "-", name).strip("-")[:_LONGEST_NAME]
