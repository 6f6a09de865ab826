"""What there is: every method and baseline, from one TOML file a family."""

import functools
import importlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any, Literal, TypeAlias, TypeVar, cast

from trimtab.catalog.packages import other_versions
from trimtab.study.errors import InputError
from trimtab.study.suggestions import FEW, closest, nearest
from trimtab.study.tunable import Tunables, Value

Thing = TypeVar("Thing")

Weighted: TypeAlias = Sequence[tuple[int, str]]
"""Texts, and how much a match in each of them counts."""

KINDS = ("method", "wrapper", "controller", "baseline")


@dataclass(frozen=True)
class Entry:
    """A method or baseline, with what there is to know about it.

    Args:
        key: its name in the catalogue, which no other entry has: of its table, and of its page.
        id: the name that candidates are written with; unique among what fills one slot.
        family: the family that it belongs to.
        slot: which open part of a problem it fills; ``None`` if it is compared by its claim alone.
        title: its full name.
        kind: ``method`` (ours, after a paper), ``wrapper`` (a method around an optimizer), ``controller`` (a method
            beside one, which sets its pace) or ``baseline`` (the host's own).
        summary: what it does, in a line.
        adapts: the knob that it turns.
        signal: what it watches.
        when: where it is worth a try.
        when_not: where it is not.
        object: where the class is, as ``module:name``; the family exports it.
        extra: the part of ``trimtab[...]`` that brings the package which it is from, if it is not required.
        needs: the module that tells whether that package is installed, where importing the class does not.
        session: where a controller for sessions is, as ``module:name``, or what gives an optimizer of another package
            more of a session than a closure; ``object`` is the one for a loop of one's own.
        inner: id of the optimizer that examples of a wrapper or a controller go around.
        paper: title of its paper.
        authors: of the paper.
        year: of the paper.
        arxiv: identifier of the paper.
        situation: where its claim's verdicts say something; methods that one reader chooses between share it.
        tunables: where the ranges of its settings are, as ``module:name``; the class's own ``tunables`` if absent, and
            none if it has none.
        settings: values that it is built with unless told otherwise.
        typed: ranges of its settings that somebody has typed, which stand in the place of its own as they are.
        step: what stands in a loop of one's own instead of ``loss.backward()`` or ``optimizer.step()``, where these
            will not do.
        claim: the module in ``claims`` that tries it, where that has another name; methods may share one.
        normalised: whether steps are as long whatever the length of the gradients, so that clipping shortens none.
        parts: what else its page documents, as ``module:name`` each.
        aliases: other names.
        keywords: what else a search should find it by.
    """

    key: str
    id: str
    family: str
    slot: str | None
    title: str
    kind: Literal["method", "wrapper", "controller", "baseline"]
    summary: str
    adapts: str
    signal: str
    when: str
    when_not: str
    object: str
    paper: str
    authors: str
    year: int
    arxiv: str | None = None
    extra: str | None = None
    needs: str | None = None
    session: str | None = None
    inner: str = "adamw"
    situation: str | None = None
    tunables: str | None = None
    settings: dict[str, Value] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    step: str | None = None
    claim: str | None = None
    normalised: bool = False
    parts: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()

    def load(self) -> type[Any]:
        """Imports the class; the one for sessions, where there are two.

        Raises:
            InputError: it belongs to a package that is not installed, or does not import, or is of a version that is
                not asked for; the message says what mends it.
        """
        try:
            if self.needs is not None:
                importlib.import_module(self.needs)
            found = cast(type[Any], _import(self.session or self.object))
        except (ImportError, AttributeError) as error:  # the latter of a version that has no such class
            if self.extra is None:
                raise
            raise InputError(_not_imported(self.id, self.extra, error)) from error
        if self.extra is not None:
            modules = [each.__module__ for each in found.__mro__] + ([] if self.needs is None else [self.needs])
            if faults := other_versions(self.extra, modules):
                raise InputError(f"{self.id} needs {faults[0]}: pip install 'trimtab[{self.extra}]'")
        return found

    @property
    def around(self) -> bool:
        """Whether it goes around an optimizer."""
        return self.kind in ("wrapper", "controller")

    def load_tunables(self) -> Tunables:
        """Imports the ranges of its settings."""
        found = getattr(self.load(), "tunables", {}) if self.tunables is None else _import(self.tunables)
        return cast(Tunables, found)

    @property
    def public(self) -> tuple[str, str]:
        """From which module users import it, and its name: its family where that exports it."""
        module, _, name = self.object.rpartition(":")
        family = f"trimtab.{self.family}"
        own = module.startswith(f"{family}.")
        return (family, name) if own and name in importlib.import_module(family).__all__ else (module, name)

    @property
    def loadable(self) -> bool:
        """Whether :meth:`load` may be called."""
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called."""
        return (self.id, self.key, *self.aliases)

    def definition(self) -> dict[str, Any]:
        """Returns plain values that may not change when a study goes on: none, for its name says all."""
        return {}

    @property
    def citation(self) -> str:
        """Authors, year, title and identifier in a line."""
        where = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors} ({self.year}). {self.paper}{where}"


def _not_imported(name: str, extra: str, error: ImportError | AttributeError) -> str:
    """Says what mends a package of an extra that is not there, or not as it should be."""
    install = f"pip install 'trimtab[{extra}]'"
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    faults = other_versions(extra, None if missing is None else [missing])
    if faults:
        return f"{name} needs {'; '.join(faults)} ({error}): {install}"
    if missing is not None:
        return f"{name} needs {missing}: {install}"
    newest = install.replace("install", "install --upgrade --upgrade-strategy eager")
    return f"{name} does not import ({error}); this brings the newest of its packages: {newest}"


def _import(path: str) -> object:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


@functools.cache
def entries() -> dict[str, Entry]:
    """Returns all entries by key: methods, wrappers, controllers, baselines, each alphabetically."""
    found = []
    for file in resources.files("trimtab.catalog").iterdir():
        if file.name.endswith(".toml"):
            family = file.name.removesuffix(".toml")
            table = tomllib.loads(file.read_text(encoding="utf-8"))
            found += [_entry(key, family, values) for key, values in table.items()]
    found.sort(key=lambda entry: (KINDS.index(entry.kind), entry.key))
    return {entry.key: entry for entry in found}


def of_slot(slot: str) -> dict[str, Entry]:
    """Returns the entries that fill a slot, by the names that candidates are written with."""
    return {entry.id: entry for entry in entries().values() if entry.slot == slot}


def _entry(key: str, family: str, values: dict[str, Any]) -> Entry:
    unknown = values.keys() - {f.name for f in fields(Entry)}
    if unknown:
        raise ValueError(f"{family}.toml, [{key}]: unknown keys {', '.join(sorted(unknown))}")
    known: dict[str, Any] = {"key": key, "id": key, "family": family, "slot": None, **values}
    frozen: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
    return Entry(**frozen)


def families() -> list[str]:
    """Returns the names of the families."""
    return sorted({entry.family for entry in entries().values()})


def find(name: str, slot: str | None = None, problems: Iterable[str] = ()) -> Entry:
    """Returns the entry with a key, an id or an alias, whatever its case.

    Args:
        name: of it.
        slot: which it has to fill; any by default.
        problems: names that may be meant as well, and are offered.

    Raises:
        InputError: there is none, or several; the message offers the nearest names, or says what fits the slot.
    """
    wanted = name.strip().lower()
    fitting = [entry for entry in entries().values() if slot in (None, entry.slot)]
    keyed = [entry for entry in fitting if wanted == (entry.key if slot is None else entry.id)]
    for found in (keyed, [entry for entry in fitting if wanted in entry.names]):
        if len(found) == 1:
            return found[0]
        if found:
            meant = " or ".join(f"{entry.key} ({entry.title})" for entry in found)
            raise InputError(f"{name!r} means several: {meant}")
    others = [entry for entry in entries().values() if slot is not None and wanted in entry.names]
    if others:
        raise InputError(f"{name} {_misfit(others[0])}; here fits {_fitting(fitting, cast(str, slot))}")
    ids = [entry.id for entry in fitting]
    known = [*ids, *problems, *(alias for entry in fitting for alias in entry.aliases if alias.isidentifier())]
    everything = "`trimtab list` shows all, `trimtab search WORDS` finds them by what they do"
    listed = known if closest(wanted, known) else ids  # an alias may be what was meant, but says nothing in a list
    what = "method or problem" if problems else "method"
    raise InputError(f"unknown {what} {name!r}; {nearest(wanted, listed, everything)}")


def _misfit(entry: Entry) -> str:
    """Why an entry does not fit where it was named."""
    if entry.slot is None:
        return f"fills no slot, and is compared by its claim: trimtab verify {entry.key}"
    if entry.around:
        return f"{'stands beside' if entry.kind == 'controller' else 'goes around'} an optimizer"
    article = "an" if entry.slot[0] in "aeiou" else "a"
    return f"is {article} {entry.slot}"


def _fitting(found: Sequence[Entry], slot: str) -> str:
    """Which entries fit a slot; of many, those that are compared where nobody is named."""
    from trimtab.catalog.slots import SLOTS

    *names, last = sorted(entry.id for entry in found)
    if len(names) < FEW:
        return f"{', '.join(names)} or {last}" if names else last
    return f"{SLOTS[slot].default.replace(',', ', ')} or another that `trimtab list --slot {slot}` shows"


def search(query: str) -> list[Entry]:
    """Finds entries in which a word of the query begins some word, the best match first.

    An entry that matches more words is the better one; of those with equally many, a match in the names counts more
    than one in the keywords, and that more than one in the prose.
    """
    return best_first(query, entries().values(), _texts)


def best_first(query: str, things: Iterable[Thing], texts: Callable[[Thing], Weighted]) -> list[Thing]:
    """Finds things in whose texts a word of the query begins some word, the best match first.

    Args:
        query: the words.
        things: among which is looked.
        texts: returns the texts of one, and how much a match in each counts.
    """
    words = query.lower().split()
    scored = [(_score(texts(thing), words), thing) for thing in things]
    return [thing for score, thing in sorted(scored, key=lambda pair: pair[0], reverse=True) if score[0]]


def _texts(entry: Entry) -> Weighted:
    names = " ".join((entry.id, entry.title, *entry.aliases))
    prose = " ".join((entry.summary, entry.adapts, entry.signal, entry.when, entry.paper, entry.authors, entry.family))
    return [(8, names), (4, " ".join(entry.keywords)), (1, prose)]


def _score(weighted: Weighted, words: list[str]) -> tuple[int, int]:
    """How many words match, and how well."""
    best = [
        max((weight for weight, text in weighted if any(w.startswith(word) for w in text.lower().split())), default=0)
        for word in words
    ]
    return sum(map(bool, best)), sum(best)
