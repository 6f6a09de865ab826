"""Names and classes with settings in brackets: read, refused, and made again."""

import re

import pytest

from trimtab.catalog.calls import read_calls, restored_calls
from trimtab.catalog.samplers import Sampler
from trimtab.study.errors import InputError


def read(text, tune=()):
    return read_calls(text, "sampler", Sampler, tune)


def test_candidates_are_names_with_settings():
    tpe, again, random = read("tpe( n_startup_trials=5 ), TPE, Random")
    assert (tpe.label, again.label, random.label) == ("tpe(n_startup_trials=5)", "tpe", "random")
    assert tpe.settings({}) == {"n_startup_trials": 5}
    assert (tpe.title, tpe.kind) == ("Tree-structured Parzen estimator", "baseline")
    assert tpe.definition() == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no candidates were given; name some, separated by commas"),
        ("tpe,", "unknown method '?'"),
        ("tpe,tpe", "the candidate tpe was given twice"),
        ("tpe(5)", "tpe(5): settings need names, as in tpe(name=value)"),
        ("tpe(gama=5)", "tpe has no setting 'gama'; did you mean gamma? It has "),
        ("random(width=5)", "random has no setting 'width'; it has none"),
        ("tpee", "unknown method 'tpee'; did you mean tpe?"),
        ("lion", "lion is an optimizer; here fits bnn, bo, botorch, cmaes, gp, pfn, qmc, random or tpe"),
        ("clip", "clip goes around an optimizer; here fits bnn, bo, botorch, cmaes, gp, pfn, qmc, random or tpe"),
        ("xyz", "unknown method 'xyz'; known are bnn, bo, botorch, cmaes, gp, pfn, qmc, random, tpe"),
        (
            "clip(random)",
            "clip(random): clip goes around optimizers; samplers are not put together: name each by itself",
        ),
        ("random+clip", "random+clip: samplers are not put together: name each by itself"),
        ("nowhere.py", "there is no file nowhere.py"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read(text)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(InputError) as caught:
        read("lion,tpe(x=1),gpp")
    for part in ("lion is an optimizer", "no setting 'x'", "unknown method 'gpp'"):
        assert part in str(caught.value)


def test_ranges_are_for_classes_of_ones_own():
    with pytest.raises(InputError, match=r"--tune 'width=1\.\.2' is for nobody: those of the catalogue have ranges"):
        read("tpe", ["width=1..2"])


def test_labels_make_the_same_again():
    first = read("tpe(n_startup_trials=5),gp")
    assert restored_calls([each.label for each in first], {}, "sampler", Sampler) == first


def test_a_file_alone_is_not_enough(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from optuna.samplers import RandomSampler\nclass Mine(RandomSampler): pass\n")
    for text in (f"{file}", f"{file}(width=2)"):
        with pytest.raises(InputError, match=rf"^name the class: {re.escape(str(file))}:Mine$"):
            read(text)
    assert read(f"{file}:Mine")[0].kind == "your own"


def test_ranges_are_not_said_to_be_for_nobody_where_somebody_could_not_be_read(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from optuna.samplers import RandomSampler\nclass Mine(RandomSampler): pass\n")
    with pytest.raises(InputError) as caught:
        read(f"random,{file}:Mine(widht=2)", ["seed=1,2"])
    assert "has no setting 'widht'" in str(caught.value)
    assert "for nobody" not in str(caught.value)
