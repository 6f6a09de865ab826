"""What a report says of transforms: the measures of a run, and the lines that a candidate's stand on."""

from trimtab.lab.transforms.run import BEFORE, OWN_SECONDS
from trimtab.study.facts import OBJECTIVE, SECONDS, Measure, Scatter

LINES = """\
# model: the trained network, in evaluation mode; loss_of(model, batch): your mean loss
# calibration: {calibration} of the training data, in batches
# batches: an iterator over all of them, {batch} at a time, without an end
target = {target!r}  # {what}


def finetune(model, steps=None):
    trained = [param for param in model.parameters() if param.requires_grad]
    if [*map(id, trained)] != [*map(id, finetune.trained)]:  # else it goes on where the last call ended
        finetune.trained, finetune.optimizer = trained, torch.optim.AdamW(trained, lr={{{rate}}})
    model.train()
    for _ in range(finetune.left if steps is None else steps):
        finetune.optimizer.zero_grad()
        loss_of(model, next(batches)).backward()
        finetune.optimizer.step()
        finetune.left -= 1
    model.eval()


finetune.left, finetune.trained = {steps}, []  # steps that are left, and what was trained last
"""
"""What the lines of a candidate stand on; the learning rate stands there in braces."""

BEFORE_TUNING = Measure(
    BEFORE,
    "loss before fine-tuning",
    explanation="Validation loss of the network when it first met the target, before it was trained any further.",
    axis="validation loss before fine-tuning",
)
RUN_SECONDS = Measure(
    SECONDS,
    "seconds a run",
    over="median",
    explanation="Median time of a run with its evaluations, the training of the network left out; workers shared the "
    "machine.",
    brief="s/run",
    price="time",
    axis="seconds a run",
)
OF_ITS_OWN = Measure(
    OWN_SECONDS,
    "seconds of its own",
    over="median",
    price="time of its own",
    axis="seconds of its own, without fine-tuning",
)
BEFORE_AND_AFTER = Scatter(
    "Before and after",
    "Each dot is a final run: where it was when the target was first met, and where fine-tuning took it. Low and level "
    "means that fine-tuning evens out what the transform does; a rising band, that the transform decides.",
    x=BEFORE_TUNING,
    y=Measure(OBJECTIVE, "validation loss", axis="validation loss at the end"),
)
