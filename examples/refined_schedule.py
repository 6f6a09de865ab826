"""A run with linear decay whose gradient norms are recorded, and the next run with the schedule that they suggest.

    python examples/refined_schedule.py

It trains a small network on scikit-learn's digits, writes ``norms.json`` into the working directory, and trains anew
with the refined schedule: each schedule with three learning rates, because the best peak may be another one. ``trimtab
refine norms.json`` draws the same schedule.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

from trimtab.schedule import GradientNormRecorder, RefinedLR, fit_polynomial, linear_decay_with_warmup, refine_schedule

STEPS = 300
RATES = (1e-2, 3e-2, 1e-1)


def digits():
    """Returns training and validation data: images as 64 numbers, and their digits."""
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    inputs, targets = torch.tensor(images / 16, dtype=torch.float32)[order], torch.tensor(labels)[order]
    return (inputs[:600], targets[:600]), (inputs[600:], targets[600:])


def network() -> nn.Module:
    """Returns a network with dropout, which therefore does not fit its data entirely."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10))


def train(lr, make_scheduler, record=False):
    """Trains from the same start with a learning rate and a schedule.

    Returns:
        The validation loss, and the recorder of the gradients' norms if there is to be one.
    """
    (inputs, targets), validation = digits()
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    scheduler = make_scheduler(optimizer)
    recorder = GradientNormRecorder(optimizer, norm="l1") if record else None
    batches = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        rows = torch.randint(0, len(inputs), (32,), generator=batches)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs[rows]), targets[rows]).backward()
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model.eval()(validation[0]), validation[1]).item()
    return loss, recorder


def main() -> None:
    """Trains with both schedules, and says what came of it."""
    linear = {lr: train(lr, lambda optimizer: linear_decay_with_warmup(optimizer, STEPS), record=True) for lr in RATES}
    best = min(linear, key=lambda lr: linear[lr][0])
    recorder = linear[best][1]
    recorder.save("norms.json")
    schedule = refine_schedule(recorder.norms, norm="l1")
    refined = {lr: train(lr, lambda optimizer: RefinedLR(optimizer, schedule))[0] for lr in RATES}

    for name, losses in (("linear decay", {lr: loss for lr, (loss, _) in linear.items()}), ("refined", refined)):
        shown = ", ".join(f"{loss:.4f} at lr {lr:g}" for lr, loss in losses.items())
        print(f"{name:12s} validation loss {shown}")
    fit = fit_polynomial(schedule)
    print(f"the refined schedule peaks at {schedule.argmax() / (STEPS - 1):.0%} of the run; it is close to", end=" ")
    print(f"a warm-up over {fit.warmup:.0%} and a fall with power {fit.power:.2f} (off by {fit.error:.3f})")


if __name__ == "__main__":
    main()
