import pytest

from trimtab.compare.template import write_template
from trimtab.lab.loading import load_task
from trimtab.lab.task import check_task
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


def test_the_template_of_a_transform_is_a_good_problem_with_a_candidate(tmp_path):
    from trimtab.catalog.slots import candidates_for
    from trimtab.lab.loading import load_problem
    from trimtab.lab.problem import Workplace

    file = tmp_path / "prune.py"
    reference = f"{file}:{write_template(file, 'transform')}(sparsity=0.75)"
    problem = load_problem(reference)
    problem.check(reference)
    assert (problem.name, problem.target, problem.budget(None)) == ("my-problem(sparsity=0.75)", 0.75, 50 * 32)
    for candidate in candidates_for([problem], f"uniform,{file}:my_pruning(first=0.25)"):
        problem.attempt(
            candidate.build({}), seed=0, budget=64, place=Workplace(tmp_path / "trials"), settings={"finetune_lr": 0.01}
        )
    assert f'trimtab compare "{file.name}:MyProblem(sparsity=0.8)"' in file.read_text()
