import json
from dataclasses import asdict, dataclass, field
from typing import Literal

import pytest

from trimtab.study.errors import InputError
from trimtab.study.plain import from_plain


@dataclass(frozen=True)
class Inner:
    name: str
    size: float | None


@dataclass(frozen=True)
class Outer:
    kind: Literal["a", "b"]
    inner: Inner | None
    many: tuple[Inner, ...]
    ends: tuple[int, float]
    settings: dict[str, float | int | str | bool | None]
    flag: bool = False
    more: dict[str, tuple[float, ...]] = field(default_factory=dict)


WHOLE = Outer(
    "a", Inner("x", 1.5), (Inner("y", None), Inner("z", 2)), (1, 2.0), {"lr": 0.1, "n": 3, "on": True, "no": None}
)


def test_what_json_made_of_a_dataclass_becomes_it_again():
    for made in (WHOLE, Outer("b", None, (), (0, 0.0), {}, True, {"q": (1.0, 2.0)})):
        back = from_plain(Outer, json.loads(json.dumps(asdict(made))), "file")
        assert back == made
        assert isinstance(back.many, tuple)
        assert isinstance(back.ends, tuple)
    assert from_plain(Outer, asdict(WHOLE), "file").settings["on"] is True


def test_fields_with_defaults_may_be_missing_and_others_are_left_out():
    values = {**asdict(WHOLE), "unknown": 1}
    del values["flag"], values["more"]
    assert from_plain(Outer, values, "file") == WHOLE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "c"}, r"file\.kind: one of 'a', 'b' is needed, got 'c'"),
        ({"inner": {"name": "x"}}, r"file\.inner: size is missing"),
        ({"inner": {"name": 3, "size": 1.0}}, r"file\.inner\.name: str is needed, got 3"),
        ({"many": [{"name": "x", "size": "big"}]}, r"file\.many\[0\]\.size: a number is needed, got 'big'"),
        ({"many": "text"}, r"file\.many: a list is needed, got 'text'"),
        ({"ends": [1]}, r"file\.ends: 2 values are needed, got 1"),
        ({"ends": [1.5, 2.0]}, r"file\.ends\[0\]: a whole number is needed, got 1\.5"),
        ({"ends": [True, 2.0]}, r"file\.ends\[0\]: a whole number is needed, got True"),
        ({"settings": []}, r"file\.settings: an object is needed, got \[\]"),
        ({"flag": 1}, r"file\.flag: bool is needed, got 1"),
        ({"inner": "x" * 100}, r"file\.inner: an object is needed, got 'x{39}…"),
    ],
)
def test_what_is_something_else_is_named_with_its_place(changes, message):
    with pytest.raises(InputError, match=message):
        from_plain(Outer, {**asdict(WHOLE), **changes}, "file")


def test_what_is_no_object_or_lacks_a_field_is_named():
    with pytest.raises(InputError, match=r"file: an object is needed, got \[1\]"):
        from_plain(Outer, [1], "file")
    with pytest.raises(InputError, match="file: kind is missing"):
        from_plain(Outer, {}, "file")
