"""A comparison over several problems from beginning to end, on problems that the template writes."""

import re

import pytest

from tests.compare.test_comparison import Recorder
from trimtab import Comparison
from trimtab.compare import sizing
from trimtab.compare.budget import Budget
from trimtab.compare.comparison import directory_name
from trimtab.compare.prices import Price
from trimtab.compare.stored import load_any
from trimtab.compare.template import write_template
from trimtab.lab.measures import TEST_LOSS
from trimtab.study.beside import Beside
from trimtab.study.errors import InputError, StudyMismatchError


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    """Three problems with names, seeds and lengths of their own."""
    directory = tmp_path_factory.mktemp("problems")
    return [written(directory / f"{name}.py", name, seeds) for name, seeds in (("one", 2), ("two", 3), ("three", 1))]


def written(path, name, seeds):
    write_template(path)
    text = re.sub(r'name = ".*"', f'name = "{name}"', path.read_text())
    text, found = re.subn(r"^    seeds = \d+", f"    seeds = {seeds}", text, flags=re.MULTILINE)
    path.write_text(text if found else text.replace("    steps =", f"    seeds = {seeds}\n    steps ="))
    return f"{path}:MyTask"


def over(problems, out, candidates="adamw,lion", **more):
    return Comparison(problems, candidates, out, **{"trials": 2, "steps": 30, "jobs": 1, **more})


@pytest.fixture(scope="module")
def finished(problems, tmp_path_factory):
    out, recorder = tmp_path_factory.mktemp("out"), Recorder()
    return out, over(problems[:2], out).run(recorder), recorder


def test_every_trial_of_every_problem_is_run_once_in_one_store(finished):
    out, result, recorder = finished
    assert len(recorder.keys) == len(set(recorder.keys)) == recorder.total == 2 * (2 + 2) + 2 * (2 + 3)
    assert {name: len(found.trials) for name, found in result.problems.items()} == {"one": 8, "two": 10}
    assert [path.name for path in out.iterdir() if path.suffix == ".db"] == ["study.db"]
    assert load_any(out) == result
    assert result.ranked


def test_each_problem_is_compared_as_it_would_be_alone(finished, problems, tmp_path):
    _, result, _ = finished
    alone = Comparison(
        problems[1], "adamw,lion", tmp_path, trials=2, steps=30, jobs=1
    ).run()  # threads change last digits
    assert load_any(tmp_path) == alone

    def outcomes(result):
        return [(t.key, t.seed, t.settings, t.loss, t.measures.get(TEST_LOSS), t.curve) for t in result.trials]

    assert outcomes(result.problems["two"]) == outcomes(alone)
    assert result.problems["two"].pairs == alone.pairs
    assert result.problems["two"].conclusion == alone.conclusion


def test_problems_candidates_and_seeds_extend_a_study(problems, tmp_path):
    first = over(problems[:1], tmp_path, seeds=1).run()
    assert list(first.problems) == ["one"]
    recorder = Recorder()
    more = over([problems[0], problems[2]], tmp_path, "adamw,lion,sgd", seeds=2).run(recorder)
    assert len(recorder.keys) == (2 + 4) + 3 * 4  # a seed each for two and all of the third; the second problem
    assert list(more.problems) == ["one", "three"]
    losses = {c.label: c.final_losses[0] for c in first.problems["one"].candidates}
    assert all(c.final_losses[0] == losses[c.label] for c in more.problems["one"].candidates if c.label in losses)
    assert more.beside is None
    less = over(problems[:1], tmp_path, "adamw,lion", seeds=1).run(none := Recorder())
    assert (none.keys, less.beside) == ([], Beside(("three",), ("sgd",), 1, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"steps": 31},
            "compared with them: a run has 1,920 sample-gradients there, 1,984",
        ),
        ({"trials": 3}, "trials: 2 there, 3 here"),
        ({"pruner": "median"}, "--pruner is none there, median here"),
    ],
)
def test_an_existing_problem_may_not_change_and_nothing_is_lost(finished, problems, change, message):
    out, result, _ = finished
    with pytest.raises(StudyMismatchError, match=re.escape(message)):
        over(problems, out, **change).run()
    assert load_any(out) == result


def test_directories_of_one_problem_and_of_several_are_not_mixed_up(finished, problems, tmp_path):
    out, _, _ = finished
    with pytest.raises(StudyMismatchError, match="holds the results of another study"):
        Comparison(problems[0], "adamw,lion", out, trials=2, steps=30).run()
    Comparison(problems[0], "sgd", tmp_path, trials=1, seeds=1, steps=2).run()
    with pytest.raises(StudyMismatchError, match="holds the results of another study"):
        over(problems[:1], tmp_path).run()


def test_what_is_cut_off_is_shown_as_far_as_it_is_and_goes_on(problems, tmp_path):
    class Stop(Recorder):
        def finished(self, point, outcome):
            super().finished(point, outcome)
            if point.group.startswith("two/final"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        over(problems[:2], tmp_path, jobs=1).run(Stop())
    partial = load_any(tmp_path)
    assert partial.counted == ("one",)
    assert partial.left_out == {"two": "it is not finished"}
    assert not partial.ranked
    recorder = Recorder()
    assert over(problems[:2], tmp_path).run(recorder).counted == ("one", "two")
    assert {key.split("/")[0] for key in recorder.keys} == {"two"}


def test_a_budget_is_shared_by_all_problems_and_adopted_by_those_that_come_later(problems, tmp_path, monkeypatch):
    def measured(part, executor, known=()):
        return [Price(c.label, True, 10.0, 10.0) for c in part.plan.candidates]

    monkeypatch.setattr(sizing, "measured_prices", measured)
    monkeypatch.setattr(Budget, "spent", 0.0)
    options = {"candidates": "sgd,adamw", "trials": None, "budget": "200s", "steps": 2, "jobs": 2}
    sizes = []
    made = over(problems[:2], tmp_path, **options)
    assert made.seeds is None
    result = made.run(None, sizes.append)
    numbers = {(found.protocol.trials, found.protocol.seeds) for found in result.problems.values()}
    assert numbers == {(6, 3)}  # 2 problems x 2 candidates x 9 runs of 10 seconds on two workers
    assert [(size.trials, size.seeds, size.seconds) for size in sizes] == [(6, 3, 180.0)]
    assert over(problems[:2], tmp_path, **options).estimate().trials == 6

    recorder = Recorder()
    more = over(problems, tmp_path, **options).run(recorder)
    assert (more.problems["three"].protocol.trials, more.problems["three"].protocol.seeds) == (6, 3)
    assert {key.split("/")[0] for key in recorder.keys} == {"three"}


def test_a_refused_budget_binds_nobody(problems, tmp_path, monkeypatch):
    monkeypatch.setattr(
        sizing, "measured_prices", lambda part, *_: [Price(c.label, True, 10.0, 10.0) for c in part.plan.candidates]
    )
    monkeypatch.setattr(Budget, "spent", 0.0)
    with pytest.raises(InputError, match="budget=30s is too short"):
        over(problems[:2], tmp_path, trials=None, budget="30s").run()
    result = over(problems[:2], tmp_path, "sgd", trials=1, seeds=1, steps=2).run()
    assert {found.protocol.budget for found in result.problems.values()} == {2 * 64}
    assert load_any(tmp_path) == result


def test_problems_with_one_name_are_refused(problems, tmp_path):
    with pytest.raises(InputError, match="a second problem with the name one"):
        over([problems[0], problems[0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"problems=.*: at least one problem is needed"):
        over([], tmp_path)


def test_the_directory_is_named_after_the_problems(problems):
    made = over(problems, None)
    assert str(made.out) == "runs/one+two+three"
    assert made.seeds == {"one": 2, "two": 3, "three": 1}


def test_the_names_of_many_problems_have_room_in_a_file_system(tmp_path):
    many = [f"{letter * 25}" for letter in "abcdefghüß"]
    name = directory_name(many)
    (tmp_path / name).mkdir()
    assert name.startswith("a" * 25 + "+9-")
    assert name != directory_name([*many[:-1], "x" * 25])
