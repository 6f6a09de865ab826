"""A comparison that is a race, from beginning to end, on the task that the template writes."""

import shutil

import pytest

from trimtab import Comparison, analyse
from trimtab.compare.stored import load_any
from trimtab.compare.template import write_template
from trimtab.report import write_all
from trimtab.study.errors import InputError, StoreUnreachableError, StudyMismatchError
from trimtab.study.statuses import status
from trimtab.study.store import Store


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "task.py"
    return f"{path}:{write_template(path)}"


def comparison(task, out, candidates="adamw,lion,sgd", **more):
    return Comparison(task, candidates, out, **{"trials": 6, "seeds": 5, "steps": 30, "race": True, **more})


@pytest.fixture(scope="module")
def finished(task, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, comparison(task, out).run()


def runs(result):
    return [(t.key, t.status, t.loss, t.cost) for t in result.trials]


def test_candidates_leave_and_settings_are_dropped(finished):
    out, result = finished
    assert result.race.looks == (2, 3, 4, 5)
    assert result.race.over
    assert result.ranked
    finals = {c.label: len(c.final_losses) for c in result.candidates}
    assert sum(finals.values()) < 15
    for each in result.race.departures:
        assert finals[each.candidate] == each.seeds
    assert {t.status for t in result.trials if t.phase == "final"} == {"complete"}
    assert all(t.cost < 30 * 64 for t in result.trials if t.status == "pruned")
    assert load_any(out) == result


def test_a_database_that_is_away_when_the_race_is_over_is_waited_for(task, finished, tmp_path, monkeypatch, warned):
    out, result = finished
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    annotate, changes = Store.annotate, []

    def away(store, change):
        changes.append(change)
        if len(changes) == 2:
            raise StoreUnreachableError("it is away")
        annotate(store, change)

    monkeypatch.setattr(Store, "annotate", away)
    assert comparison(task, tmp_path).run() == result
    assert len(changes) == 3
    assert "it is away" in warned[0]


def test_it_is_the_same_with_any_number_of_workers_and_after_an_interruption(task, finished, tmp_path):
    class Stop(Exception):
        pass

    class Stopper:
        def __init__(self):
            self.left = 14

        def planned(self, points, outcomes): ...

        def started(self, point): ...

        def reported(self, point, cost, loss): ...

        def finished(self, point, outcome):
            self.left -= 1
            if not self.left:
                raise Stop

    _, result = finished
    with pytest.raises(Stop):
        comparison(task, tmp_path, jobs=1).run(Stopper())
    before = load_any(tmp_path)
    assert 0 < len(before.trials) < len(result.trials)
    assert status(tmp_path).state == "stopped"
    assert not status(tmp_path).total_known
    assert status(tmp_path).most == comparison(task, tmp_path).most
    again = comparison(task, tmp_path, jobs=3).run()
    assert runs(again) == runs(result)
    assert again.race == result.race
    assert again.pairs == result.pairs
    assert status(tmp_path).state == "finished"


def test_a_candidate_that_comes_later_races_as_if_it_had_been_there(task, tmp_path):
    comparison(task, tmp_path, "adamw,sgd").run()
    later = comparison(task, tmp_path).run()
    assert {c.label for c in later.candidates} == {"adamw", "lion", "sgd"}
    assert later.race.over
    assert later == load_any(tmp_path)


def test_results_are_read_again(finished, tmp_path):
    _, result = finished
    write_all(result, tmp_path)
    assert analyse(tmp_path / "results.json") == result


def test_what_a_race_is_set_for_does_not_change(task, finished):
    out, _ = finished
    with pytest.raises(StudyMismatchError, match=r"a race over 5 seeds at most.*go on with --seeds 5"):
        comparison(task, out, seeds=6).run()
    with pytest.raises(StudyMismatchError, match="the candidates race there, and do not here: give --race"):
        comparison(task, out, race=False).run()


@pytest.mark.parametrize("more", [{"budget": "1m", "seeds": 20}, {"trials": 6, "seeds": 20}])
def test_a_budget_does_not_change_over_how_many_seeds_a_race_goes(more, tmp_path):
    notes = {"trials": 6, "seeds": 5, "time": "1m", "tuning_seeds": 3}
    with pytest.raises(StudyMismatchError, match=r"a race over 5 seeds at most.*go on with --seeds 5"):
        Comparison("digits", "adamw,lion", tmp_path, race=True, **more).first.adopt(notes)
    for same in ({**more, "seeds": 5}, {"budget": "1m"}):
        part = Comparison("digits", "adamw,lion", tmp_path, race=True, **same).first
        part.adopt(notes)
        assert part.plan.seeds == 5
    without = Comparison("digits", "adamw,lion", tmp_path, **more).first
    without.adopt(notes)
    assert without.plan.seeds == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 2}, "seeds=2: a race needs 3 or more"),
        ({"pruner": "median"}, "pruner='median': with --race"),
        ({"race": "yes"}, "race='yes'"),
    ],
)
def test_bad_input_is_named(task, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        comparison(task, tmp_path, **change)


def test_nothing_is_tuned_and_the_reference_alone_is_raced_with(tmp_path):
    made = Comparison("branin", "random,tpe,cmaes", tmp_path, seeds=4, race=True, against_reference=True, jobs=2)
    result = made.run()
    assert result.race.over
    assert {t.phase for t in result.trials} == {"final"}
    assert len(result.trials) <= 12
    assert all(result.reference in (pair.first, pair.second) for pair in result.pairs)


def test_several_problems_race_each_by_itself(task, tmp_path):
    result = Comparison([task, "diabetes"], "adamw,sgd", tmp_path, trials=2, seeds=3, steps=20, race=True).run()
    assert all(found.race.over for found in result.problems.values())
    assert load_any(tmp_path) == result
    assert status(tmp_path).state == "finished"
