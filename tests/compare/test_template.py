import pytest

from trimtab.catalog.slots import SLOTS
from trimtab.compare.template import write_template
from trimtab.lab.loading import load_problem, load_task
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError


def test_the_template_is_a_good_task(tmp_path):
    reference = f"{tmp_path / 'task.py'}:{write_template(tmp_path / 'task.py')}"
    task = load_task(reference)
    check_task(task, reference)
    assert len(task.train) + len(task.validation) + len(task.test) == 3000


def test_it_learns_something(tmp_path):
    import torch

    from trimtab import Session

    task = load_task(f"{tmp_path / 'task.py'}:{write_template(tmp_path / 'task.py')}")
    session = Session(task, lambda model: torch.optim.AdamW(model.parameters(), lr=0.01), seed=0)
    before = session.evaluate()
    for _ in range(100):
        session.step()
    assert session.evaluate().loss < 0.6 * before.loss
    assert session.evaluate().metric > before.metric + 0.3


@pytest.mark.parametrize(
    ("name", "message"),
    [("task.txt", "end in .py"), ("missing/task.py", "no directory"), ("there.py", "exists already")],
)
def test_files_that_cannot_be_written_are_named(tmp_path, name, message):
    (tmp_path / "there.py").write_text("mine")
    with pytest.raises(InputError, match=message):
        write_template(tmp_path / name)
    assert (tmp_path / "there.py").read_text() == "mine"


@pytest.mark.parametrize("slot", [slot for slot, each in SLOTS.items() if each.template])
def test_the_template_of_each_slot_is_a_good_problem(tmp_path, slot):
    file = tmp_path / "problem.py"
    reference = f"{file}:{write_template(file, slot)}"
    assert "trimtab compare " in file.read_text()
    assert f"{file.name}:" in file.read_text()
    problem = load_problem(reference)
    assert (problem.slot, problem.name.partition("-")[0]) == (slot, "my")
    problem.check(reference)


def test_templates_have_names_of_their_own_so_that_their_results_are_kept_apart(tmp_path):
    names = {
        slot: load_problem(f"{tmp_path / slot}.py:{write_template(tmp_path / f'{slot}.py', slot)}").name
        for slot, each in SLOTS.items()
        if each.template
    }
    assert names == {"optimizer": "my-task", "sampler": "my-search", "transform": "my-pruning"}


def test_a_slot_without_a_template_is_named(tmp_path):
    with pytest.raises(InputError, match="slot='command': there are templates of problems for optimizer, sampler"):
        write_template(tmp_path / "problem.py", "command")


def test_the_template_of_a_transform_is_a_good_problem_with_a_candidate(tmp_path):
    from trimtab.catalog.slots import candidates_for
    from trimtab.lab.loading import load_problem
    from trimtab.lab.problem import Workplace
    from trimtab.study.point import Point

    file = tmp_path / "prune.py"
    reference = f"{file}:{write_template(file, 'transform')}(sparsity=0.75)"
    problem = load_problem(reference)
    problem.check(reference)
    assert (problem.name, problem.target, problem.budget(None)) == ("my-pruning(sparsity=0.75)", 0.75, 50 * 32)
    for candidate in candidates_for([problem], f"uniform,{file}:my_pruning(first=0.25)"):
        point = Point(problem.name, "check", candidate.label, 0, {"finetune_lr": 0.01}, 0)
        problem.attempt(candidate.build({}), point, budget=64, place=Workplace(tmp_path / "trials"))
    assert f'trimtab compare "{file.name}:MyProblem(sparsity=0.8)"' in file.read_text()
