"""Arbitrary values for arguments, and what may come of them.

The examples are the same in every run. ``TRIMTAB_FUZZ=100`` tries a hundred times as many, and other ones each time.
"""

import importlib
import inspect
import math
import os
import pkgutil
from dataclasses import dataclass, field
from pathlib import PurePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("TRIMTAB_FUZZ", "1"))

fuzz = settings(
    max_examples=40 * TIMES,
    derandomize=TIMES == 1,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

ODD_TEXTS = [
    "", " ", "\0", "\n", "a\nb", "{", "}", "{}", "{{", "{a", "{0}", "{a:", "{a!r}", "'", '"', "\\", "(", ")", "[", "(?",
    "*", "..", "1..", "..1", "1..2:", "1..2:log:log", "nan..1", "0..inf", "1e999..1e1000", "-", "--", "=", "=1", "a=",
    ",", ",,", "a,", "/", "a/b", "../x", "é", "🙂", "\ud800", "a" * 300, "nan", "inf", "None", "True", "0x10", "1_000",
    "lion(", "lion()", "lion(**{})", "lion(lr=)", "lion(lr=nan)", "lion(lr=True)", "lion(betas=())",
    "lion(lr=1e-3,lr=1)",
    "(" * 200, "lion" + "(" * 100, "-" * 3000 + "1", "[" * 3000, "postgresql://", "sqlite://", "://", "sqlite:///\0",
    "postgresql://h:p@x:y/z", "x.py:", ":x", "x.py:x", "digits", "/dev/null", "/dev/null/x.py:x", "~", "$HOME",
]  # fmt: skip

numbers = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([10**30, -(10**30), 10**400, 2**63, 2**64]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 0.5, 2.0, 2.5, math.nan, math.inf, -math.inf, 1e308, 5e-324]),
)
texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=20), st.text("{}().,:=\"' \\ab1e-_[]*+?|", max_size=20))
others = st.one_of(
    st.none(),
    st.binary(max_size=3),
    st.sampled_from([(), [], {}, set(), object(), int, len, 1j, [None], [1], ["a"], {"a": 1}, {1: "a"}, range(3)]),
)
anything = st.one_of(numbers, texts, others)

REFUSALS = (ValueError, TypeError)
"""What an argument that cannot be is refused with; an InputError is a ValueError."""


def refusal(function, arguments):
    """Returns the error with which arguments are refused, or ``None``."""
    try:
        function(**arguments)
    except REFUSALS as error:
        return error
    return None


def names(error, argument, value):
    """Whether a message says which argument is meant, or shows what was given."""
    message = str(error)
    parts = [value, *value] if isinstance(value, list | tuple | dict) else [value]
    shown = [text for part in parts for text in (repr(part)[:20], str(part).strip()[:20])]
    if isinstance(value, str):
        shown.append(str(PurePath(value)))
    return argument in message or any(text in message for text in shown)


def public_objects(package):
    """The public functions and classes of a package's modules: ``module:name`` to object."""
    found = {}
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            ours = not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
            if ours and (inspect.isfunction(value) or inspect.isclass(value)) and not is_error(value):
                found[f"{info.name.removeprefix(f'{package.__name__}.')}:{name}"] = value
    return found


def is_error(value):
    return inspect.isclass(value) and issubclass(value, Exception)


def is_interface(value):
    """Protocols and abstract classes take no arguments of a user's."""
    return inspect.isclass(value) and (getattr(value, "_is_protocol", False) or inspect.isabstract(value))


@dataclass
class Call:
    """How something is called with everything as it should be, and which values each argument may have."""

    function: object
    fixed: dict = field(default_factory=dict)
    arguments: dict = field(default_factory=dict)


def never(value):
    return False


def unclear(value):
    """Whether it can be is not known here: it must work, or be refused in the right way."""
    return


def check_argument(call, argument, values, said):
    """Gives an argument arbitrary values: each is accepted with good reason, or refused in the right way.

    Args:
        call: the call.
        argument: which of its arguments.
        values: a strategy.
        said: from the error and the value to whether the message says what is wrong.
    """
    allowed = call.arguments[argument]

    @fuzz
    @given(values)
    def check(value):
        error = refusal(call.function, {**call.fixed, argument: value})
        if error is None:
            assert allowed is unclear or allowed(value), f"{value!r} was accepted"
        else:
            assert not allowed(value), f"{value!r} was refused: {error!r}"
            assert said(error, value), f"{error!r} does not name {argument}={value!r}"

    check()
