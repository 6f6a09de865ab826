import pytest

from trimtab.catalog.ranges import parse_range, parse_tunes, range_text
from trimtab.study.errors import InputError
from trimtab.study.tunable import Choice, LogOneMinus, LogUniform, Uniform

RANGES = [
    ("1e-4..1e-1:log", LogUniform(1e-4, 0.1)),
    ("0.8..0.99", Uniform(0.8, 0.99)),
    ("0.9..0.9999:log1m", LogOneMinus(0.9, 0.9999)),
    ("(0.9,0.95), (0.9,0.999)", Choice(("(0.9,0.95)", "(0.9,0.999)"))),
    ("(a)b,c", Choice(("(a)b", "c"))),
    ("mix(1,2),mix[3,4],5", Choice(("mix(1,2)", "mix[3,4]", 5))),
    ("-1..+1", Uniform(-1, 1)),
    ("16,32, 64", Choice((16, 32, 64))),
    ("0.1,1e-3", Choice((0.1, 1e-3))),
    ("cosine,linear", Choice(("cosine", "linear"))),
    ("007,1_000,0x10,nan,true", Choice(("007", "1_000", "0x10", "nan", "true"))),  # as they were written
    ("0.1", Choice((0.1,))),
    ("../a.yaml,../b.yaml", Choice(("../a.yaml", "../b.yaml"))),
    ("configs/../a.yaml,b.yaml", Choice(("configs/../a.yaml", "b.yaml"))),
    ("../../data:/x/..", Choice(("../../data:/x/..",))),
    ("..\\a,..\\b", Choice(("..\\a", "..\\b"))),
]


@pytest.mark.parametrize(("text", "expected"), RANGES)
def test_ranges_are_read_and_written_again(text, expected):
    assert parse_range(text) == expected
    assert parse_range(range_text(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1..2:lin", "after the colon of a range stands log, log1m or nothing"),
        ("a..2", "'a' is not a number"),
        ("1..", "'' is not a number"),
        ("1e-4..abc", "'abc' is not a number"),
        ("1,000..2,000", "'1,000' is not a number"),
        ("1e-4 .. 1e-1", "'1e-4 ' is not a number"),
        ("../a.yaml,1..2", "'' is not a number"),
        ("2..1", r"^2\.\.1: the first number must be the smaller one$"),
        ("1..1:log", r"^1\.\.1:log: the first number must be the smaller one$"),
        ("0..1:log", r"^0\.\.1:log: a logarithmic range begins above 0$"),
        ("1..1e400", r"^1\.\.1e400: these numbers are too large, or too far apart$"),
        ("1e-300..1e300:log", "too far apart"),
        ("0.9..1:log1m", r"^0\.9\.\.1:log1m: a range that is logarithmic in what lacks to 1 ends below 1$"),
        ("(0.9,x)", "in brackets stand numbers separated by commas"),
        ("a,,b", "expected low..high"),
        ("", "expected low..high"),
        ("a,b,a", "a value stands there twice"),
        ("(0.9,0.95", r"^\(0\.9,0\.95: a bracket is not closed, or not opened; pairs are written"),
        ("(0.9,0.95),(0.9,0.999", "a bracket is not closed, or not opened"),
        ("0.9,0.95)", "a bracket is not closed, or not opened"),
        ("[1,2", "a bracket is not closed, or not opened"),
    ],
)
def test_other_ranges_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_range(text)


def test_a_range_may_be_for_one_candidate():
    one, other = parse_tunes(["lr=1e-4..1e-1:log", "my.opt.lr=1e-5"])
    assert (one.candidate, one.setting, one.range) == (None, "lr", "1e-4..1e-1:log")
    assert (other.candidate, other.setting, other.range) == ("my.opt", "lr", "1e-5")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["lr"], "expected a name, an equals sign and a range"),
        (["=1..2"], "expected a name"),
        (["lion.=1..2"], "expected a name"),
        (["l r=1..2"], "expected a name"),
        (["lr=1..2", "lr=1..3"], "lr was given twice"),
        (["lr=1..x"], r"'x' is not a number\n  lr=1\.\.x\n     \^"),
    ],
)
def test_what_cannot_be_read_is_named(texts, message):
    with pytest.raises(InputError, match=message):
        parse_tunes(texts)
