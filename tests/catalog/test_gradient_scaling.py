"""What the page says of gradient scaling is what is found."""

import re
from functools import partial

import pytest
import torch

from tests.catalog.loops import AVERAGED, STEPS, Run, names
from tests.catalog.test_training_loops import PAGE, require_scaler
from trimtab.optim import PseudoUpdates, clip_coordinates_
from trimtab.schedule import GradientNormRecorder

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")


def verdict(subject):
    """Returns what a subject is found to do under a scaler, from its loops without and with being told the scale."""
    found = {}
    for told in (False, True):
        for clipped in (False, True):
            try:
                subject(clipped=clipped, told=told)
            except AssertionError:
                found[told, clipped] = "wrong"
            except (RuntimeError, TypeError, ValueError):
                found[told, clipped] = "refused"
            else:
                found[told, clipped] = "works"
    untold, told = ({found[kind, clipped] for clipped in (False, True)} for kind in (False, True))
    if len(untold | told) == 1:
        return untold.pop()
    return "works, told the scale" if told == {"works"} else f"{untold} untold, and {told} told"


def scaled_run(look, *, clipped, told):
    """Trains with and without a scaler; returns both runs, and what ``look`` makes of them before each step."""
    runs, looks = (Run("sgd"), Run("sgd")), ([], [])
    looking = [look(run) for run in runs]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    for step in range(STEPS):
        run, twin = runs
        run.optimizer.zero_grad()
        run.backward(step, scaler=scaler, weight=torch.inf if step == 1 else 1.0)
        if clipped:
            scaler.unscale_(run.optimizer)
        looks[0].append(looking[0](1.0 if clipped else scaler.get_scale(), told))
        scaler.step(run.optimizer)
        scaler.update()
        if step != 1:
            twin.optimizer.zero_grad()
            twin.backward(step)
            looks[1].append(looking[1](None, told))
            twin.optimizer.step()
    return runs, looks


def recorder_of_an_optimizer(*, clipped, told):
    recorders = []

    def look(run):
        recorders.append(GradientNormRecorder(run.optimizer))
        return lambda scale, told: None

    scaled_run(look, clipped=clipped, told=told)
    assert recorders[0].state_dict() == recorders[1].state_dict()
    assert recorders[0].steps == STEPS - 1


def recorder_of_parameters(*, clipped, told):
    recorders = []

    def look(run):
        recorders.append(GradientNormRecorder(run.params))
        return lambda scale, told: recorders[0 if scale else 1].step(scale if told else None)

    scaled_run(look, clipped=clipped, told=told)
    assert recorders[0].state_dict() == recorders[1].state_dict()
    assert recorders[0].steps == STEPS - 1


def pseudo_updates(*, clipped, told):
    def look(run):
        pseudo = PseudoUpdates(run.model, {"adam": lambda model: torch.optim.Adam(model.parameters())})

        def directions(scale, told):
            grads = [param.grad / scale if told and scale else param.grad for param in run.params]
            if told and not all(grad.isfinite().all() for grad in grads):
                return None
            pseudo.observe(grads)
            return [direction.tolist() for direction in pseudo.direction("adam")]

        return directions

    _, (one, other) = scaled_run(look, clipped=clipped, told=told)
    assert [each for each in one if each is not None] == other


def clipped_coordinates(*, clipped, told):
    def look(run):
        return lambda scale, told: clip_coordinates_(
            [param.grad for param in run.params], threshold=0.01 * (scale if told and scale else 1.0)
        )

    runs, _ = scaled_run(look, clipped=clipped, told=told)
    assert all(map(torch.equal, *(run.params for run in runs)))


OTHERS = {
    "clip_coordinates_": clipped_coordinates,
    "GradientNormRecorder(optimizer)": recorder_of_an_optimizer,
    "GradientNormRecorder(parameters)": recorder_of_parameters,
    "PseudoUpdates": pseudo_updates,
}


def test_the_page_says_what_works_under_a_gradient_scaler():
    table = PAGE.read_text().partition("## Under")[2]
    rows = dict(re.findall(r"^\| `?([^|`]+?)`? \| (works|works, told the scale|refused) \|", table, re.MULTILINE))
    rest = rows.pop("everything else in the catalogue")
    found = {name: verdict(partial(require_scaler, name)) for name in names()}
    found |= {name: verdict(subject) for name, subject in OTHERS.items()}
    assert rows == {name: found[name] for name in rows}
    for name, alike in {"adahessian(every=2)": "adahessian", **AVERAGED}.items():
        assert found.pop(name) == rows[alike]
    assert {found[name] for name in found.keys() - rows.keys()} == {rest}
