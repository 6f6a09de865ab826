"""References to tables as they are typed: ``data.csv(target=price)``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TypeVar

from trimtab.lab.references import Reference, parse_reference
from trimtab.study.checks import check_text
from trimtab.study.errors import InputError
from trimtab.study.phrases import listed

Given = TypeVar("Given")

ENDINGS = (".csv.gz", ".tsv.gz", ".csv", ".tsv")

_OTHER_TABLES = (".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".ods", ".dta", ".sav", ".jsonl")


def is_table(place: str) -> bool:
    """Tells whether the name of a file is that of a table."""
    return place.lower().endswith(ENDINGS)


def table_name(place: str) -> str:
    """Returns what a table is called: its file's name without what says that it is one, or without its ending."""
    name = place.replace("\\", "/").rpartition("/")[2]
    ending = next((each for each in ENDINGS if name.lower().endswith(each) and len(name) > len(each)), "")
    return name[: len(name) - len(ending)] if ending else PurePath(name).stem


def other_table(place: str) -> str:
    """Returns what to do with a table that is not delimited text; empty where a file's name says nothing like it."""
    if not place.lower().endswith(_OTHER_TABLES):
        return ""
    spreadsheet = place.lower().endswith((".xlsx", ".xls", ".ods"))
    remedy = "save it from the spreadsheet as CSV in UTF-8" if spreadsheet else "write it with pandas: .to_csv(PATH)"
    return f"{place}: tables are read from .csv and .tsv files, plain or compressed with gzip; {remedy}"


def in_one_order(reference: Reference) -> Reference:
    """Returns the reference to a table with its choices by name, in an order that does not depend on who wrote it."""
    choices = [*(("target", value) for value in reference.arguments), *reference.settings]
    return replace(reference, arguments=(), settings=tuple(sorted(choices, key=lambda choice: choice[0])))


def with_target(references: Sequence[Given], target: str | None) -> Sequence[Given | str]:
    """Returns problems with a target in the brackets of every table that has none; others keep theirs beside these.

    Args:
        references: problems as they are typed, or objects, which stay.
        target: the column; ``None`` to change nothing.

    Raises:
        InputError: no table is there, or all of them say another target.
    """
    if target is None:
        return references
    check_text("target", target)
    found, others, taken = list[Given | str](), list[str](), False
    for each in references:
        parsed = parse_reference(each) if isinstance(each, str) else None
        if parsed is not None and (other := other_table(parsed.place)):
            raise InputError(other)
        if parsed is None or not is_table(parsed.place):
            found.append(each)
            continue
        choices = dict(in_one_order(parsed).settings)
        if "target" not in choices:
            found.append(replace(parsed, settings=(("target", target), *parsed.settings)).text)
            taken = True
            continue
        found.append(each)
        if str(choices["target"]).strip().casefold() == target.strip().casefold():
            taken = True
        else:
            others.append(f"{parsed.place} says target={choices['target']} in its brackets")
    if others and not taken:
        raise InputError(
            f"target={target!r}: {listed(others)}, and no other table is there to learn {target} of; leave out one of "
            "them"
        )
    if not taken:
        raise InputError(
            f"target={target!r}: it names the column of a table that is to be learned, and no problem here is a table, "
            f"a file that ends in {', '.join(ENDINGS[2:])} or these with .gz"
        )
    return found
