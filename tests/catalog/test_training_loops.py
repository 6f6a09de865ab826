"""What loops do between backward and step works with everything in the catalogue, or is refused by name."""

import contextlib
import itertools
import re
from pathlib import Path

import pytest
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from torch.utils._pytree import tree_leaves

from tests.catalog.loops import AVERAGED, BESIDE, LR, STEPS, Run, names
from trimtab.catalog import entries
from trimtab.optim import AGVM

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "between-backward-and-step.md"
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def close(some, others):
    return all(torch.allclose(one, other, **CLOSE) for one, other in zip(some, others, strict=True))


def grads(run):
    return [param.grad for param in run.params]


def clip_by_norm(params):
    norm = get_total_norm([param.grad.detach() for param in params])
    assert clip_grad_norm_(params, 0.125).item() == pytest.approx(norm.item())
    assert norm > 0.125


def clip_by_value(params):
    clip_grad_value_(params, 0.05)


def clip_with_norm(params):
    clip_grads_with_norm_(params, 0.125, get_total_norm([param.grad.detach() for param in params]))


def in_place(params):
    with torch.no_grad():
        params[0].grad.mul_(0.5)
        params[-1].grad.zero_()


CLIPPING = {
    "clip_grad_norm_": clip_by_norm,
    "clip_grad_value_": clip_by_value,
    "clip_grads_with_norm_": clip_with_norm,
    "changing gradients in place": in_place,
}


def require_clipping(name, act):
    """A step differs in nothing from one with the gradient that the loop made, which is seen before and after it."""
    run, twin = Run(name), Run(name)
    for step in range(STEPS):
        run.optimizer.zero_grad(set_to_none=step % 2 == 0)
        run.backward(step)
        assert close(grads(run), run.gradients(step))
        act(run.params)
        expected = run.gradients(step, act)
        assert close(grads(run), expected)
        twin.optimizer.zero_grad()
        twin.backward(step)
        with torch.no_grad():
            for param, grad in zip(twin.params, expected, strict=True):
                param.grad.copy_(grad)
        for each in (run, twin):
            each.optimizer.step()
            each.observe(step)
    assert close(run.params, twin.params)


def require_gradients_after(name):
    """What a loop reads, for a log, before and after the step is the gradient."""
    run = Run(name)
    for step in range(STEPS):
        run.optimizer.zero_grad()
        run.backward(step)
        expected = run.gradients(step)
        assert close(grads(run), expected)
        run.optimizer.step()
        assert close(grads(run), expected)
        run.observe(step)


def require_hooks(name, register):
    """Hooks that halve gradients halve the loss."""
    run, twin = Run(name), Run(name)
    for param in run.params:
        register(param)
    for step in range(STEPS):
        run.optimizer.zero_grad(set_to_none=step % 2 == 0)
        run.backward(step)
        assert close(grads(run), [grad / 2 for grad in run.gradients(step)])
        twin.optimizer.zero_grad()
        twin.backward(step, weight=0.5)
        for each in (run, twin):
            each.optimizer.step()
            each.observe(step)
    assert close(run.params, twin.params)


def halve(param):
    param.grad.mul_(0.5)


HOOKS = {
    "register_hook": lambda param: param.register_hook(lambda grad: grad * 0.5),
    "register_post_accumulate_grad_hook": lambda param: param.register_post_accumulate_grad_hook(halve),
}


def require_accumulation(name):
    """Two backward passes over halves of a batch are one over all of it."""
    run, twin = Run(name), Run(name)
    for step in range(STEPS):
        for each, parts in ((run, 2), (twin, 1)):
            each.optimizer.zero_grad(set_to_none=step % 2 == 0)
            each.backward(step, parts=parts)
        assert close(grads(run), run.gradients(step))
        for each in (run, twin):
            each.optimizer.step()
            each.observe(step)
    assert close(run.params, twin.params)


def require_closure(name):
    """A closure that computes gradients within the step is the same, and its loss is returned."""
    run, twin = Run(name), Run(name)
    for step in range(STEPS):

        def closure(step=step):
            run.optimizer.zero_grad()
            run.backward(step)
            return torch.tensor(0.25 + step)

        assert run.optimizer.step(closure).item() == 0.25 + step
        run.observe(step)
        twin.optimizer.zero_grad()
        twin.backward(step)
        twin.optimizer.step()
        twin.observe(step)
    assert close(run.params, twin.params)


def require_schedule(name):
    """A schedule that multiplies each group's rate, in place where it is a tensor, does so once; controllers set it."""
    runs = Run(name), Run(name, torch.tensor(LR, dtype=torch.float64))
    for step in range(STEPS):
        for run in runs:
            run.take(step)
            if run.beside is None:
                for group in run.optimizer.param_groups:
                    group["lr"] *= 0.5
                rates = [float(group["lr"]) for group in run.optimizer.param_groups]
                assert rates == [LR * 0.5 ** (step + 1)] * len(rates)
        assert len({float(group["lr"]) for run in runs for group in run.optimizer.param_groups}) == 1
    assert close(*(run.params for run in runs))


def states(run):
    """Returns what there is in lists, as SOAP keeps tensors, and in objects within objects, as Shampoo does."""
    return list(itertools.chain.from_iterable(map(kept, tree_leaves(list(map(dict, run.optimizer.state.values()))))))


def kept(value):
    inside = None if isinstance(value, torch.Tensor) else getattr(value, "__dict__", None)
    return [value] if inside is None else itertools.chain.from_iterable(map(kept, tree_leaves(inside)))


def require_scaler(name, *, clipped, told=True):
    """A gradient scaler changes nothing, to the last bit; a step that it leaves out leaves no trace."""
    run, twin = Run(name, told=told), Run(name)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    overflowing = 1
    for step in range(STEPS):
        before = [value.detach().clone() for value in run.params]
        run.optimizer.zero_grad()
        run.backward(step, scaler=scaler, weight=torch.inf if step == overflowing else 1.0)
        if clipped:
            scaler.unscale_(run.optimizer)
            clip_grad_norm_(run.params, 0.125)
        scaler.step(run.optimizer)
        scaler.update()
        if step == overflowing:
            assert all(map(torch.equal, run.params, before))
            continue
        twin.optimizer.zero_grad()
        twin.backward(step)
        if clipped:
            clip_by_norm(twin.params)
        twin.optimizer.step()
        assert all(map(torch.equal, grads(run), grads(twin)))
        for each in (run, twin):
            each.observe(step)
    assert scaler.get_scale() == 2.0**15
    assert all(map(torch.equal, run.params, twin.params))
    for one, other in zip(states(run), states(twin), strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    if isinstance(run.optimizer, AGVM):
        assert run.optimizer.scales == twin.optimizer.scales
        assert any(scale != 1.0 for scale in run.optimizer.scales.values())


ACTS = {
    **{each: lambda name, act=act: require_clipping(name, act) for each, act in CLIPPING.items()},
    **{each: lambda name, act=act: require_hooks(name, act) for each, act in HOOKS.items()},
    "several backward passes": require_accumulation,
    "step(closure)": require_closure,
    "schedules": require_schedule,
    "reading .grad after the step": require_gradients_after,
    "GradScaler": lambda name: require_scaler(name, clipped=False),
    "GradScaler and unscale_": lambda name: require_scaler(name, clipped=True),
}

ELSEWHERE = ACTS.keys() - {"schedules"}
REFUSED = {
    "sso": (ELSEWHERE, (TypeError, RuntimeError), r"^SSO .*step\(forward, loss=\.\.\.\)"),
    "lbfgs": (ELSEWHERE, TypeError, r"^LBFGS\.step\(\) missing .* 'closure'"),
    "sam": (ELSEWHERE, TypeError, r"^SAM takes two gradients a step: give step\(\) a closure"),
    "sophia": ({"GradScaler", "GradScaler and unscale_"}, RuntimeError, r"^SophiaH .* scaler: .*bfloat16"),
    "armijo": (
        ELSEWHERE,
        (TypeError, RuntimeError),
        "line search needs|takes no argument 'backward'|^Armijo.* scaler:",
    ),
    "sgd beside BatchSizeController": (HOOKS.keys(), ValueError, r"parameter '0\.weight' has gradient hooks"),
}
"""What is refused, with what kind of error and in which words."""

NOT_OURS = {
    "schedulefree": {"reading .grad after the step"},
    "schedulefree_radam": {"reading .grad after the step", "schedules"},
    "soap": {"several backward passes", "schedules"},
    "sophia": {"register_hook"},
}
"""What another package does."""


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", names())
def test_what_a_loop_does_is_applied_or_refused_by_name(name, act):
    inside = AVERAGED.get(name, name)
    acts, error, message = REFUSED.get(inside, ((), (), ""))
    expected = pytest.raises(error, match=message) if act in acts else contextlib.nullcontext()
    if act in NOT_OURS.get(inside, ()):
        expected = pytest.raises(AssertionError)
    with expected:
        ACTS[act](name)


def test_every_controller_of_the_catalogue_has_a_loop():
    controllers = {entry.object.partition(":")[2] for entry in entries().values() if entry.kind == "controller"}
    assert controllers <= BESIDE.keys()


def test_the_page_lists_what_does_not_work():
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| .{20,} \|$", PAGE.read_text().partition("## Under")[0], re.MULTILINE)
    assert {
        name: ACTS.keys() - set(acts[8:].split(", ")) if acts.startswith("all but ") else set(acts.split(", "))
        for name, acts in rows
    } == {name: {*REFUSED.get(name, [()])[0], *NOT_OURS.get(name, ())} for name in REFUSED.keys() | NOT_OURS.keys()}
