"""The code blocks of the guides run as they stand."""

import inspect
import re
from pathlib import Path

import optuna
import own_rule
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

import trimtab
from tests.lab.tables.tables import houses, write
from trimtab.catalog import entries
from trimtab.search import BOSampler

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


PLAIN_LOOP = [block for block in blocks("guides/plain-loop.md") if "wandb" not in block]
BETWEEN = blocks("guides/between-backward-and-step.md")


@pytest.fixture
def names():
    """Returns what the blocks take for granted."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 3))
    inputs = torch.randn(320, 8)
    targets = (inputs @ torch.randn(8, 3)).argmax(1)
    loader = list(zip(inputs.split(32), targets.split(32), strict=True))
    return {"torch": torch, "model": model, "loader": loader, "optimizer": trimtab.create("lion", model, lr=3e-3)}


# torch.compile's own: it looks at the gradients of a compiled step's intermediate values
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")
@pytest.mark.parametrize("block", PLAIN_LOOP + BETWEEN, ids=lambda block: block.split("\n")[0])
def test_blocks_of_the_loops(names, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inputs, targets = (torch.cat(parts) for parts in zip(*names["loader"], strict=True))
    before = nn.functional.cross_entropy(names["model"](inputs), targets)
    exec(block, names)
    if "for inputs" in block:
        assert nn.functional.cross_entropy(names["model"](inputs), targets) < 0.95 * before
    else:
        assert "SummaryWriter" in block


def test_tensorboard_gets_a_number_for_every_step(names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = PLAIN_LOOP[1]
    exec(log, names)
    observed = names["optimizer"]
    for inputs, targets in names["loader"]:
        observed.zero_grad()
        nn.functional.cross_entropy(names["model"](inputs), targets).backward()
        observed.step()
    names["writer"].close()
    events = EventAccumulator("logs")
    events.Reload()
    assert [event.step for event in events.Scalars("update_to_weight")] == list(range(10))
    assert all(1e-4 < event.value < 1 for event in events.Scalars("update_to_weight"))


def test_the_guide_names_who_can_be_watched():
    words = (DOCS / "guides/plain-loop.md").read_text().partition("These have it: ")[2].partition(". The others")[0]
    named = re.findall(r"`(\w+)`", words)
    assert named == sorted(entry.id for entry in entries().values() if hasattr(entry.load(), "watch"))


def test_the_optimizer_inside_a_wrapper_can_be_watched(names):
    optimizer, seen = trimtab.create("clip(lion, fraction=0.5)", names["model"], lr=3e-3), []
    optimizer.inner.watch(seen.append)
    inputs, targets = names["loader"][0]
    nn.functional.cross_entropy(names["model"](inputs), targets).backward()
    given = torch.cat([param.grad.flatten() for param in names["model"].parameters()]).norm()
    optimizer.step()
    assert 0 < seen[0][0].gradient < given


def test_blocks_on_memory_leave_a_narrow_head_out():
    names = {"model": nn.Sequential(nn.Linear(192, 160), nn.Tanh(), nn.Linear(160, 130))}
    for block in blocks("memory.md"):
        exec(block, names)
    assert [tuple(param.shape) for param in names["groups"][0]["params"]] == [(16, 16), (16, 16)]
    with pytest.raises(ValueError, match=r"rank=4 is above parameter '3.weight', .* leave its layer out by targets"):
        names["galore_parameter_groups"](names["model"], rank=4)


def test_there_are_blocks_to_run():
    assert len(PLAIN_LOOP) == 5
    assert len(BETWEEN) == 2


def test_blocks_of_the_page_on_tables(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first, second = blocks("table.md")
    exec(first + second, {"__name__": "__mp_main__"})  # as the workers do, each of which imports what is the program
    assert (list(tmp_path.iterdir()), capsys.readouterr().out) == ([], "")
    names = {"__name__": "__main__"}
    exec(first, names)  # the second runs a comparison
    printed = re.findall(r"^```text\n(wine.*?)^```", (DOCS / "table.md").read_text(), re.MULTILINE | re.DOTALL)
    assert capsys.readouterr().out.split() == " ".join(printed).split()
    run = trimtab.Comparison(names["task"], "adamw,lion,sgd", trials=8, seeds=5)
    again = trimtab.Comparison("wine.csv(target=target, drop=proline)", "adamw,lion,sgd", trials=8, seeds=5)
    assert 'Comparison(task, "adamw,lion,sgd", trials=8, seeds=5, out="runs/wine").run()' in second
    assert [each.first.problem.introduction for each in (run, again)] == [names["task"].introduction] * 2
    assert run.out == again.out


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_page_on_tables_says_which_text_is_read(tmp_path, encoding):
    text = write(tmp_path / "houses.csv", houses(60)).read_text()
    (tmp_path / "houses.csv").write_text(text, encoding=encoding)
    assert "60 rows" in trimtab.TableTask(tmp_path / "houses.csv", "price").introduction
    for refused in ("utf-16-le", "utf-16-be"):
        (tmp_path / "houses.csv").write_text(text, encoding=refused)
        with pytest.raises(ValueError, match="is no CSV file"):
            trimtab.TableTask(tmp_path / "houses.csv", "price")
    assert "is text neither in UTF-8 nor in UTF-16 with its byte order mark;" in " ".join(
        (DOCS / "table.md").read_text().split()
    )


def test_the_line_of_the_page_on_tables_is_what_is_printed(tmp_path):
    write(tmp_path / "houses.csv", houses(500))
    line = trimtab.TableTask(tmp_path / "houses.csv", "price").introduction
    assert line in " ".join((DOCS / "table.md").read_text().split())


@pytest.mark.filterwarnings("ignore")  # Optuna's and pandas' own
def test_blocks_of_the_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trimtab.Comparison("digits", "adamw,lion", trials=2, seeds=2, steps=20).run()
    names, shown = {}, []
    for block in blocks("notebook.md"):
        *lines, last = block.strip().splitlines()
        exec("\n".join(lines), names)
        shown.append(eval(last, names))
    ranking, best, curves, trials = shown
    assert len(best) == 4
    assert set(ranking["candidate"]) == {"adamw", "lion"}
    assert list(curves.columns) == list(ranking["candidate"])
    assert len(curves) == 21
    assert len(trials) == 2 * 3  # both settings, with three seeds


def test_the_block_of_the_diagnosis_tells_the_sharpness_of_both(names, capsys):
    (block,) = blocks("diagnose.md")
    exec(block, names)
    first, second = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (first[0], second[0]) == ("sgd", "clipped")
    assert float(first[1]) > float(second[1]) > 0
    assert all(float(number) > 0 for number in (*first[2:], *second[2:]))


def test_blocks_of_the_tutorial():
    (calls,) = blocks("tutorial-rule.md")
    *good, refused = calls.splitlines()
    some, others = ([nn.Parameter(torch.ones(3))] for _ in range(2))
    names = {"torch": torch, "Signum": own_rule.Signum, "params": some, "some": some, "others": others}
    for call in good:
        optimizer = eval(call, names)
        for param in (*some, *others):
            param.grad = torch.ones(3)
        before = some[0].clone()
        optimizer.step()
        assert not torch.equal(some[0], before), call
    with pytest.raises(ValueError, match="beta") as error:
        eval(refused, names)
    assert refused.endswith(f"# ValueError: {error.value}")


def test_the_tutorial_shows_what_the_example_prints(capsys):
    own_rule.main()
    (shown,) = re.findall(r"^```text\n(.*?)^```", (DOCS / "tutorial-rule.md").read_text(), re.MULTILINE | re.DOTALL)

    def without_decimals(text):
        return re.sub(r"(\d\.)\d{3,}", r"\1", text)

    assert without_decimals(capsys.readouterr().out) == without_decimals(shown)


SEARCHES = ("coming-from-optuna.md", "guides/bo.md", "guides/pfn.md", "guides/bnn.md")


@pytest.mark.parametrize("page", SEARCHES)
def test_blocks_on_searches(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page):
        exec(block, names)
    shown = {
        "coming-from-optuna.md": lambda: [len(names[each].trials) for each in ("study", "again")] == [20, 25],
        "guides/bo.md": lambda: abs(names["found"].params["x"] - 2) < 0.1 and (names["best"] - 1).norm() < 0.3,
        "guides/pfn.md": lambda: "'x6']: inputs=7: the networks that ship take" in capsys.readouterr().out,
        "guides/bnn.md": lambda: len(names["study"].trials) == 5 and names["sampler"] is not None,
    }
    assert shown[page]()


def test_what_samplers_of_optuna_take_is_said():
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", (DOCS / "coming-from-optuna.md").read_text(), re.MULTILINE)
    named = {word for left, _ in rows for word in re.findall(r"`(\w+)`", left)}
    for theirs in (optuna.samplers.TPESampler, optuna.samplers.GPSampler):
        taken = {each for each in inspect.signature(theirs).parameters if not each.startswith("warn_")}
        assert taken - named <= {
            "consider_prior",
            "prior_weight",
            "consider_magic_clip",
            "consider_endpoints",
            "weights",
        }
    ours = {word for _, right in rows for word in re.findall(r"^`(\w+)`", right)}
    assert ours - {"BOSampler"} <= inspect.signature(BOSampler).parameters.keys()
